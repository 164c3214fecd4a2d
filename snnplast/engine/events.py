"""Spikes in the order of their steps, kept so that adding some costs what is added."""

from __future__ import annotations

import numpy as np


class Events:
    """Steps and indices of spikes, ascending by step.

    `steps` and `indices` are views of what is there so far. They stay as they are when more is appended, and after
    `clear`, which starts new buffers.
    """

    def __init__(self, dtype: type[np.signedinteger]) -> None:
        self._dtype = dtype
        self.clear()

    def clear(self) -> None:
        self._steps = self._indices = np.empty(0, self._dtype)
        self._addresses: tuple[int, int] | None = None
        self.count = 0

    @property
    def addresses(self) -> tuple[int, int]:
        """Of both buffers, until more is added."""
        if self._addresses is None:
            self._addresses = self._steps.ctypes.data, self._indices.ctypes.data
        return self._addresses

    @property
    def steps(self) -> np.ndarray:
        return self._steps[: self.count]

    @property
    def indices(self) -> np.ndarray:
        return self._indices[: self.count]

    def room(self, more: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps and indices of `more` further spikes, to be filled in at once. Buffers grow by doubling."""
        first, self.count = self.count, self.count + more
        if self.count > self._steps.size:
            length = max(self.count, 2 * self._steps.size)
            self._steps, self._indices = (_longer(old, first, length) for old in (self._steps, self._indices))
            self._addresses = None
        return self._steps[first : self.count], self._indices[first : self.count]

    def append(self, steps: np.ndarray | int, indices: np.ndarray) -> None:
        """Add spikes that are not earlier than the last one. steps: one each, or one for all."""
        own_steps, own_indices = self.room(indices.size)
        own_steps[:], own_indices[:] = steps, indices

    def cut(self, count: int) -> None:
        """Forget all but the first `count`, for others in their place: views of the rest hold no longer."""
        self.count = count


def _longer(values: np.ndarray, used: int, length: int) -> np.ndarray:
    longer = np.empty(length, values.dtype)
    longer[:used] = values[:used]
    return longer
