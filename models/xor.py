"""Xor: two noisy bits, on/off coded, the smallest task that no linear readout of the input solves."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.models.plane import Plane


class Xor(Plane):
    """900 training and 100 test points around the corners of the unit square; class 1 where the bits differ.

    A point (u, u') drives channels (u, u', 1-u, 1-u'), each `copies` times. noise: standard deviation around a corner.
    """

    name: ClassVar[str] = "xor"

    noise: Annotated[float, Field(ge=0, description="standard deviation around a corner")] = 0.1

    def points(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        corner = rng.integers(2, size=(count, 2))
        u = np.clip(corner + self.noise * rng.standard_normal(corner.shape), 0, 1)
        return u, corner[:, 0] ^ corner[:, 1]
