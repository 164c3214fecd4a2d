"""`floor.cpp`, the e-prop iteration by hand: built, and called without a step in Python."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = Path(__file__).with_suffix(".cpp")
FLAGS = "-std=c++17 -O3 -march=native -ffp-contract=off -shared -fPIC".split()


def built() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as place:
        library = Path(place) / "floor.so"
        compiler = shlex.split(os.environ.get("CXX", "g++"))
        subprocess.run([*compiler, *FLAGS, str(SOURCE), "-o", str(library)], check=True)
        found = ctypes.CDLL(str(library))
    found.network_new.restype = ctypes.c_void_p
    found.network_iterate.restype = ctypes.c_double
    return found


class Floor:
    """The network of a problem, by name: its constants, `w_in`, `w_rec`, `w_out`, `feedback` and `target`.

    fresh: draw new input of this many spikes per input and step in every iteration, instead of showing the problem's.
    """

    def __init__(self, given: dict[str, Any], fresh: float = 0) -> None:
        self.library, self.fresh = built(), ctypes.c_double(fresh)
        self.target, self.eta = np.array(given["target"], float), ctypes.c_double(given["eta"])
        inputs, self.n = given["w_in"].shape
        constants = np.array([given[name] for name in ("alpha", "threshold", "regulariser", "rate")], float)
        matrices = [np.array(given[name], float) for name in ("w_in", "w_rec", "w_out", "feedback")]
        sizes = (self.n, inputs, given["steps"])
        self.network = ctypes.c_void_p(self.library.network_new(*sizes, *map(_pointer, (constants, *matrices))))
        self.weights = {"w_in": matrices[0], "w_rec": matrices[1], "w_out": matrices[2]}
        if not fresh:
            start = np.concatenate([[0], np.cumsum(np.bincount(given["spike_steps"], minlength=given["steps"]))])
            index = given["spike_indices"][np.argsort(given["spike_steps"], kind="stable")]
            self.library.network_show(self.network, *(_pointer(part.astype(np.int32)) for part in (start, index)))

    def iterate(self) -> float:
        if self.fresh:
            self.library.network_draw(self.network, self.fresh)
        return self.library.network_iterate(self.network, _pointer(self.target), self.eta)

    def read(self) -> dict[str, np.ndarray]:
        self.library.network_weights(self.network, *map(_pointer, self.weights.values()))
        return self.weights


def _pointer(array: np.ndarray) -> Any:
    return np.ctypeslib.as_ctypes(array.ravel())
