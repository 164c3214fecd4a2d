r"""Dopamine: what reward a task hands over, released at once and taken up slowly (Izhikevich 2007).

    d(t) = baseline + sum_{t_r <= t} R(t_r) exp(-(t - t_r)/tau_d)

R is the series '<population>.reward' of the task, one value per neuron and step; most are 0. A trial begins without any
dopamine but the baseline.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Context, SignalKind, State, ThirdFactor
from snnplast.network import Fragment, Network, Update, slots
from snnplast.rules.references import IZHIKEVICH_2007
from snnplast.task import Record
from snnplast.units import PositiveTime


class Dopamine(ThirdFactor):
    """Concentration of dopamine at every neuron of the population that learns (Izhikevich 2007).

    tau_d: of its uptake, default 200 ms, > 0. baseline: of its concentration, default 0, in units of the reward.

    Reward is the task's: a series (steps, n), or (n,) for a constant, of every segment; a trial without it has none.
    Synapses hear the reward of a step in that step.

    >>> import snnplast as snn
    >>> net = snn.Network()
    >>> net.add("input", snn.PoissonSource(12)); net.add("hidden", snn.LIF(5))
    >>> net.connect("input", "hidden", weights=snn.Uniform(low=0, high=1), bounds=(0, 1), plastic=True)
    >>> class Rewarded(snn.Task):
    ...     epoch = 1
    ...
    ...     def trial(self, index):
    ...         yield snn.Segment(100, {"input": [0.9] * 12}, {"hidden.reward": [1.0] * 5})
    >>> rule = snn.RewardSTDP(third_factor=snn.Dopamine(tau_d="1 s"))
    >>> with snn.open(snn.Experiment(net, Rewarded(), rule, epochs=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     bool((sim.weights["input_to_hidden"] != before["input_to_hidden"]).any())
    True
    """

    name: ClassVar[str] = "dopamine"
    reference: ClassVar[str] = IZHIKEVICH_2007

    tau_d: Annotated[PositiveTime, Field(description="time constant of its uptake")] = "200 ms"
    baseline: Annotated[float, Field(description="concentration without reward")] = 0.0

    def kind(self, context: Context, population: str) -> SignalKind:
        return SignalKind("dopamine", "step")

    def extend(self, context: Context) -> Network:
        if not context.online:
            return context.network
        network = context.network.copy()
        for target in context.targets:
            network.attach(target, self._at_neurons())
        return network

    def _at_neurons(self) -> Fragment:
        code = "phasic = phasic*exp(-dt/tau_d) + reward\ndopamine = tonic + phasic"
        constants, units = {"tau_d": self.tau_d, "tonic": self.baseline}, {"tau_d": "second"}
        declared = ("phasic : 1", "reward : 1", "dopamine : 1")
        return Fragment(declared, constants, units, (Update(code, *slots.SIGNALS),))

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray]:
        kept = np.exp(-record.network.dt / self.tau_d)
        found = {}
        for target in context.targets:
            reward = record.series.get(f"{target}.reward")
            if reward is None:
                raise UserError(
                    f"third factor {self.name!r}: the task gives no reward; a series '{target}.reward' is needed"
                )
            phasic = np.zeros(reward.shape[1])
            found[target] = np.empty(reward.shape)
            for dopamine, now in zip(found[target], reward, strict=True):
                phasic = phasic * kept + now
                dopamine[:] = self.baseline + phasic
        return found
