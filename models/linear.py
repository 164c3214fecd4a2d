"""Linear: on which side of a line a point lies, on/off coded; few hidden neurons need to learn where the line is."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from snnplast.models.plane import Plane


class Linear(Plane):
    """900 training and 100 test points of the unit square; class 1 on one side of a random line through its middle.

    A point (u, u') drives channels (u, u', 1-u, 1-u'), each `copies` times. The seed draws the line and the points.
    """

    name: ClassVar[str] = "linear"

    def points(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        u, normal = rng.random((count, 2)), rng.normal(size=2)
        return u, ((u - 0.5) @ normal > 0).astype(int)
