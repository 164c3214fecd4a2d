"""The compiled form of the factored gradient: see adjoint.cpp for its equations."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snnplast.native.cache import cache_directory, cache_key, cached
from snnplast.native.compiler import compiled, fingerprint
from snnplast.native.shared_library import SharedLibrary

_SOURCE = Path(__file__).with_name("adjoint.cpp")
_P, _L = ctypes.c_void_p, ctypes.c_int64


class _Signal(ctypes.Structure):
    _fields_ = (("values", _P), ("decay", _P), ("feedback", _P), ("k", _L))


class _Sweep(ctypes.Structure):
    _fields_ = (
        *(("steps", _P), ("indices", _P), ("count", _L), ("sources", _L), ("latency", _L), ("hollow", _L)),
        *(("starts", _P), ("post", _P), ("delays", _P), ("longest", _L), ("out", _P)),
    )


class Carried(NamedTuple):
    """A step signal: values (T, k), decay (k,) or None, feedback (k, n) or None."""

    values: np.ndarray
    decay: np.ndarray | None
    feedback: np.ndarray | None


class Sweep(NamedTuple):
    """Spikes of one projection's sources, and its synapses, by source, then target.

    hollow: all pairs but those of a neuron with itself are connected. starts (sources + 1,), post (synapses,): where
    only some are. delays: (synapses,) in steps, on top of the latency, or None.
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


def adjoint_gradient(
    psi: np.ndarray | None,
    steps: int,
    trial: np.ndarray | None,
    signals: Sequence[Carried],
    decay: np.ndarray,
    gain: np.ndarray,
    sweeps: Sequence[Sweep],
    adaptation: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[np.ndarray]:
    """One array (synapses,) per sweep.

    psi: (T, n) or None for 1. trial: (n,) or None. decay, gain: (n,). adaptation: (beta, rho), (n,) each, or None.
    """
    n = decay.size
    outs = [np.empty(s.synapses) for s in sweeps]
    held: list[np.ndarray] = []  # keeps converted arrays alive during the call

    def at(array: np.ndarray | None, dtype: Any = np.float64) -> int | None:
        if array is None:
            return None
        held.append(np.ascontiguousarray(array, dtype=dtype))
        return held[-1].ctypes.data

    carried = (_Signal * len(signals))(
        *(_Signal(at(s.values), at(s.decay), at(s.feedback), s.values.shape[1]) for s in signals)
    )

    def table(s: Sweep, out: np.ndarray) -> _Sweep:
        spikes = at(s.steps, np.int64), at(s.indices, np.int64), s.steps.size, s.sources, s.latency, s.hollow
        longest = 0 if s.delays is None else int(s.delays.max())
        return _Sweep(*spikes, at(s.starts, np.int64), at(s.post, np.int32), at(s.delays, np.int32), longest, at(out))

    swept = (_Sweep * len(sweeps))(*map(table, sweeps, outs))
    beta, rho = adaptation or (None, None)
    _kernel()(
        steps, n, at(psi), at(trial), at(decay), at(gain), at(beta), at(rho), len(signals), carried, len(sweeps), swept
    )
    return outs


@functools.cache
def _kernel() -> Any:
    """The function, compiled once per machine and kept in the build cache."""
    files = {"adjoint.cpp": _SOURCE.read_text()}
    key = cache_key(files, fingerprint())
    image = cached(key, lambda: compiled(files, "adjoint.cpp", cache_directory()))
    function = SharedLibrary(image, [cache_directory()]).functions.adjoint_gradient
    function.argtypes = (_L, _L, _P, _P, _P, _P, _P, _P, _L, _P, _L, _P)
    function.restype = None
    return function
