"""Stages of a trial in compiled code, and what may stand for what.

A batch of trials can run in one call without the interpreter where each part of a trial has a compiled form. What a
part does is defined by its Python form; its compiled form computes the same bits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Address = int


class Stage(NamedTuple):
    """A function `int64_t run(void* data, int64_t trial)` of stage.h, and its data, which is kept alive here."""

    function: Address
    data: ctypes.Structure
    held: tuple[Any, ...] = ()


class Fired(ctypes.Structure):
    """The spikes of a population in the present trial."""

    _fields_ = (("steps", ctypes.c_void_p), ("indices", ctypes.c_void_p), ("count", ctypes.c_int64))


class Shown(ctypes.Structure):
    """Values of the trials of a call: a table with where those of each are, which is another one in each call."""

    _fields_ = (("values", ctypes.c_void_p),)


def header() -> dict[str, str]:
    """`#include "stage.h"`, for a library with stages of its own."""
    return {"stage.h": Path(__file__).with_name("stage.h").read_text()}


def address(function: Any) -> Address:
    """Where a function of a loaded library is."""
    found = ctypes.cast(function, ctypes.c_void_p).value
    assert found is not None
    return found


def place(array: np.ndarray | None) -> Address | None:
    """Where an array is, None for none. It must be contiguous, and its owner keep it alive."""
    if array is None:
        return None
    assert array.flags.c_contiguous
    return array.__array_interface__["data"][0]


def addresses(arrays: Sequence[np.ndarray]) -> ctypes.Array[ctypes.c_void_p]:
    """A table of where arrays are."""
    return (ctypes.c_void_p * len(arrays))(*map(place, arrays))


def stands(kind: type, definition: str, form: str) -> bool:
    """Whether the compiled form that a class has is that of its Python form: one class defines both.

    A class that derives from another and changes the definition has no compiled form until it has its own.

    >>> class Base:
    ...     def judge(self): ...
    ...     def compiled(self): ...
    >>> class Own(Base):
    ...     def judge(self): ...
    >>> stands(Base, "judge", "compiled"), stands(Own, "judge", "compiled")
    (True, False)
    """
    return _defining(kind, definition) is _defining(kind, form)


def _defining(kind: type, name: str) -> type | None:
    return next((each for each in kind.__mro__ if name in vars(each)), None)
