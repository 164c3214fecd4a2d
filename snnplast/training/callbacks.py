"""What watches a run from the side, and may end it: functions, and objects that hear of more.

A callback is a function of a `Moment`, called after every update, or an object with any of these methods:

    on_update(moment)    after an update: `metrics` and `trials` are those of its batch
    on_round(moment)     after an epoch and its test (an iteration of a task without epochs): `metrics` of all of it
    on_end(moment)       after the last round, before the weights are kept
    on_begin(moment)     before the first update of a new run, or of the rest of one

One whose `on_update` looks at metrics alone says `needs_trials = False`: batches, and several updates where each
follows one trial, may then run in one call, which leaves no records, and no weights in between. One that is a context
manager is entered before the network is built, and left however the run ends. What a callback raises ends the run,
which can then go on from its last update. A callback for any logger is three lines:

    class Log:
        def on_round(self, moment):
            wandb.log(dict(moment.metrics), step=moment.iteration)

One whose memory shapes the run is a `Remembers`: its memory is part of the checkpoints.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from snnplast.errors import UserError, short
from snnplast.task.trial import Record

HOOKS = ("on_begin", "on_update", "on_round", "on_end")
SHOWN_HOOKS = ("on_test", "on_stopping")
"""Further moments, of use to what shows the progress: a test begins; the run is asked to stop."""


@dataclass(frozen=True)
class Moment:
    """Where a run stands.

    title: its model. iteration, iterations: updates done, and of the whole run. round, rounds: the same of epochs, or
    of iterations of a task without: the round that has begun or has just ended, from 1. per: what a round is, "epoch"
    or "iteration". length: updates of a full round. tested: metrics that the test of every round has
    as well, where there is one.
    metrics: name -> value. trials: records of an update's batch, valid until the next one.
    weights: live views of all weights and biases by name; they may be read, and at the end of a run be written.
    """

    title: str
    iteration: int
    iterations: int
    round: int
    rounds: int
    per: str
    length: int
    tested: tuple[str, ...]
    weights: Mapping[str, np.ndarray]
    metrics: Mapping[str, float] = field(default_factory=dict)
    trials: tuple[Record, ...] = ()
    end: Callable[[str], None] = field(default=lambda reason: None, repr=False)

    def stop(self, reason: str) -> None:
        """Let the run end with this round; it counts as finished, and its file says why it is shorter."""
        self.end(reason)


@runtime_checkable
class Remembers(Protocol):
    """Of a callback with a memory that a run which goes on takes up: with it, it does what it had done uninterrupted.

    The memory belongs to the callbacks of one class in their order; a run that goes on may also have others, or none.
    """

    def state(self) -> Mapping[str, np.ndarray]:
        """What it remembers: arrays of numbers by name."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where `state` was taken, after `on_begin`. Raises `UserError` where it does not fit."""
        ...


class Callbacks:
    """All callbacks of a run. Raises `UserError` for what is none."""

    def __init__(self, given: Iterable[Any] = ()) -> None:
        if callable(given) or not isinstance(given, Iterable):
            raise UserError(f"callbacks = {short(given)}: a list is needed, such as [EarlyStopping('test_accuracy')]")
        self.given = [_checked(callback) for callback in given]
        self._entered = contextlib.ExitStack()
        self.failed = False
        """Whether one of them has raised an error."""

    def __call__(self, hook: str, moment: Moment) -> None:
        """Call all that have a method of this name; functions hear of updates."""
        for callback in self.given:
            called = getattr(callback, hook, None)
            if called is None and hook == "on_update" and not _hooks(callback):
                called = callback
            if called is not None:
                try:
                    called(moment)
                except BaseException:
                    self.failed = True
                    raise

    @property
    def see_trials(self) -> bool:
        """Whether any of them hears of updates, and may look at their trials."""
        hear = (each for each in self.given if hasattr(each, "on_update") or not _hooks(each))
        return any(getattr(each, "needs_trials", True) for each in hear)

    def state(self) -> dict[str, np.ndarray]:
        """A copy of what all remember: 'EarlyStopping/0/waited' is that of the first of its class."""
        return {
            f"{name}/{key}": np.array(values)
            for name, callback in self._remembering().items()
            for key, values in callback.state().items()
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Give all what they have remembered when `state` was taken; who has not been there begins anew."""
        for name, callback in self._remembering().items():
            own = {key.removeprefix(f"{name}/"): v for key, v in state.items() if key.startswith(f"{name}/")}
            if own:
                callback.restore(own)

    def _remembering(self) -> dict[str, Remembers]:
        named: dict[str, Remembers] = {}
        count: Counter[str] = Counter()
        for callback in self.given:
            if isinstance(callback, Remembers):
                kind = type(callback).__name__
                named[f"{kind}/{count[kind]}"] = callback
                count[kind] += 1
        return named

    def __enter__(self) -> Self:
        for callback in self.given:
            if hasattr(callback, "__enter__"):
                self._entered.enter_context(callback)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)


def _hooks(callback: Any) -> bool:
    return any(hasattr(callback, hook) for hook in (*HOOKS, *SHOWN_HOOKS))


def _checked(callback: Any) -> Any:
    if isinstance(callback, type):
        raise UserError(f"callbacks: {callback.__name__} is a class; {callback.__name__}(...) makes a callback of it")
    if not (callable(callback) or _hooks(callback)):
        raise UserError(
            f"callbacks: {short(callback)} is none: a function, or an object with any of {', '.join(HOOKS)}, is needed"
        )
    return callback
