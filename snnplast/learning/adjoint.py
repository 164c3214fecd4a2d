"""The compiled form of the factored gradient: see adjoint.h for its equations."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snnplast.learning.chain import POINTS, ByParameter, Chain, Variable
from snnplast.native.functions import functions
from snnplast.native.stage import header

_HERE = Path(__file__).parent
_P, _L = ctypes.c_void_p, ctypes.c_int64


class HistoryData(ctypes.Structure):
    _fields_ = (("values", _P), ("single", _L))


class SignalData(ctypes.Structure):
    _fields_ = (("values", _P), ("decay", _P), ("feedback", _P), ("k", _L))


class SweepData(ctypes.Structure):
    _fields_ = (
        *(("steps", _P), ("indices", _P), ("count", _L), ("sources", _L), ("latency", _L), ("hollow", _L)),
        *(("starts", _P), ("post", _P), ("delays", _P), ("longest", _L), ("out", _P), ("variable", _L), ("gain", _P)),
    )


class _Entry(ctypes.Structure):
    _fields_ = (("row", _L), ("column", _L), ("values", HistoryData), ("stride", _L))


class _Entries(ctypes.Structure):
    _fields_ = (("entries", ctypes.POINTER(_Entry)), ("count", _L))


class _Rows(ctypes.Structure):
    _fields_ = (("rows", _P), ("count", _L))


class _Chain(ctypes.Structure):
    _fields_ = (
        ("size", _L),
        *((name, _Entries) for name in ("flow", "updates", "reset", "slope", "kicks")),
        *(("updated", _Rows), ("changed", _Rows), ("spiked", HistoryData)),
        *(("n_variables", _L), ("states", _P), ("points", _P), ("gates", _P)),
        *((f"by_{name}", _Entries) for name in ("slope", "reset", "updates", "flow")),
        *(("initial", _Entries), ("parameters", _P)),
    )


class Carried(NamedTuple):
    """A step signal: values (T, k), decay (k,) or None, feedback (k, n) or None."""

    values: np.ndarray
    decay: np.ndarray | None
    feedback: np.ndarray | None


class Sweep(NamedTuple):
    """Spikes of one projection's sources, and its synapses, by source, then target.

    hollow: all pairs but those of a neuron with itself are connected. starts (sources + 1,), post (synapses,): where
    only some are. delays: (synapses,) in steps, on top of the latency, or None. longest: of the delays.
    variable, gain: which variable of a chain spikes are added to, and what of it one unit of weight is, (n,).
    """

    steps: np.ndarray
    indices: np.ndarray
    sources: int
    synapses: int
    latency: int
    hollow: bool
    starts: np.ndarray | None
    post: np.ndarray | None
    delays: np.ndarray | None
    longest: int
    variable: int = 0
    gain: np.ndarray | None = None


class Held:
    """Arrays as a kernel takes them, kept alive during the call. shape: (T, n) of what changes from step to step."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.held: list[Any] = []

    def at(self, array: np.ndarray | None, dtype: Any = np.float64) -> int | None:
        """Address of an array of this type."""
        if array is None:
            return None
        self.held.append(np.ascontiguousarray(array, dtype=dtype))
        return self.held[-1].ctypes.data

    def history(self, array: np.ndarray | None) -> HistoryData:
        """An array in its own precision."""
        single = array is not None and array.dtype == np.float32
        return HistoryData(self.at(array, np.float32 if single else np.float64), single)

    def signals(self, signals: Sequence[Carried]) -> Any:
        """Table of step signals."""
        rows = (
            SignalData(self.at(s.values), self.at(s.decay), self.at(s.feedback), s.values.shape[1]) for s in signals
        )
        return (SignalData * len(signals))(*rows)

    def sweeps(self, sweeps: Sequence[Sweep], outs: Sequence[np.ndarray]) -> Any:
        """Table of projections, and where their gradients go."""
        return (SweepData * len(sweeps))(*map(self._sweep, sweeps, outs))

    def _sweep(self, s: Sweep, out: np.ndarray) -> SweepData:
        spikes = self.at(s.steps, np.int64), self.at(s.indices, np.int64), s.steps.size, s.sources, s.latency, s.hollow
        synapses = self.at(s.starts, np.int64), self.at(s.post, np.int32), self.at(s.delays, np.int32), s.longest
        return SweepData(*spikes, *synapses, self.at(out), s.variable, self.at(s.gain))

    def entries(self, entries: Sequence[tuple[int, int, np.ndarray]]) -> _Entries:
        """Entries of a matrix per neuron: constant, (n,), or one row for each step, (T, n); else a `ValueError`."""
        for _, _, values in entries:
            if values.shape not in (self.shape[1:], self.shape):
                raise ValueError(f"values {values.shape}: the shape {self.shape[1:]} or {self.shape} is needed")
        rows = (_Entry(r, c, self.history(v), v.shape[1] if v.ndim == 2 else 0) for r, c, v in entries)
        table = (_Entry * len(entries))(*rows)
        self.held.append(table)
        return _Entries(table, len(entries))

    def rows(self, rows: Iterable[int]) -> _Rows:
        """Numbers of rows."""
        numbers = np.array(sorted(rows), dtype=np.int64)
        return _Rows(self.at(numbers, np.int64), numbers.size)


