"""Objectives in compiled form: see judge.h."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import numpy as np

from snnplast.native.functions import functions

_HERE = Path(__file__).parent
_P, _L = ctypes.c_void_p, ctypes.c_int64


class Judged(ctypes.Structure):
    """What is judged, and where the judgement goes."""

    _fields_ = (
        *(("rows", _L), ("k", _L), ("y", _P), ("target", _P), ("target_step", _L), ("n_stretches", _L)),
        *(("stretches", _P), ("error", _P), ("wanted", _P), ("answered", _P)),
    )


def judged(
    form: str, y: np.ndarray, target: np.ndarray, stretches: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Error (T, n), loss, wanted and answered (stretches,) of the steps of a window. form: name of the function."""
    step = 0 if target.strides[0] == 0 else target.shape[1]
    y, target = (np.ascontiguousarray(rows, dtype=float) for rows in (y, target[:1] if step == 0 else target))
    error, choices = np.empty(y.shape), np.empty((2, stretches.size), np.int64)
    places = (array.ctypes.data for array in (stretches, error, *choices))
    data = Judged(*y.shape, y.ctypes.data, target.ctypes.data, step, stretches.size, *places)
    loss = getattr(judges(), form)(ctypes.byref(data))
    return error, loss, choices[0], choices[1]


def headers() -> dict[str, str]:
    """For a library that judges: `#include "judge.h"`."""
    return {"judge.h": (_HERE / "judge.h").read_text()}


@functools.cache
def judges() -> Any:
    """The functions by name: `double judge(const Judged*)`."""
    library = functions({**headers(), "judge.cpp": (_HERE / "judge.cpp").read_text()}, "judge.cpp")
    for function in (library.squared_error, library.cross_entropy):
        function.argtypes, function.restype = (_P,), ctypes.c_double
    return library
