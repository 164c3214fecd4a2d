"""The engine's interface: what one Brian2 network offers once it runs.

An engine advances a network by whole steps and lets Python look and write between
segments. Two implementations serve the same interface: `compiled` (Brian2's generated
C++ as a shared library in this process) and `runtime` (Brian2's ordinary runtime).
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np

from snnplast.brian import ArrayVariable, BrianNetwork, Group, SpikeGeneratorGroup

CHUNK = 50_000_000
"""Nanoseconds after which compiled code returns to Python, so that `stop` and Ctrl-C are heard."""


@dataclass
class BrianModel:
    """The Brian2 objects of one network, and the names under which an engine shows them.

    Values are never assigned to the Brian2 objects: they are listed in `initial` and
    written through the engine's views once it is open, so that the generated code (and
    with it the key of the build cache) depends on structure alone.
    """

    network: BrianNetwork
    """Every object explicitly named. A step is one of the fastest clock, if there are several."""
    variables: dict[str, ArrayVariable]
    """'population.variable' or 'projection.variable' -> the Brian2 variable."""
    sources: dict[str, SpikeGeneratorGroup] = field(default_factory=dict)
    """Populations whose spikes are handed over with `Engine.set_spikes`."""
    spiking: dict[str, Group] = field(default_factory=dict)
    """Populations whose own spikes are recorded."""
    recorded: tuple[str, ...] = ()
    """Names of neuron variables whose value at the end of each step is kept."""
    backwards: frozenset[str] = frozenset()
    """Those of `recorded` that need not be kept as a whole: `Engine.backwards` shows them. Steps are taken again for
    it, so nothing may change them but what `reset` restores, and what the engine is given."""
    initial: dict[str, np.ndarray | float] = field(default_factory=dict)
    """Values written once, right after opening."""
    lasting: frozenset[str] = frozenset()
    """Names that `reset` leaves alone: learnable parameters and persistent state."""
    restored: tuple[ArrayVariable, ...] | None = None
    """What `reset` restores; without it, every variable that steps may change."""
    own_spikes: bool = False
    """Whether sources emit the spikes they were made with until they are handed others. They are not recorded then."""
    growing: dict[str, ArrayVariable] = field(default_factory=dict)
    """'monitor.variable' -> what grows step by step: emptied by `reset`. For the compiled engine."""
    namespace: Mapping[str, Any] = field(default_factory=dict)
    """What names in code mean that no object of the network knows."""
    seed: int | None = None
    """Where random numbers of the compiled engine begin; without it, anywhere."""


CALLS = ("reset", "steps", "set_spikes", "fired")


class Calls(ctypes.Structure):
    """Functions of a running network for compiled code: reset, steps, set_spikes and fired of interface.cpp."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in CALLS)


@dataclass(frozen=True)
class Handle:
    """How compiled code runs a network without Python.

    sources, recorders: numbers by name, for its functions. history: variable -> rows (steps, n) that are written.
    """

    calls: Calls
    sources: Mapping[str, int]
    recorders: Mapping[str, int]
    history: Mapping[str, np.ndarray]


class Engine(ABC):
    """One running network. Not thread-safe; `clone` gives an independent one."""

    @abstractmethod
    def __getitem__(self, name: str) -> np.ndarray:
        """Live view of a variable's whole array: reading sees, writing changes the simulation."""

    @property
    @abstractmethod
    def t(self) -> int:
        """Steps taken since the last reset."""

    @abstractmethod
    def set_spikes(self, source: str, steps: np.ndarray, indices: np.ndarray) -> None:
        """Spikes of `source`: integer steps counted from the last reset, not before `t`; neuron indices.

        Adds to the spikes handed over since the last reset. Raises `UserError` for an unknown
        source, an index out of range, a step in the past or two spikes of one neuron in one step.
        """

    @abstractmethod
    def set_series(self, name: str, values: np.ndarray) -> None:
        """Row k of `values` (rows, n) is written to variable `name` just before the k-th step from now.

        After the last row the variable keeps its value. A later call replaces what is left of an earlier one.
        """

    @abstractmethod
    def steps(self, n: int) -> None:
        """Advance by `n` steps. Raises `Interrupted` when `stop` was called meanwhile."""

    @abstractmethod
    def stop(self) -> None:
        """Ask a running `steps` (from another thread or a signal handler) to return at its next chunk.

        If none is running, the next one raises: a request is never lost.
        """

    @property
    @abstractmethod
    def history(self) -> Mapping[str, np.ndarray]:
        """Recorded variables since the last reset: name -> array (t, n), valid until the next `steps` or `reset`.

        Without those that `backwards` alone shows, because all of their steps would be too large.
        """

    def backwards(self, name: str, steps: int) -> Iterator[tuple[int, np.ndarray]]:
        """The first `steps` steps of a recorded variable in blocks, the last one first: (first step, rows (k, n)).

        Rows are good until the next block. Meanwhile nothing else may be done with the engine, which is afterwards as
        it was before.
        """
        yield 0, self.history[name][:steps]

    @abstractmethod
    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps (int64, ascending) and indices (int64) of a population's or source's spikes since the last reset.

        The arrays stay as they are. A call costs the spikes that came since the last one.
        """

    @abstractmethod
    def reset(self) -> None:
        """Back to step 0: every variable but constants and lasting ones, spike queues, refractoriness, history, series.

        Variables return to their values right after opening. Delays that were written to hold from here on.
        """

    @abstractmethod
    def proceed(self) -> None:
        """Step 0 begins here, as if time had only now begun: variables, refractoriness and spikes on their way stay.

        What was recorded and handed over is forgotten, as by `reset`.
        """

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """A copy of all that `reset` would restore, spikes on their way included, as it is at step 0.

        To be taken right after `proceed` or `reset`. With it and the lasting variables an engine of the same network
        goes on as this one does.
        """

    @abstractmethod
    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on at step 0 where `state` was taken. Raises `UserError` where it is that of another network."""

    def handle(self, steps: int) -> Handle | None:
        """Of a network at step 0: what compiled code needs to run it for up to `steps` steps; None where none can.

        The same one is given as long as the memory of histories stays where it is. To be asked for before each use:
        what was handed over and recorded earlier is forgotten then.
        """
        return None

    @abstractmethod
    def clone(self) -> Engine:
        """An independent engine of the same network at step 0, with the present values of all named variables.

        Nothing is under way in it: no spike travels, no neuron is refractory, no series is running.
        """

    @abstractmethod
    def close(self) -> None:
        """Give up the network. Views taken earlier stay readable."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Interrupted(Exception):
    """`Engine.stop` was called while steps were being taken."""
