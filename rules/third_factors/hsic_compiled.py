"""The compiled form of the HSIC signal: see hsic.h."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnplast.learning import State
from snnplast.native.functions import functions

if TYPE_CHECKING:
    from snnplast.rules.third_factors.hsic import HSIC

_HERE = Path(__file__).parent
_P, _L, _D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


class Window(ctypes.Structure):
    """The window of samples, in the state of a source. means: room for (n + 1,)."""

    _fields_ = (
        *(("n", _L), ("inputs", _L), ("classes", _L), ("gamma", _D), ("sigma_x", _D), ("sigma_y", _D)),
        *(("x", _P), ("y", _P), ("kernel", _P), ("means", _P), ("seen", _P)),
    )

    @classmethod
    def of(cls, factor: HSIC, state: State, means: np.ndarray) -> Window:
        """That of a source, whose arrays its owner keeps alive."""
        sizes = factor.window, state["x"].shape[1], state["y"].shape[1]
        places = (array.ctypes.data for array in (state["x"], state["y"], state["kernel"], means, state["seen"]))
        return cls(*sizes, factor.gamma, factor.sigma_x, factor.sigma_y, *places)


class Layer(ctypes.Structure):
    """Remembered representations of a layer, and where its signal goes."""

    _fields_ = (("size", _L), ("sigma", _D), ("reference", _L), ("z", _P), ("xi", _P))

    @classmethod
    def of(cls, factor: HSIC, z: np.ndarray, xi: np.ndarray) -> Layer:
        """z: (n, size), xi: (size,); their owner keeps them alive."""
        return cls(xi.size, factor.sigma_z, factor.xi == "reference", z.ctypes.data, xi.ctypes.data)


def signals(factor: HSIC, x: np.ndarray, y: np.ndarray, z: Mapping[str, np.ndarray], state: State) -> State | None:
    """Put a sample in the window; layer -> xi (n,), None until it is full.

    x, y: as in hsic.py. z: of each layer what is remembered (N, n), with that of this sample in its place.
    """
    x, y = np.ascontiguousarray(x, dtype=float), np.ascontiguousarray(y, dtype=float)
    means, found = np.empty(factor.window + 1), {name: np.empty(seen.shape[1]) for name, seen in z.items()}
    window = Window.of(factor, state, means)
    layers = (Layer * len(z))(*(Layer.of(factor, z[name], xi) for name, xi in found.items()))
    ready = library().hsic_signals(ctypes.byref(window), x.ctypes.data, y.ctypes.data, len(z), layers)
    return found if ready else None


def headers() -> dict[str, str]:
    """For a library that learns by HSIC: `#include "hsic.h"`."""
    return {"hsic.h": (_HERE / "hsic.h").read_text()}


@functools.cache
def library() -> Any:
    """The functions, compiled."""
    found = functions({**headers(), "hsic.cpp": (_HERE / "hsic.cpp").read_text()}, "hsic.cpp")
    found.hsic_signals.argtypes, found.hsic_signals.restype = (_P, _P, _P, _L, _P), _L
    return found
