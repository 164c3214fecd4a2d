"""Histories that are too large to be kept: from states on the way their steps are taken again, the last ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from snnplast.engine.library import Library

KEPT = 1 << 29
"""Bytes of histories that an engine keeps as a whole where blocks of steps would do."""

BLOCK = 64
"""Steps between two states, which are taken again at once."""


class Again:
    """States on the way through a trial, and the histories of one block of steps.

    rows: variable -> number of its history, and its rows (0, n). copied, put_back: the state of the network, as it is.
    kept: steps whose histories the engine keeps. Beyond them memory is that of `BLOCK` steps of the histories, and of
    one state for as many steps: of 100,000 LIF neurons 51 MB, and 2 MB for every 64 steps.
    """

    def __init__(
        self,
        library: Library,
        rows: Mapping[str, tuple[int, np.ndarray]],
        copied: Callable[[], Any],
        put_back: Callable[[Any], None],
    ) -> None:
        self._library, self._rows, self._copied, self._put_back = library, rows, copied, put_back
        self._room: dict[str, np.ndarray] = {}
        self._states: list[tuple[int, Any]] = []
        self._held = -1  # first step of the block whose histories are there
        each = sum(own.shape[1] * own.itemsize for _, own in rows.values())
        self.kept = KEPT // each if each else 1 << 62

    def forget(self) -> bool:
        """Time begins anew; whether there was anything to forget."""
        known, self._held = bool(self._states), -1
        self._states.clear()
        return known

    def go_on(self, now: int, begins: bool) -> int:
        """Before steps that are not kept. begins: whether somebody may have written to the network.

        Returns how many steps may be taken.
        """
        if begins or not self._states or now >= self._states[-1][0] + BLOCK:
            self._states.append((now, self._copied()))
            self._make_room(now)
        return self._states[-1][0] + BLOCK - now

    def _make_room(self, first: int) -> None:
        self._held = first
        for name, (number, own) in self._rows.items():
            room = self._room.setdefault(name, np.empty((0, own.shape[1]), own.dtype))
            if not len(room):
                room = self._room[name] = np.empty((BLOCK, own.shape[1]), own.dtype)
            self._library.set_history(number, room.ctypes.data - first * room.strides[0], first + BLOCK)

    def backwards(self, name: str, now: int, steps: int) -> Iterator[tuple[int, np.ndarray]]:
        """The blocks that are not kept; now: steps taken so far."""
        ends = [first for first, _ in self._states[1:]] + [now]
        blocks = [(first, end, state) for (first, state), end in zip(self._states, ends, strict=True) if first < steps]
        here = None
        try:
            for first, end, state in reversed(blocks):
                if self._held != first:
                    here = self._copied() if here is None else here
                    self._put_back(state)
                    self._make_room(first)
                    self._library.checked(self._library.again(first, end - first))
                yield first, self._room[name][: min(end, steps) - first]
        finally:
            if here is not None:
                self._put_back(here)
                self._library.checked(self._library.again(now, 0))
