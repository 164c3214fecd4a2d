"""Synthetic streams: random classes seen by random encoders, for training a reservoir before it meets a task."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from snnplast.random_streams import stream

CENTRES, DIMENSIONS, SPREAD, NOISE = 2, 10, 0.3, 0.3


class Streams:
    r"""Iterates over (x, y, z) of each stream: x (length, 10), y (length, C) one-hot, z (length, D).

    A class has two centres N(0, 1) in 10 dimensions; x scatters around one by 0.3. A random encoder
    h = max(0, A x) + 0.3 noise, A ~ N(0, 1/10), normalised over the layer, gives z. Stream k of a seed and an
    owner, the layer that learns from it, is a pure function of the three, so iterating again gives the same streams.
    """

    def __init__(self, count: int, length: int, classes: int, size: int, seed: int, owner: str) -> None:
        self.count, self.length, self.classes, self.size, self.seed = count, length, classes, size, seed
        self.owner = owner

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        return (self[k] for k in range(self.count))

    def __getitem__(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = stream(self.seed, "lessons", self.owner, k)
        centres = rng.standard_normal((self.classes, CENTRES, DIMENSIONS))
        encoder = rng.standard_normal((DIMENSIONS, self.size)) / np.sqrt(DIMENSIONS)
        label = rng.integers(self.classes, size=self.length)
        which = rng.integers(CENTRES, size=self.length)
        x = centres[label, which] + SPREAD * rng.standard_normal((self.length, DIMENSIONS))
        h = np.maximum(0, x @ encoder) + NOISE * rng.standard_normal((self.length, self.size))
        z = (h - h.mean(axis=1, keepdims=True)) / h.std(axis=1, keepdims=True)
        return x, np.eye(self.classes)[label], z
