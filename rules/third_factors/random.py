"""Random: noise instead of a signal, the control for effects of mere change."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnplast.learning import Context, State
from snnplast.random_streams import stream
from snnplast.rules.third_factors.layerwise import LayerwiseFactor
from snnplast.task import Record


class Random(LayerwiseFactor):
    """xi_j ~ N(0, 1), independent over neurons and trials, then the same transforms as a real signal.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.IBHebbian(third_factor=snn.Random())
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=2, engine="runtime")) as sim:
    ...     for _ in range(2):
    ...         before, _ = sim.snapshot()["input_to_first"], sim.update()
    ...         print(bool((sim.weights["input_to_first"] != before).any()), end=" ")
    True True
    """

    name: ClassVar[str] = "random"

    def raw(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        return {name: self._noise(record, name) for name in context.targets}

    def _noise(self, record: Record, population: str) -> np.ndarray:
        rng = stream(record.seed, "random", population, record.index)
        return rng.standard_normal(record.network.populations[population].size)
