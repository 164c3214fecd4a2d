"""Gradients of trials that run in one call, summed: see sums.h."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import numpy as np

from snnplast.native.stage import addresses, place

_P, _L = ctypes.c_void_p, ctypes.c_int64


class SumsData(ctypes.Structure):
    """What sums.h is given."""

    _fields_ = (("chunk", _L), ("count", _L), ("outs", _P), ("sums", _P), ("totals", _P), ("sizes", _P))


class Sums:
    """Named arrays, each summed over the trials of a call: first in chunks, then over these.

    sizes: of the arrays. chunk: trials of a chunk.
    """

    def __init__(self, sizes: Mapping[str, int], chunk: int) -> None:
        self.names, self.chunk = list(sizes), chunk
        self._outs, self._sums, self._totals = ([np.empty(size) for size in sizes.values()] for _ in range(3))
        self._sizes = np.array([*sizes.values()], np.int64)
        self._tables = [addresses(arrays) for arrays in (self._outs, self._sums, self._totals)]
        self.data = SumsData(chunk, len(sizes), *map(ctypes.addressof, self._tables), place(self._sizes))

    @property
    def latest(self) -> dict[str, np.ndarray]:
        """Where the arrays of the present trial are, if each is a chunk of its own."""
        return dict(zip(self.names, self._sums, strict=True))

    def gathered(self, trials: int) -> dict[str, np.ndarray]:
        """Name -> the sum over all trials of the call: views, until the next one."""
        found = self._sums if trials < self.chunk else self._totals
        if trials % self.chunk and trials > self.chunk:
            for total, rest in zip(self._totals, self._sums, strict=True):
                total += rest
        return dict(zip(self.names, found, strict=True))
