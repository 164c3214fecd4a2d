"""Values that users hand over, checked in the terms they were given in: none is rounded, cast or guessed.

Every check returns the value as an array of the type it is used in, exactly what was given, or raises `UserError` with
the place, the value and what is allowed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from snnplast.errors import UserError, short

BLOCK = 1 << 20
"""Entries that are looked at together: a check of a memory-mapped array needs no memory of its size."""


def reals(place: str, value: Any, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Finite real numbers of any shape within [low, high]; floats stay of their precision, integers become float64.

    Integers and booleans count as the numbers they are. No copy is made of an array of floats.
    """
    array = as_array(place, value)
    if array.size and array.dtype.kind not in "biuf":
        raise UserError(f"{_at(place)}real numbers are needed, not {_kind(array)}")
    lowest, highest = _span(place, array)
    if (low is not None and lowest < low) or (high is not None and highest > high):
        raise UserError(f"{_at(place)}values {_range(low, high)}, these span {lowest:g} to {highest:g}")
    return array if array.dtype.kind == "f" else np.asarray(array, dtype=float)


def integers(place: str, value: Any, low: int | None = None, high: int | None = None) -> np.ndarray:
    """Integers of any shape within [low, high], as int64. Floats are no integers, whatever their value."""
    array = as_array(place, value)
    if array.size and array.dtype.kind not in "iu":
        raise UserError(f"{_at(place)}integers are needed, not {_kind(array)}")
    if array.size:
        lowest, highest = int(array.min()), int(array.max())
        most = np.iinfo(np.int64).max if high is None else high
        if (low is not None and lowest < low) or highest > most:
            raise UserError(f"{_at(place)}integers {_range(low, high)}, these span {lowest} to {highest}")
    return np.asarray(array, dtype=np.int64)


def count(place: str, value: Any, low: int = 1) -> int:
    """One integer of at least `low`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < low:
        raise UserError(f"{place} = {value!r}: an integer of at least {low} is needed")
    return int(value)


def shaped(place: str, array: np.ndarray, *allowed: tuple[int, ...]) -> np.ndarray:
    """The array, if it has one of the shapes allowed."""
    if array.shape not in allowed:
        raise UserError(f"{place} has shape {array.shape}; allowed are {' and '.join(map(str, allowed))}")
    return array


def as_array(place: str, value: Any, text: bool = False) -> np.ndarray:
    """What was given as an array of its own type: no masked entries, no units, no ragged lists, no objects.

    text: whether text is allowed.
    """
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise UserError(
                f"{_at(place)}{np.ma.count_masked(value)} of {value.size} values are masked; all are needed"
            )
        value = value.data
    if getattr(value, "dim", None) is not None and not value.dim.is_dimensionless:
        raise UserError(f"{_at(place)}numbers without a unit are needed, not {short(value)}")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise UserError(f"{_at(place)}an array of numbers is needed, not {short(value)}") from error
    if array.dtype.kind in ("OSVmM" if text else "OSUVmM"):
        raise UserError(f"{_at(place)}numbers are needed, not {_kind(array)}")
    return array


def _at(place: str) -> str:
    """How a sentence about a place begins; without one, somebody else names it."""
    return f"{place}: " if place else ""


def _span(place: str, array: np.ndarray) -> tuple[float, float]:
    """Smallest and largest entry; (inf, -inf) where there is none. What is not finite is refused."""
    lowest, highest = np.inf, -np.inf
    for block in _blocks(array):
        low, high = float(np.minimum.reduce(block, axis=None)), float(np.maximum.reduce(block, axis=None))
        if not (math.isfinite(low) and math.isfinite(high)):
            wrong = block[~np.isfinite(block)].flat[0]
            raise UserError(f"{_at(place)}finite numbers are needed, not {wrong}")
        lowest, highest = min(lowest, low), max(highest, high)
    return lowest, highest


def _blocks(array: np.ndarray) -> Any:
    if array.ndim == 0 or array.size <= BLOCK:
        return [array] if array.size else []
    rows = max(1, BLOCK * len(array) // array.size)
    return (array[k : k + rows] for k in range(0, len(array), rows))


def _kind(array: np.ndarray) -> str:
    names = {"b": "booleans", "f": "floating-point numbers", "c": "complex numbers", "U": "text", "S": "bytes"}
    return f"{names.get(array.dtype.kind, str(array.dtype))} ({short(array)})" if array.size else str(array.dtype)


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return "below 2**63 are allowed" if low is None else f"of at least {low:g} are allowed"
    return f"of at most {high:g} are allowed" if low is None else f"must lie in [{low:g}, {high:g}]"
