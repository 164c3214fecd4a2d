"""Xor: two noisy bits, on/off coded, the smallest task that no linear readout of the input solves."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.models.feed_forward import FeedForward
from snnplast.network import Network
from snnplast.task import SOURCES, Classification, Task, stream


class Xor(FeedForward):
    """900 training and 100 test points around the corners of the unit square; class 1 where the bits differ.

    A point (u, u') drives channels (u, u', 1-u, 1-u'), each `copies` times. noise: standard deviation around a corner.
    """

    name: ClassVar[str] = "xor"

    copies: Annotated[int, Field(ge=1, description="input neurons per channel")] = 10
    noise: Annotated[float, Field(ge=0, description="standard deviation around a corner")] = 0.1

    def network(self) -> Network:
        return self.layers(inputs=4 * self.copies, classes=2)

    def task(self, seed: int) -> Task:
        rng = stream(seed, SOURCES, 3)
        corner = rng.integers(2, size=(1000, 2))
        u = np.clip(corner + self.noise * rng.standard_normal(corner.shape), 0, 1)
        labels = corner[:, 0] ^ corner[:, 1]
        x = np.repeat(np.hstack([u, 1 - u]), self.copies, axis=1)
        return Classification(x[:900], labels[:900], x[900:], labels[900:], steps=self.steps, seed=seed)
