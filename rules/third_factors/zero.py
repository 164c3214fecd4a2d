"""Zero: no signal at all, the control that every third factor is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from snnplast.learning import Compiled, CompiledSignal, Context, SignalKind, State, ThirdFactor, Trials
from snnplast.network import Wiring
from snnplast.task import Record


class Zero(Compiled, ThirdFactor):
    """xi_j = 0 for every neuron in every trial: hidden weights stay as they are, the rest of the rule goes on.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.EProp(third_factor=snn.Zero())
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['second_to_output']
    """

    name: ClassVar[str] = "zero"

    def kind(self, context: Context, population: str) -> SignalKind:
        return SignalKind("zero", "trial")

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray]:
        return {name: np.zeros(record.network.populations[name].size) for name in context.targets}

    def compiled_signal(
        self,
        trials: Trials,
        context: Context,
        state: State,
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> CompiledSignal:
        return CompiledSignal({name: np.zeros(context.network.populations[name].size) for name in context.targets})
