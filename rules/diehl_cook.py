r"""STDP of Diehl & Cook (2015): what a neuron fires at, its synapses learn; their sum stays.

    form = "traces", the published code: traces are set to 1 by a spike, so that the last one counts
        at an arrival       w_ji -= nu_pre y1_j,                  then x_i <- 1
        at a spike of j     w_ji += nu_post x_i y2_j,             then y1_j <- 1, y2_j <- 1
    form = "power-law", the paper's rule without depression by arrivals
        at a spike of j     w_ji += nu_post (x_i - x_target) (w_max - w_ji)^mu
    in between              dx/dt = -x/tau_pre,  dy1/dt = -y1/tau_post,  dy2/dt = -y2/tau_second
    before each digit       w_ji <- w_ji total / sum_i w_ji

y2 is read before the spike that sets it: a neuron's first spike changes nothing, a second one soon after does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.learning import Prepares, SignalKind, WithinTrial, postsynaptic_trace, presynaptic_trace
from snnplast.network import Fragment, Injection, Network, Projection, Wiring
from snnplast.rules.references import DIEHL_2015
from snnplast.rules.stdp import refuse_other_bounds
from snnplast.units import PositiveTime


class DiehlCookSTDP(Prepares, WithinTrial):
    """STDP that competes for a neuron's total weight (Diehl & Cook 2015).

    form: "traces" (default) or "power-law", see above.
    nu_pre, nu_post: learning rates, defaults 1e-4 and 1e-2, >= 0. tau_pre, tau_post, tau_second: time constants of the
        traces x, y1 and y2, defaults 20, 20 and 40 ms, > 0.
    x_target, mu: of the power law, defaults 0.4 and 0.2, >= 0.
    total: sum of a neuron's weights, restored before each training trial, default 78 (of 784 inputs), > 0; none leaves
        weights alone.

    The projection needs bounds from 0 on, such as bounds=(0, 1).

    >>> import snnplast as snn
    >>> net = snn.Network()
    >>> net.add("input", snn.PoissonSource(12)); net.add("hidden", snn.LIF(5))
    >>> net.connect("input", "hidden", weights=snn.Uniform(low=0, high=1), bounds=(0, 1), plastic=True)
    >>> task = snn.Samples([[0.9] * 12], steps=100)
    >>> with snn.open(snn.Experiment(net, task, snn.DiehlCookSTDP(total=4), epochs=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['input_to_hidden']
    """

    name: ClassVar[str] = "diehl-cook"
    reference: ClassVar[str] = DIEHL_2015
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "hidden"

    form: Annotated[Literal["traces", "power-law"], Field(description="published code, or the paper's rule")] = "traces"
    nu_pre: Annotated[float, Field(ge=0, description="learning rate at arrivals")] = 1e-4
    nu_post: Annotated[float, Field(ge=0, description="learning rate at the neuron's spikes")] = 1e-2
    tau_pre: Annotated[PositiveTime, Field(description="of the presynaptic trace x")] = "20 ms"
    tau_post: Annotated[PositiveTime, Field(description="of the first postsynaptic trace y1")] = "20 ms"
    tau_second: Annotated[PositiveTime, Field(description="of the second postsynaptic trace y2")] = "40 ms"
    x_target: Annotated[float, Field(ge=0, description="trace above which a weight grows, power law")] = 0.4
    mu: Annotated[float, Field(ge=0, description="exponent of the power law")] = 0.2
    total: Annotated[float | None, Field(gt=0, description="sum of a neuron's weights, none to leave it")] = 78.0

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        refuse_other_bounds(self.name, projection)
        arrivals, x = presynaptic_trace(projection, "x", self.tau_pre, "nearest")
        if self.form == "power-law":
            constants = {"nu_spike": self.nu_post, "x_target": self.x_target, "mu": self.mu}
            grown = f"w += nu_spike*({x} - x_target)*(w_max - w)**mu"
            return Injection(synapse=Fragment((), constants, on_post=(grown,))).joined(arrivals)
        first, y1 = postsynaptic_trace("y1", self.tau_post, "nearest")
        second, y2 = postsynaptic_trace("y2", self.tau_second, "nearest")
        constants = {"nu_arrival": self.nu_pre, "nu_spike": self.nu_post}
        depressed, potentiated = f"w -= nu_arrival*{y1}", f"w += nu_spike*{x}*{y2}"
        changes = Injection(synapse=Fragment((), constants, on_arrival=(depressed,), on_post=(potentiated,)))
        return changes.joined(arrivals, first, second)

    def prepare(self, projection: Projection, weights: np.ndarray, wiring: Wiring) -> None:
        if self.total is None:
            return
        sums = np.bincount(wiring.post, weights, minlength=wiring.shape[1])
        factors = np.divide(self.total, sums, out=np.ones_like(sums), where=sums > 0)
        low, high = projection.limits(wiring.pre)
        np.clip(weights * factors[wiring.post], low, high, out=weights)
