"""The stages of every trial that runs in one call with others: see trials.cpp."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snnplast.engine import Calls, Handle
from snnplast.native.functions import functions
from snnplast.native.stage import Fired, Stage, address, addresses, header, place
from snnplast.random_streams import SOURCES, key_of
from snnplast.task.encoding import headers as encoding
from snnplast.task.judging import Judged, judges
from snnplast.task.judging import headers as judging

_P, _L, _D, _U = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_uint64


class Input(ctypes.Structure):
    """What a source shows. peak: probability of a spike at value 1, negative where spikes are given."""

    _fields_ = (
        *(("source", _L), ("n", _L), ("peak", _D), ("constant", _L), ("owner", _L)),
        *(("values", _P), ("indices", _P), ("counts", _P)),
    )


class _Copy(ctypes.Structure):
    _fields_ = (("to", _P), ("origin", _P), ("bytes", _L))


class _Recorded(ctypes.Structure):
    _fields_ = (("recorder", _L), ("fired", _P))


class _Simulated(ctypes.Structure):
    _fields_ = (
        *(("calls", Calls), ("steps", _L), ("key", _U * 2), ("stream", _U * 2), ("numbers", _P)),
        *(("n_inputs", _L), ("n_begins", _L), ("n_recorded", _L), ("inputs", _P), ("begins", _P), ("recorded", _P)),
    )


class Simulated:
    """Encoding, reset and steps. begins: where a variable begins in every trial, and what from. fired: filled anew."""

    def __init__(
        self, handle: Handle, steps: int, begins: Sequence[tuple[np.ndarray, np.ndarray]], fired: Mapping[str, Fired]
    ) -> None:
        copies = (_Copy * len(begins))(*(_Copy(place(to), place(origin), to.nbytes) for to, origin in begins))
        recorded = _recorded(handle, fired)
        self._data = data = _Simulated(calls=handle.calls, steps=steps, n_begins=len(begins), n_recorded=len(fired))
        data.begins, data.recorded = ctypes.addressof(copies), ctypes.addressof(recorded)
        self._seed: int | None = None
        self.stage = Stage(address(library().simulate_trial), data, (copies, recorded, begins, fired))

    def show(self, seed: int, phase: int, numbers: np.ndarray, inputs: Sequence[Input]) -> None:
        """What the next trials are. numbers: int64, of each of them."""
        data, table = self._data, (Input * len(inputs))(*inputs)
        if seed != self._seed:
            data.key[:] = key_of(seed).tolist()
            self._seed = seed
        data.stream[0], data.stream[1] = SOURCES, phase
        data.numbers, data.n_inputs, data.inputs = place(numbers), len(inputs), ctypes.addressof(table)
        self._shown = table, numbers, inputs


class _Represented(ctypes.Structure):
    _fields_ = (("fired", _P), ("n", _L), ("duration", _D), ("offset", _D), ("z", _P))


class _Responded(ctypes.Structure):
    _fields_ = (
        *(("calls", Calls), ("n_represented", _L), ("n_flags", _L), ("n_recorded", _L)),
        *(("represented", _P), ("flags", _P), ("recorded", _P)),
    )


class Responded:
    """The step in which everything happens that is clocked once per trial.

    duration: of a trial before it, s. represented: population -> offset of its `LayerNorm`, and where z is, (n,).
    flags: variables that are 1 meanwhile.
    """

    def __init__(
        self,
        handle: Handle,
        duration: float,
        represented: Mapping[str, tuple[float, np.ndarray]],
        flags: Sequence[np.ndarray],
        fired: Mapping[str, Fired],
    ) -> None:
        rows = (_Represented * len(represented))(
            *(
                _Represented(ctypes.addressof(fired[name]), z.size, duration, offset, place(z))
                for name, (offset, z) in represented.items()
            )
        )
        recorded, places = _recorded(handle, fired), addresses(flags)
        tables = (ctypes.addressof(table) for table in (rows, places, recorded))
        data = _Responded(handle.calls, len(rows), len(flags), len(fired), *tables)
        self.stage = Stage(
            address(library().respond_to_trial), data, (rows, places, recorded, represented, flags, fired)
        )


def _recorded(handle: Handle, fired: Mapping[str, Fired]) -> Any:
    rows = (_Recorded(handle.recorders[name], ctypes.addressof(one)) for name, one in fired.items())
    return (_Recorded * len(fired))(*rows)


class _JudgedTrials(ctypes.Structure):
    _fields_ = (
        *(("judge", _P), ("judged", Judged), ("targets", _P), ("losses", _P), ("wanted", _P), ("answered", _P)),
    )


class JudgedTrials:
    """Judgement of the readout's activity y (T, n) from step `first` on, by the compiled form `form`. error: (T, n)."""

    def __init__(self, form: str, y: np.ndarray, first: int) -> None:
        self.error = np.zeros(y.shape)
        rows, k = y.shape[0] - first, y.shape[1]
        begin = np.zeros(1, np.int64)
        judged = Judged(rows, k, place(y[first:]), None, 0, 1, place(begin), place(self.error[first:]), None, None)
        self._first, self._data = first, _JudgedTrials(address(getattr(judges(), form)), judged)
        self.stage = Stage(address(library().judge_trial), self._data, (y, begin, self.error))

    def expect(self, targets: Sequence[np.ndarray]) -> None:
        """What is wanted in the next trials: (n,), or (T, n), all of one shape."""
        targets = [np.ascontiguousarray(target, dtype=float) for target in targets]
        if targets[0].ndim == 2 and len(targets[0]) > 1:
            targets, step = [target[self._first :] for target in targets], targets[0].shape[1]
        else:
            step = 0
        self.losses, self.choices = np.empty(len(targets)), np.empty((2, len(targets)), np.int64)
        pointers = addresses(targets)
        data = self._data
        data.judged.target_step, data.targets, data.losses = step, ctypes.addressof(pointers), place(self.losses)
        data.wanted, data.answered = place(self.choices[0]), place(self.choices[1])
        self._wanted = targets, pointers


class _Tally(ctypes.Structure):
    _fields_ = (("fired", _P), ("weights", _P), ("counts", _P))


class Tally:
    """Spikes of a population in each trial, each counted as often as `weights` (n,), int64, say; once without."""

    def __init__(self, fired: Fired, weights: np.ndarray | None = None) -> None:
        self._data = _Tally(ctypes.addressof(fired), place(weights), None)
        self.stage = Stage(address(library().count_trial), self._data, (fired, weights))

    def expect(self, trials: int) -> None:
        """Make room for the next trials."""
        self.counts = np.empty(trials, np.int64)
        self._data.counts = place(self.counts)


class _Stage(ctypes.Structure):
    _fields_ = (("run", _P), ("data", _P))


class Program:
    """Stages in their order."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._table = (_Stage * len(stages))(*(_Stage(s.function, ctypes.addressof(s.data)) for s in stages))

    def run(self, first: int, trials: int, budget: int) -> int:
        """Run trials from place `first` on, fewer once `budget` ns have passed; returns how many.

        -1 - n: one failed after n others.
        """
        return library().run_trials(self._table, len(self._stages), first, trials, budget)


@functools.cache
def library() -> Any:
    """The functions of trials.cpp."""
    own = {name: Path(__file__).with_name(name).read_text() for name in ("trials.cpp", "response.h")}
    found = functions({**header(), **encoding(), **judging(), **own}, "trials.cpp")
    found.run_trials.argtypes, found.run_trials.restype = (_P, _L, _L, _L, _L), _L
    return found
