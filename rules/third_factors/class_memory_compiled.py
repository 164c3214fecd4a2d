"""The compiled form of class memories: see class_memory.h."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnplast.learning import CompiledSignal, Context, State, Trials
from snnplast.native.functions import functions
from snnplast.native.stage import Stage, address, header, place, stands
from snnplast.rules.third_factors import transforms_compiled
from snnplast.rules.third_factors.memories import Averages, Delta, Memory, Residuals
from snnplast.task import Stack

if TYPE_CHECKING:
    from snnplast.rules.third_factors.class_memory import ClassMemory

_HERE = Path(__file__).parent
_P, _L, _D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
_FORMS = ("averages", "residuals", "delta")
_EXPECTATIONS = ("readout", "layer", "uniform")
"""Both in the order of class_memory.h."""


def has_form(memory: Memory) -> bool:
    """Whether a memory has a compiled form."""
    own = all(stands(type(memory), name, "compiled_form") for name in ("recall", "store"))
    return bool(memory.compiled_form) and own


class _Source(ctypes.Structure):
    _fields_ = (
        *(("classes", _L), ("expectation", _L), ("seen", _P)),
        *(("error", _P), ("evidence", _P), ("centre", _P), ("similarity", _P)),
    )


class _Memory(ctypes.Structure):
    _fields_ = (
        *(("form", _L), ("size", _L), ("window", _L), ("setting", _D), ("sharpness", _D)),
        *(("first", _P), ("second", _P)),
    )


class _Layer(ctypes.Structure):
    _fields_ = (("memory", _Memory), ("z", _P), ("xi", _P))


class _Target(ctypes.Structure):
    _fields_ = (("layer", _Layer), ("n_transforms", _L), ("transforms", _P))


class _Signals(ctypes.Structure):
    _fields_ = (
        *(("source", _Source), ("wanted", _P), ("error", _P), ("rows", _L)),
        *(("n_targets", _L), ("targets", _P)),
    )


class Tables:
    """What the code needs of a source and its layers, whose arrays it keeps alive. given: layer -> xi (n,)."""

    def __init__(self, factor: ClassMemory, z: Mapping[str, np.ndarray], state: State) -> None:
        seen, window = state["seen"], getattr(factor.remembers, "window", 0)
        sizes = seen.size, seen.size, max(own.size for own in z.values()), window
        self.given = {name: np.zeros(own.size) for name, own in z.items()}
        self.kept = state, z, rooms = state, z, [np.empty(size) for size in sizes]
        expectation = _EXPECTATIONS.index(factor.expectation)
        self.source = _Source(seen.size, expectation, place(seen), *(place(room) for room in rooms))
        self.layers = [
            _Layer(_memory(factor.remembers, name, state, own.size), place(own), place(self.given[name]))
            for name, own in z.items()
        ]


def _memory(memory: Memory, layer: str, state: State, size: int) -> _Memory:
    form = _FORMS.index(memory.compiled_form)
    if isinstance(memory, Averages):
        return _Memory(form, size, 0, memory.memory, memory.sharpness, place(state[f"{layer}.average"]), None)
    if isinstance(memory, Residuals):
        first, second = state[f"{layer}.z"], state[f"{layer}.error"]
        return _Memory(form, size, memory.window, memory.rate, 1.0, place(first), place(second))
    assert isinstance(memory, Delta)
    first, second = state[f"{layer}.vector"], state[f"{layer}.offset"]
    return _Memory(form, size, 0, memory.rate, 1.0, place(first), place(second))


def signals(
    factor: ClassMemory, wanted: np.ndarray, error: np.ndarray, z: Mapping[str, np.ndarray], state: State
) -> State | None:
    """Layer -> xi (n,), None where there is none; the sample is remembered.

    wanted (C,): one-hot. error (rows, C): of the readout, in its window. z: layer -> (n,).
    """
    z = {name: np.ascontiguousarray(own, dtype=float) for name, own in z.items()}
    wanted, error = (np.ascontiguousarray(array, dtype=float) for array in (wanted, error))
    tables = Tables(factor, z, state)
    layers = (_Layer * len(z))(*tables.layers)
    args = ctypes.byref(tables.source), place(wanted), place(error), len(error), len(z), layers
    return tables.given if library().class_memory_signals(*args) else None


def compiled_signal(factor: ClassMemory, trials: Trials, context: Context, state: State) -> CompiledSignal | None:
    """The signal as a stage of trials that run in one call; None where a memory or a transform has no compiled form."""
    if not has_form(factor.remembers) or not transforms_compiled.have_forms(factor.transforms):
        return None
    z = {name: trials.representation(name) for name in context.targets}
    tables = Tables(factor, z, state)
    chains = [transforms_compiled.table(factor.transforms, name, state) for name in z]
    targets = (_Target * len(z))(
        *(
            _Target(layer, len(chain), ctypes.addressof(chain))
            for layer, chain in zip(tables.layers, chains, strict=True)
        )
    )
    wanted, error = trials.wanted(context.readout), trials.error(context.readout)
    assert context.objective is not None
    inside = np.ones(1) if context.read.clock == "trial" else context.objective.in_window(trials.steps)
    rows = error[len(error) - np.count_nonzero(inside) :]
    data = _Signals(
        *(tables.source, ctypes.addressof(wanted), place(rows), len(rows)),
        *(len(z), ctypes.addressof(targets)),
    )

    def takes(stack: Stack) -> bool:
        """Once there is something of every class, of samples that have one."""
        last = np.array([target if target.ndim == 1 else target[-1] for target in stack.targets])
        labels = last.argmax(axis=1)[:, None] == np.arange(last.shape[1])
        return bool(state["seen"].all()) and np.array_equal(last, labels)

    return CompiledSignal(
        tables.given,
        [Stage(address(library().class_memory_trial), data, (tables, chains, targets, wanted, error))],
        takes=takes,
    )


@functools.cache
def library() -> Any:
    """The functions, compiled."""
    own = {name: (_HERE / name).read_text() for name in ("class_memory.h", "class_memory.cpp")}
    found = functions({**header(), **transforms_compiled.headers(), **own}, "class_memory.cpp")
    found.class_memory_signals.argtypes, found.class_memory_signals.restype = (_P, _P, _P, _L, _L, _P), _L
    return found
