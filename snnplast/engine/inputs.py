"""What crosses the border into an engine, checked before anything is written.

The generated C++ trusts its arrays: an index out of range or two spikes of one neuron in
one step would overrun them and corrupt the heap. So every array is checked here, once,
for both engines, and a mistake ends in one sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike

from snnplast.engine.events import Events
from snnplast.errors import UserError, unknown

LAST_STEP = 2**31 - 2
"""Brian2 counts steps of a spike generator in 32 bits."""


def check_state(given: Mapping[str, np.ndarray], mine: Mapping[str, np.ndarray]) -> None:
    """Raise `UserError` for the state of an engine of another network."""
    for name in sorted(given.keys() ^ mine.keys()):
        raise UserError(f"restore: the state is that of another network: {name!r} is in one of them only")
    for name, values in mine.items():
        there, on_their_way = given[name], name.startswith("in flight/")
        fits = there.shape[1:] == (2,) if on_their_way else there.shape == values.shape
        if not fits or there.dtype != values.dtype:
            raise UserError(
                f"restore: the state is that of another network: {name!r} is {there.dtype} {there.shape}, here "
                f"{values.dtype} {values.shape}"
            )


class SpikeInput:
    """The spikes handed over for one source since the last reset, sorted by step, then neuron.

    Attributes
    ----------
    events : int32 steps and indices; each (step, index) occurs once.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.events = Events(np.int32)
        self.clear()

    def add(self, steps: ArrayLike, indices: ArrayLike, now: int) -> None:
        """Add spikes at `steps` (not before `now`) of neurons `indices`: appended, where none is earlier than the last.

        Otherwise they are merged with those that are not earlier than the first of them.
        """
        steps = _integers(f"set_spikes('{self.name}'): steps", steps)
        indices = _integers(f"set_spikes('{self.name}'): indices", indices)
        if steps.shape != indices.shape:
            raise UserError(
                f"set_spikes('{self.name}'): {len(steps)} steps but {len(indices)} indices; give one step per index"
            )
        if not len(steps):
            return
        # One look at each array: seen as unsigned, a negative number is too large as well.
        if indices.view(np.uint64).max() >= self.size:
            self._check_range("index", indices, 0, self.size - 1)
        if steps.view(np.uint64).max() > LAST_STEP or steps[0] < now:
            self._check_range("step", steps, now, LAST_STEP)
        # One integer per spike: sorting and looking for twins are then a single pass each.
        keys = steps * self.size + indices
        if keys[0] <= self._last or (keys[1:] <= keys[:-1]).any():
            self._check_range("step", steps, now, LAST_STEP)
            keys = self._merged(keys, int(steps.min()))
            steps, indices = np.divmod(keys, self.size)
        self.events.append(steps, indices)
        self._last = int(keys[-1])

    def clear(self) -> None:
        self.events.clear()
        self._last = -1

    def _merged(self, keys: np.ndarray, first: int) -> np.ndarray:
        """Keys of these spikes and of those from step `first` on that are there, which are taken out."""
        kept = int(np.searchsorted(self.events.steps, first))
        later = self.events.steps[kept:].astype(np.int64) * self.size + self.events.indices[kept:]
        keys = np.sort(np.concatenate((later, keys)))
        self._check_twins(keys)
        self.events.cut(kept)
        return keys

    def _check_twins(self, keys: np.ndarray) -> None:
        twin = np.flatnonzero(keys[1:] == keys[:-1])
        if len(twin):
            step, index = divmod(int(keys[twin[0]]), self.size)
            raise UserError(
                f"set_spikes('{self.name}'): neuron {index} spikes twice in step {step}; "
                "each neuron may spike once per step"
            )

    def _check_range(self, what: str, values: np.ndarray, low: int, high: int) -> None:
        smallest, largest = int(values.min()), int(values.max())
        if smallest < low or largest > high:
            wrong = smallest if smallest < low else largest
            reason = ", earlier ones have passed" if what == "step" and wrong < low else ""
            raise UserError(f"set_spikes('{self.name}'): {what} {wrong} is not in {low} to {high}{reason}")


def _integers(place: str, values: ArrayLike) -> np.ndarray:
    """A 1-D int64 array; a float is refused, because rounding steps or indices would hide a mistake."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise UserError(f"{place} must be one-dimensional, not of shape {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise UserError(f"{place} must be integers, not {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise UserError(f"{place} contain {array.max()}, which is too large")
    return array.astype(np.int64, copy=False)


def checked_series(name: str, values: ArrayLike, target: np.ndarray) -> np.ndarray:
    """A private, contiguous copy of `values` (rows, n) in the type of the variable it will be written to."""
    place = f"set_series('{name}')"
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] != target.size:
        raise UserError(f"{place}: values must have shape (rows, {target.size}), not {array.shape}")
    check_writable(place, array, target.dtype)
    return np.array(array, dtype=target.dtype, order="C")


def checked_initial(name: str, values: ArrayLike, target: np.ndarray) -> np.ndarray:
    """`values` (a number or one value per element) as they may be written to the variable's view."""
    place = f"initial['{name}']"
    array = np.asarray(values)
    if array.size != 1 and array.shape != target.shape:
        raise UserError(f"{place}: values must be one number or have shape {target.shape}, not {array.shape}")
    check_writable(place, array, target.dtype)
    return array.astype(target.dtype, copy=False).reshape(-1 if array.size == target.size else ())


def check_writable(place: str, array: np.ndarray, dtype: np.dtype) -> None:
    """Refuse values that the variable's type cannot hold, and numbers that are not finite."""
    if not np.can_cast(array.dtype, dtype, "same_kind") and not (dtype.kind == "f" and array.dtype.kind in "iub"):
        raise UserError(f"{place}: values of type {array.dtype} cannot be written to a variable of type {dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        wrong = array[~np.isfinite(array)].flat[0]
        raise UserError(f"{place}: values must be finite numbers, not {wrong}")


def checked_count(n: int) -> int:
    """A number of steps: an integer, not negative."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise UserError(f"steps({n!r}): the number of steps must be an integer of at least 0")
    return int(n)


def known(what: str, name: str, names: Collection[str]) -> None:
    """Raise unless `name` is among `names`; `what` opens the sentence."""
    if name not in names:
        raise UserError(unknown(what, name, names))
