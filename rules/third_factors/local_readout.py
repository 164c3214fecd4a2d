r"""Local readout: each hidden population is told how wrong a fixed random readout of its own spikes is.

    y_k^t = kappa y_k^{t-1} + (1-kappa) sum_j G_kj z_j^t,   kappa = exp(-dt/tau), 0 where tau = 0
    L_j^t = sum_k G_kj E_k^t

G ~ N(0, scale^2) is drawn once and stays so. E is the derivative by y of the task's
loss, as if this readout were the task's: the same target, at the same steps. With tau = 0, as published, L multiplies
the eligibility trace itself; a readout that filters has it filtered with the same kappa, its own derivative. No
population hears of the errors of another, and none waits for a later layer.

A population named '<population>_readout' is what is added, with G in '<population>_to_<population>_readout'.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Broadcast, Context, Judged, SignalKind, State, ThirdFactor
from snnplast.network import Fragment, Gaussian, LeakyReadout, Network, Population, Transposed, Update, slots
from snnplast.rules.references import KAISER_2020
from snnplast.task import Record
from snnplast.units import NonNegativeTime


class LocalReadout(Judged, ThirdFactor):
    """A random readout of each population's own, and its error (Kaiser, Mostafa & Neftci 2020).

    scale: standard deviation of G, default 1, > 0. tau: time constant of the readout's filter, default 0 ms, >= 0.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.EProp(third_factor=snn.LocalReadout())
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     {name: weights.size for name, weights in sim.weights.items() if name.endswith("_readout")}
    {'first_to_first_readout': 24, 'second_to_second_readout': 21}
    """

    name: ClassVar[str] = "local-readout"
    reference: ClassVar[str] = KAISER_2020

    scale: Annotated[float, Field(gt=0, description="standard deviation of the fixed random weights G")] = 1.0
    tau: Annotated[NonNegativeTime, Field(description="time constant of the readout's filter")] = "0 ms"

    def kind(self, context: Context, population: str) -> SignalKind:
        return SignalKind("local_error", "step", self.tau or None)

    def judged(self, context: Context) -> tuple[str, ...]:
        return tuple(f"{target}_readout" for target in context.targets)

    def extend(self, context: Context) -> Network:
        network, classes = context.network.copy(), context.read.size
        for target, readout in zip(context.targets, self.judged(context), strict=True):
            back = f"{readout}_to_{target}"
            if back not in network.projections:
                self._add(network, target, readout, classes)
            if context.online and not network.projections[back].simulated:
                assert context.objective is not None  # `read` asked for one
                network.attach(readout, context.objective.fragment())
                network.change(back, simulated=True)
        return network

    def _add(self, network: Network, target: str, readout: str, classes: int) -> None:
        neurons = network.population(target)
        if not neurons.spiking:
            raise UserError(f"third factor 'local-readout': {target!r} does not spike, and a readout hears spikes")
        network.add(readout, LeakyReadout(classes, tau_m=f"{self.tau!r} second") if self.tau else StepReadout(classes))
        network.connect(target, readout, weights=Gaussian(std=self.scale))
        weights = Transposed(of=f"{target}_to_{readout}")
        carried = {"kind": "analog", "variable": "error", "into": "local_error", "simulated": False}
        network.connect(readout, target, weights=weights, **carried)

    def signal(self, record: Record, context: Context, state: State) -> dict[str, Broadcast]:
        found = {}
        for target, readout in zip(context.targets, self.judged(context), strict=True):
            name = f"{target}_to_{readout}"
            weights = record.wiring[name].matrix(record.values[name])
            found[target] = Broadcast(record.series[f"{readout}.error"], weights.T)
        return found


class StepReadout(Population):
    """Readout of the spikes of this step alone: y_k^t = sum_j w_kj z_j^t."""

    readout: ClassVar[bool] = True
    input_variable: ClassVar[str | None] = "y"

    def fragment(self, dt: float) -> Fragment:
        return Fragment(("y : 1",), updates=(Update("y = 0", *slots.BEFORE),))
