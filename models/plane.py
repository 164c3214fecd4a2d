"""What the tasks in the unit square share: two classes of points, on/off coded."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from snnplast.models.feed_forward import FeedForward
from snnplast.network import Network
from snnplast.random_streams import stream
from snnplast.task import Classification, Task

TRAINING, TESTS = 900, 100


class Plane(FeedForward):
    """900 training and 100 test points of the unit square, drawn from the seed.

    A point (u, u') drives channels (u, u', 1-u, 1-u').

    copies: input neurons per channel, default 10, >= 1.
    """

    copies: Annotated[int, Field(ge=1, description="input neurons per channel")] = 10

    def points(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Points (count, 2) in [0, 1] and their classes (count,), 0 or 1."""
        raise NotImplementedError

    def network(self) -> Network:
        return self.layers(inputs=4 * self.copies, classes=2)

    def task(self, seed: int) -> Task:
        u, labels = self.points(stream(seed, "samples", self.name), TRAINING + TESTS)
        x = np.repeat(np.hstack([u, 1 - u]), self.copies, axis=1)
        training, tests = slice(TRAINING), slice(TRAINING, None)
        return Classification(x[training], labels[training], x[tests], labels[tests], steps=self.steps, seed=seed)
