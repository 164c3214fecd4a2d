"""The compiled form of the factored gradient: see adjoint.cpp for its equations."""

from __future__ import annotations

import ctypes
import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snnplast.engine.cache import cache_key, cached
from snnplast.engine.compiler import compile_library, fingerprint

_SOURCE = Path(__file__).with_name("adjoint.cpp")
_P, _L = ctypes.c_void_p, ctypes.c_int64


class _Signal(ctypes.Structure):
    _fields_ = (("values", _P), ("decay", _P), ("feedback", _P), ("k", _L))


class _Sweep(ctypes.Structure):
    _fields_ = (
        *(("steps", _P), ("indices", _P)),
        *(("count", _L), ("sources", _L), ("latency", _L), ("hollow", _L), ("out", _P)),
    )


class Carried(NamedTuple):
    """A step signal: values (T, k), decay (k,) or None, feedback (k, n) or None."""

    values: np.ndarray
    decay: np.ndarray | None
    feedback: np.ndarray | None


class Sweep(NamedTuple):
    """Spikes of one projection's sources, and whether self-connections are missing."""

    steps: np.ndarray
    indices: np.ndarray
    sources: int
    latency: int
    hollow: bool


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
    """One array (sources, n) per sweep, or (sources, n - 1) without self-connections.

    psi: (T, n) or None for 1. trial: (n,) or None. decay, gain: (n,). adaptation: (beta, rho), (n,) each, or None.
    """
    n = decay.size
    outs = [np.empty((s.sources, n - s.hollow)) for s in sweeps]
    held: list[np.ndarray] = []  # keeps converted arrays alive during the call

    def at(array: np.ndarray | None, dtype: Any = np.float64) -> int | None:
        if array is None:
            return None
        held.append(np.ascontiguousarray(array, dtype=dtype))
        return held[-1].ctypes.data

    carried = (_Signal * len(signals))(
        *(_Signal(at(s.values), at(s.decay), at(s.feedback), s.values.shape[1]) for s in signals)
    )
    swept = (_Sweep * len(sweeps))(
        *(
            _Sweep(
                at(s.steps, np.int64), at(s.indices, np.int64), s.steps.size, s.sources, s.latency, s.hollow, at(out)
            )
            for s, out in zip(sweeps, outs, strict=True)
        )
    )
    beta, rho = adaptation or (None, None)
    _kernel()(
        steps, n, at(psi), at(trial), at(decay), at(gain), at(beta), at(rho), len(signals), carried, len(sweeps), swept
    )
    return outs


@functools.cache
def _kernel() -> Any:
    """The function, compiled once per machine and kept in the build cache."""
    source = _SOURCE.read_text()

    def build(directory: Path) -> Path:
        (directory / "adjoint.cpp").write_text(source)
        compile_library(directory, "adjoint.cpp", "adjoint.so")
        return directory / "adjoint.so"

    image = cached(cache_key({"adjoint.cpp": source}, fingerprint()), build)
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(image)
        file.flush()
        function = ctypes.CDLL(file.name).adjoint_gradient
    function.argtypes = (_L, _L, _P, _P, _P, _P, _P, _P, _L, _P, _L, _P)
    function.restype = None
    return function
