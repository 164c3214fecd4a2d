"""Random choices out of many, at the cost of what is chosen."""

from __future__ import annotations

import math

import numpy as np


def occupied(rng: np.random.Generator, probability: float, cells: int) -> np.ndarray:
    """Which of 0..cells-1 are occupied, each independently with `probability` in (0, 1]: int64, ascending.

    Drawn by the geometric distances between them.
    """
    expected = cells * probability
    count = int(expected + 5 * math.sqrt(expected) + 10)
    places = _gaps(rng, probability, count, cells).cumsum()
    places -= 1
    while places[-1] < cells:
        more = _gaps(rng, probability, count // 4 + 10, cells)
        places = np.concatenate([places, places[-1] + np.cumsum(more)])
    return places[: places.searchsorted(cells)]


def _gaps(rng: np.random.Generator, probability: float, count: int, cells: int) -> np.ndarray:
    """Distances between places; those that reach beyond the last cell are cut, so that their sum cannot overflow."""
    return np.minimum(rng.geometric(probability, count), cells + 1)


def distinct(rng: np.random.Generator, n: int, k: int, rows: int) -> np.ndarray:
    """For each row k different numbers of 0..n-1, every set equally likely: int32 (rows, k), ascending.

    What came twice is drawn again. No set of k is favoured, because neither drawing nor stopping looks at which
    numbers they are. Of more than half of all numbers, those left out are drawn instead.
    """
    if 2 * k > n:
        kept = np.ones((rows, n), dtype=bool)
        kept[np.arange(rows)[:, None], distinct(rng, n, n - k, rows)] = False
        return np.nonzero(kept)[1].reshape(rows, k).astype(np.int32)
    chosen = np.sort(rng.integers(n, size=(rows, k), dtype=np.int32), axis=1)
    open_rows = np.arange(rows)
    while open_rows.size:
        now = chosen[open_rows]
        twin = now[:, 1:] == now[:, :-1]
        again = np.any(twin, axis=1)
        open_rows, now, twin = open_rows[again], now[again], twin[again]
        now[:, 1:][twin] = rng.integers(n, size=np.count_nonzero(twin), dtype=np.int32)
        chosen[open_rows] = np.sort(now, axis=1)
    return chosen
