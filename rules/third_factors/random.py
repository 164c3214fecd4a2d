"""Random: noise instead of a signal, the control for effects of mere change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from snnplast.rules.third_factors.layerwise import LayerwiseFactor
from snnplast.task import SOURCES, stream
from snnplast.third_factor import State
from snnplast.trial import Record


class Random(LayerwiseFactor):
    """xi_j ~ N(0, 1), independent over neurons and trials, then the same transforms as a real signal."""

    name: ClassVar[str] = "random"

    def raw(self, record: Record, targets: Sequence[str], state: State) -> dict[str, np.ndarray | None]:
        sizes = [record.network.populations[name].size for name in targets]
        rng = stream(record.seed, SOURCES, 2, record.index)
        return {name: rng.standard_normal(size) for name, size in zip(targets, sizes, strict=True)}