Blocks = Iterable[tuple[int, np.ndarray]]
"""A history in blocks of steps, the last block first: (first step, rows (steps, n)). Rows are good until the next."""


def adjoint_gradient(
    psi: np.ndarray | Blocks | None,
    steps: int,
    trial: np.ndarray | None,
    signals: Sequence[Carried],
    decay: np.ndarray,
    gain: np.ndarray,
    sweeps: Sequence[Sweep],
    adaptation: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[np.ndarray]:
    """One array (synapses,) per sweep.

    psi: (T, n), float64 or float32, or None for 1; where all sweeps have starts, also in blocks of steps.
    trial: (n,) or None. decay, gain: (n,). adaptation: (beta, rho), (n,) each, or None.
    """
    n = decay.size
    held = Held((steps, n))
    outs = [np.empty(s.synapses) for s in sweeps]
    beta, rho = adaptation or (None, None)
    constants = tuple(held.at(array) for array in (trial, decay, gain, beta, rho))
    tables = len(signals), held.signals(signals), len(sweeps), held.sweeps(sweeps, outs)
    if psi is None or isinstance(psi, np.ndarray):
        kernels().adjoint_gradient(steps, n, ctypes.byref(held.history(psi)), *constants, *tables)
        return outs
    running = kernels().stretches_begin(steps, n, *constants, *tables)
    try:
        for first, rows in psi:
            kernels().stretches_back(running, ctypes.byref(Held(rows.shape).history(rows)), first, first + len(rows))
    finally:
        kernels().stretches_end(running)
    return outs


def chain_gradient(
    chain: Chain,
    psi: np.ndarray,
    trial: np.ndarray | None,
    signals: Sequence[Carried],
    variables: Sequence[Variable],
    sweeps: Sequence[Sweep],
    parameters: Sequence[ByParameter] = (),
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One array (synapses,) per sweep, and one (n,) per parameter: see `snnplast.learning.chain`."""
    steps, n = psi.shape
    held = Held((steps, n))
    outs, totals = [np.empty(s.synapses) for s in sweeps], np.zeros((len(parameters), n))
    table = chain_data(held, chain, variables, parameters, totals)
    given = ctypes.byref(held.history(psi)), held.at(trial), ctypes.byref(table), len(signals), held.signals(signals)
    kernels().chain_gradient(steps, n, *given, len(sweeps), held.sweeps(sweeps, outs))
    return outs, list(totals)


def chain_data(
    held: Held, chain: Chain, variables: Sequence[Variable], parameters: Sequence[ByParameter], totals: np.ndarray
) -> ctypes.Structure:
    """A chain as the kernel takes it. totals: what its parameters gather, (parameters, n)."""
    gates = (HistoryData * len(variables))(*(held.history(variable.gate) for variable in variables))
    held.held.append(gates)

    def by(place: str) -> _Entries:
        vectors = [(k, getattr(parameter, place)) for k, parameter in enumerate(parameters)]
        return held.entries([(row, k, values) for k, vector in vectors for row, values in vector])

    slopes = [(0, k, p.slope) for k, p in enumerate(parameters) if p.slope is not None]
    return _Chain(
        chain.size,
        *(held.entries(matrix) for matrix in (chain.flow, chain.updates, chain.reset)),
        *(held.entries([(row, 0, values) for row, values in vector]) for vector in (chain.slope, chain.kicks)),
        held.rows(chain.updated_rows),
        held.rows(chain.reset_rows),
        held.history(chain.spiked),
        len(variables),
        held.at(np.array([v.state for v in variables]), np.int64),
        held.at(np.array([POINTS.index(v.point) for v in variables]), np.int64),
        ctypes.cast(gates, ctypes.c_void_p),
        held.entries(slopes),
        *(by(place) for place in ("reset", "updates", "flow", "initial")),
        totals.ctypes.data,
    )


def headers() -> dict[str, str]:
    """The kernel's headers by path, for a library that calls it: `#include "adjoint.h"`."""
    paths = (_HERE / "adjoint.h", _HERE / "sums.h", *sorted(_HERE.glob("adjoint/*.h")))
    return {path.relative_to(_HERE).as_posix(): path.read_text() for path in paths}


@functools.cache
def kernels() -> Any:
    """The functions, compiled once per machine and kept in the build cache."""
    files = {**header(), **headers(), "adjoint.cpp": (_HERE / "adjoint.cpp").read_text()}
    library = functions(files, "adjoint.cpp")
    library.adjoint_gradient.argtypes = (_L, _L, *[_P] * 6, _L, _P, _L, _P)
    library.chain_gradient.argtypes = (_L, _L, _P, _P, _P, _L, _P, _L, _P)
    library.adjoint_gradient.restype = library.chain_gradient.restype = None
    library.stretches_begin.argtypes = (_L, _L, *[_P] * 5, _L, _P, _L, _P)
    library.stretches_begin.restype = _P
    library.stretches_back.argtypes, library.stretches_back.restype = (_P, _P, _L, _L), None
    library.stretches_end.argtypes, library.stretches_end.restype = (_P,), None
    return library
