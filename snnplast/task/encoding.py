r"""Values in [0, 1] to spikes: at random, or evenly spaced.

Random spikes are those of a Poisson process along a line: every cell, a neuron in a step with spike probability p, has
a stretch of length h = -log(1 - p) on it, and spikes if any event of the process, of rate 1, falls into its stretch:
probability 1 - exp(-h) = p, whatever happens in others. Where values do not change, time is that of the events, not of
the cells. Distances between events are -log(1 - u) of uniform numbers u, put together from additions, multiplications
and one division, all of which numpy and C++ round alike: both give the same spikes, bit for bit.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import numpy as np

from snnplast.native.functions import functions
from snnplast.random_streams import Uniforms

_HERE = Path(__file__).parent


def poisson(
    values: np.ndarray, steps: int, peak: float, random: Uniforms, compiled: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    r"""Independent spikes with probability values * peak in each step.

    values: (n,) or (steps, n), each in [0, 1]. peak: probability of a spike per step at value 1, in (0, 1].
    compiled: by C++ code, otherwise by numpy; both find the same spikes, and use the same numbers.
    Returns steps and indices, int64, sorted by step, then index; no neuron spikes twice in one step.

    >>> poisson(np.array([0.0, 1.0]), 3, 1.0, Uniforms(seed=1))
    (array([0, 1, 2]), array([1, 1, 1]))
    """
    return (_compiled if compiled else _by_numpy)(values, steps, peak, random)


def _by_numpy(values: np.ndarray, steps: int, peak: float, random: Uniforms) -> tuple[np.ndarray, np.ndarray]:
    n, constant = values.shape[-1], values.ndim == 1
    probability = np.ascontiguousarray(values, dtype=float).ravel() * peak
    if not probability.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    certain = probability >= 1
    hazard = minus_log(1.0 - np.where(certain, 0.0, probability))
    ends = np.cumsum(hazard * (float(steps) if constant else 1.0))
    events = _events(ends[-1], random)
    cell = np.searchsorted(ends, events, side="right")
    sure = np.flatnonzero(certain)
    if not constant:
        step, index = np.divmod(np.union1d(cell, sure), n)
        return step, index
    begins = np.where(cell > 0, ends[cell - 1], 0.0)
    step = np.minimum(((events - begins) / hazard[cell]).astype(np.int64), steps - 1)
    places = np.union1d(step * n + cell, (np.arange(steps)[:, None] * n + sure).ravel())
    step, index = np.divmod(places, n)
    return step, index


def _events(end: float, random: Uniforms) -> np.ndarray:
    """Where on a line up to `end` the events of a Poisson process of rate 1 are, ascending."""
    count = int(end + 5 * np.sqrt(end) + 10)
    while True:
        places = np.cumsum(minus_log(1.0 - random.peek(count)))
        if places[-1] >= end:
            inside = int(np.searchsorted(places, end))
            random.use(inside + 1)
            return places[:inside]
        count *= 2


_ODD = (0.66666666666667351, 0.28571428743662391, 0.18183572162161805, 0.14798198605116586)
_EVEN = (0.39999999999409419, 0.22222198432149784, 0.15313837699209373)


def minus_log(u: np.ndarray) -> np.ndarray:
    """-log(u) for u in [2^-53, 1], to 1e-16 of what it is or of 1, whichever is more.

    u = 2^k m with m from sqrt(1/2) to sqrt(2); with f = m - 1 and s = f / (2 + f), log m = 2 artanh s = f - (f^2/2 -
    s (f^2/2 + R)), where R is a polynomial in s^2 (the approximation of the C library that came with BSD).
    """
    m, k = np.frexp(u)
    low = m < 0.70710678118654752440
    m, k = np.where(low, m + m, m), k - low
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (_ODD[0] + w * (_ODD[1] + w * (_ODD[2] + w * _ODD[3])))
    even = w * (_EVEN[0] + w * (_EVEN[1] + w * _EVEN[2]))
    half = 0.5 * f * f
    return (half - s * (half + (odd + even))) - f - k * 0.69314718055994530942


def _compiled(values: np.ndarray, steps: int, peak: float, random: Uniforms) -> tuple[np.ndarray, np.ndarray]:
    values, draw = np.ascontiguousarray(values, dtype=float), _functions()
    position = ctypes.c_int64(random.position)
    given = values.ctypes.data, values.ndim == 1, steps, values.shape[-1], peak
    count = draw.poisson_draw(*given, random.key.ctypes.data, random.counter.ctypes.data, ctypes.byref(position))
    random.use(position.value - random.position)
    found = np.empty((2, count), np.int64)
    draw.poisson_take(found.ctypes.data, found[1].ctypes.data if count else None)
    return found[0], found[1]


def headers() -> dict[str, str]:
    """The C++ form by path, for a library that calls it: `#include "poisson.h"`."""
    return {"poisson.h": (_HERE / "poisson.h").read_text()}


@functools.cache
def _functions() -> Any:
    library = functions({**headers(), "encoding.cpp": (_HERE / "encoding.cpp").read_text()}, "encoding.cpp")
    whole, address = ctypes.c_int64, ctypes.c_void_p
    library.poisson_draw.argtypes = (address, whole, whole, whole, ctypes.c_double, address, address, address)
    library.poisson_draw.restype = whole
    library.poisson_take.argtypes, library.poisson_take.restype = (address, address), None
    return library


def regular(values: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spaced spikes: of a neuron with value v, v * steps of them up to rounding, the same ones every time.

    values: (n,), each in [0, 1]. A neuron spikes in step s where floor(v (s + 1) + 1/2) exceeds floor(v s + 1/2).
    Returns steps and indices, int64, sorted by step, then index.

    >>> regular(np.array([1.0, 0.5, 0.0]), 4)
    (array([0, 0, 1, 2, 2, 3]), array([0, 1, 0, 0, 1, 0]))
    """
    passed = np.floor(np.arange(steps + 1)[:, None] * values + 0.5)
    step, index = np.nonzero(passed[1:] > passed[:-1])
    return step, index
