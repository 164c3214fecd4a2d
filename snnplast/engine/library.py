"""One loaded copy of a compiled network, and live views of its memory."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from snnplast.native.cache import cache_directory
from snnplast.native.shared_library import SharedLibrary


class _StaticArray(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("data", ctypes.c_void_p), ("bytes", ctypes.c_int64))


class _Connection(ctypes.Structure):
    _fields_ = (("sources", ctypes.c_void_p), ("targets", ctypes.c_void_p), ("count", ctypes.c_int64))


_I, _L, _P = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
_SIGNATURES = {
    "error": (ctypes.c_char_p, ()),
    "open": (_L, (_I, _P, _P, _L)),
    "free": (None, ()),
    "array": (_P, (_I,)),
    "array_size": (_L, (_I,)),
    "add_source": (_I, (_I, _I, _I)),
    "add_recorder": (_I, (_I,)),
    "add_history": (_I, (_I,)),
    "add_series": (_I, (_I,)),
    "add_event_space": (None, (_I,)),
    "add_growing": (None, (_I,)),
    "add_matrix": (None, (_I,)),
    "add_state": (_L, (_I,)),
    "set_spikes": (None, (_I, _P, _P, _L, _L)),
    "set_series": (None, (_I, _P, _L, _L)),
    "set_history": (None, (_I, _P, _L)),
    "steps": (_L, (_L, _L)),
    "again": (_L, (_L, _L)),
    "reset": (_L, ()),
    "proceed": (_L, ()),
    "n_pathways": (_L, ()),
    "in_flight": (_L, (_I, _P)),
    "put_in_flight": (_L, (_I, _P, _L)),
    "prepare": (_L, ()),
    "seed": (None, (_L,)),
    "matrix_rows": (_L, (_I,)),
    "matrix_columns": (_L, (_I,)),
    "copy_matrix": (None, (_I, _P)),
    "spike_count": (_L, (_I,)),
    "spikes": (None, (_I, _L, _P, _P)),
    "fired": (_L, (_I, _P, _P)),
}


class Library:
    """A private copy of the shared library: its globals are the state of one network.

    The memory lives as long as this object, and every view holds it.
    The functions of interface.cpp are attributes, without their prefix "snn_".

    Parameters
    ----------
    image : the library's bytes.
    static_arrays : name -> values the network's initialiser reads.
    connections : (sources, targets) int32 index arrays of each explicit connection.
    seed : where the random numbers of the generated code begin; without it, anywhere.
    """

    def __init__(
        self,
        image: bytes,
        static_arrays: dict[str, np.ndarray],
        connections: Sequence[tuple[np.ndarray, np.ndarray]],
        seed: int | None = None,
    ) -> None:
        loaded = SharedLibrary(image, [cache_directory()])
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded.functions, f"snn_{name}")
            function.restype, function.argtypes = result, arguments
            self.__dict__[name] = function
        arrays = (_StaticArray * max(1, len(static_arrays)))(
            *(_StaticArray(name.encode(), a.ctypes.data, a.nbytes) for name, a in static_arrays.items())
        )
        pairs = (_Connection * max(1, len(connections)))(
            *(_Connection(i.ctypes.data, j.ctypes.data, len(i)) for i, j in connections)
        )
        self.program_length = self.checked(self.open(len(static_arrays), arrays, pairs, -1 if seed is None else seed))
        unload = weakref.finalize(self, _unload, loaded, self.free)
        unload.atexit = False  # at exit views may still be in use, and the process frees everything anyway

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """For type checkers: the functions are in `__dict__`, where they are found without this call."""
        raise AttributeError(name)

    def checked(self, result: int) -> int:
        """`result` of a function that can fail; its C++ exception becomes a `RuntimeError`."""
        if result < 0:
            raise RuntimeError(f"the compiled network failed: {self.error().decode(errors='replace')}")
        return result

    def view(self, array: int, dtype: np.dtype) -> np.ndarray:
        """The network's own memory of array number `array`."""
        size, address = self.array_size(array), self.array(array)
        if not size:
            return np.empty(0, dtype)
        memory = (ctypes.c_char * (size * dtype.itemsize)).from_address(address)
        memory.library = self  # numpy keeps `memory` alive, which keeps the library loaded
        return np.frombuffer(memory, dtype)

    def matrix(self, number: int, columns: int, dtype: np.dtype) -> np.ndarray:
        """A copy of two-dimensional array `number`, which has `columns` once it has rows."""
        rows = self.matrix_rows(number)
        if rows and self.matrix_columns(number) != columns:
            raise RuntimeError("the generated code records something else than the network does")
        copy = np.empty((rows, columns), dtype)
        self.copy_matrix(number, copy.ctypes.data)
        return copy


def _unload(loaded: SharedLibrary, free: Callable[[], None]) -> None:
    free()
    loaded.unload()
