"""Means of metrics over trials."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np


class Mean:
    """Weighted means of metrics; a value that is missing or not a number has no weight."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: defaultdict[str, float] = defaultdict(float)

    def add(self, metrics: Mapping[str, float], weight: float) -> None:
        for name, value in metrics.items():
            known = not math.isnan(value)
            self._sums[name] = self._sums.get(name, 0.0) + (weight * value if known else 0.0)
            self._weights[name] += weight * known

    def values(self) -> dict[str, float]:
        weights = self._weights
        return {name: total / weights[name] if weights[name] else np.nan for name, total in self._sums.items()}

    def text(self) -> str:
        """All of it, exactly."""
        return json.dumps({name: [float(total), float(self._weights[name])] for name, total in self._sums.items()})

    @classmethod
    def of(cls, text: str) -> Mean:
        """The one whose text this is."""
        mean = cls()
        for name, (total, weight) in json.loads(text).items():
            mean._sums[name], mean._weights[name] = total, weight
        return mean
