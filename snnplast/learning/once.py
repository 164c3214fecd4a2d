"""Gradients of what acts, or is known, once per trial, as stages of trials that run in one call: see once.h."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snnplast.learning.capabilities import Pulled, ReadOnce
from snnplast.learning.sums import Sums, SumsData
from snnplast.native.functions import functions
from snnplast.native.stage import Fired, Stage, address, header, place
from snnplast.network.projection import Wiring

_HERE = Path(__file__).parent
_P, _L, _D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


class _Projection(ctypes.Structure):
    _fields_ = (("pre", _P), ("post", _P), ("u", _P))


class _Readout(ctypes.Structure):
    _fields_ = (("n_projections", _L), ("projections", _P), ("error", _P), ("divisor", _D), ("sums", SumsData))


class _Homeostasis(ctypes.Structure):
    _fields_ = (("fired", _P), ("rate", _D), ("duration", _D), ("target", _D), ("sums", SumsData))


class ReadOnceTrials(Sums):
    """Gradients of weights onto a readout that acts once per trial, and of its bias.

    carried: 'population.variable' of a projection's source -> where it is, (n,). error: (n,), where it will be.
    """

    def __init__(
        self,
        read: ReadOnce,
        wiring: Mapping[str, Wiring],
        carried: Mapping[str, np.ndarray],
        error: np.ndarray,
        chunk: int,
    ) -> None:
        bias = {f"{read.target}.bias": error.size} if read.biased else {}
        super().__init__({name: wiring[name].post.size for name, _ in read.projections} | bias, chunk)
        rows: Sequence[tuple[np.ndarray, ...]] = [
            (wiring[name].pre, wiring[name].post, carried[variable]) for name, variable in read.projections
        ]
        table = (_Projection * len(rows))(*(_Projection(*map(place, row)) for row in rows))
        data = _Readout(len(rows), ctypes.addressof(table), place(error), read.divisor, self.data)
        self.stage = Stage(address(_library().read_out), data, (table, rows, error, self))


class PulledTrials(Sums):
    """Gradients that hold firing rates. fired: spikes of the population. duration: of a trial, s. size: neurons."""

    def __init__(self, pulled: Pulled, fired: Fired, duration: float, size: int, chunk: int) -> None:
        super().__init__({pulled.parameter: size}, chunk)
        data = _Homeostasis(ctypes.addressof(fired), pulled.rate, duration, pulled.goal, self.data)
        self.stage = Stage(address(_library().pull), data, (fired, self))


@functools.cache
def _library() -> Any:
    files = {name: (_HERE / name).read_text() for name in ("once.cpp", "once.h", "sums.h")}
    return functions({**header(), **files}, "once.cpp")
