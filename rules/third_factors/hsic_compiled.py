"""The compiled form of the HSIC signal: see hsic.h."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnplast.learning import CompiledSignal, Context, State, Trials
from snnplast.native.functions import functions
from snnplast.native.stage import Stage, address, header, place
from snnplast.network import Population, SpikeSource
from snnplast.rules.third_factors import transforms_compiled
from snnplast.task import Stack

if TYPE_CHECKING:
    from snnplast.rules.third_factors.hsic import HSIC

_HERE = Path(__file__).parent
_P, _L, _D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


def drives(population: Population) -> bool:
    """Whether it is a source that shows samples."""
    return isinstance(population, SpikeSource) and population.driven


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


class _Source(ctypes.Structure):
    _fields_ = (("shown", _P), ("size", _L))


class _Target(ctypes.Structure):
    _fields_ = (("layer", Layer), ("remembered", _P), ("z", _P), ("n_transforms", _L), ("transforms", _P))


class _Signals(ctypes.Structure):
    _fields_ = (
        *(("window", Window), ("n_sources", _L), ("n_targets", _L)),
        *(("sources", _P), ("wanted", _P), ("targets", _P), ("x", _P)),
    )


def compiled_signal(factor: HSIC, trials: Trials, context: Context, state: State) -> CompiledSignal | None:
    """The signal as a stage of trials that run in one call; None where a transform has no compiled form."""
    network = context.network
    shown = {name: network.populations[name].size for name, p in network.populations.items() if drives(p)}
    if not transforms_compiled.have_forms(factor.transforms):
        return None
    given = {name: np.zeros(network.populations[name].size) for name in context.targets}
    means, x = np.empty(factor.window + 1), np.empty(sum(shown.values()))
    sources = (_Source * len(shown))(
        *(_Source(ctypes.addressof(trials.shown(name)), size) for name, size in shown.items())
    )
    chains = {name: transforms_compiled.table(factor.transforms, name, state) for name in given}
    z = {name: trials.representation(name) for name in given}
    targets = (_Target * len(given))(
        *(
            _Target(
                Layer.of(factor, state[f"{name}.z"], xi),
                *(place(state[f"{name}.z"]), place(z[name]), len(chains[name]), ctypes.addressof(chains[name])),
            )
            for name, xi in given.items()
        )
    )
    wanted = trials.wanted(context.readout)
    tables = ctypes.addressof(sources), ctypes.addressof(wanted), ctypes.addressof(targets), place(x)
    data = _Signals(Window.of(factor, state, means), len(shown), len(given), *tables)
    kept = state, given, means, x, sources, chains, z, targets, wanted, [trials.shown(name) for name in shown]

    def takes(stack: Stack) -> bool:
        """Once the window is full, of samples that do not change."""
        values = [one for name in shown for one in stack.inputs.get(name, [None])]
        constant = all(isinstance(one, np.ndarray) and one.ndim == 1 for one in values)
        return constant and int(state["seen"]) + 1 >= factor.window

    return CompiledSignal(given, [Stage(address(library().hsic_trial), data, kept)], takes=takes)


def headers() -> dict[str, str]:
    """For a library that learns by HSIC: `#include "hsic.h"`."""
    return {**header(), **transforms_compiled.headers(), "hsic.h": (_HERE / "hsic.h").read_text()}


@functools.cache
def library() -> Any:
    """The functions, compiled."""
    found = functions({**headers(), "hsic.cpp": (_HERE / "hsic.cpp").read_text()}, "hsic.cpp")
    found.hsic_signals.argtypes, found.hsic_signals.restype = (_P, _P, _P, _L, _P), _L
    return found
