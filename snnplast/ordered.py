"""Sums in the order of their terms: what a plain loop gives in any language, bit for bit."""

from __future__ import annotations

import numpy as np


def total(values: np.ndarray) -> float:
    """Sum of (n,), n >= 1, from the first to the last. `numpy.sum` adds in pairs, in an order of its own.

    >>> total(np.array([1.0, 1e16, -1e16]))
    0.0
    """
    return float(values.cumsum()[-1])


def mean(values: np.ndarray) -> float:
    """Mean of (n,), n >= 1, by that sum.

    >>> mean(np.array([1.0, 2.0, 6.0]))
    3.0
    """
    return total(values) / values.size
