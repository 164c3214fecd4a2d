"""What watches a run from the side, and may end it: functions, early stopping, tables.

A callback is a function of a `Moment`, called after every update, or an object with any of these methods:

    on_update(moment)    after an update: `metrics` and `trials` are those of its batch
    on_round(moment)     after an epoch and its test (an iteration of a task without epochs): `metrics` of all of it
    on_end(moment)       after the last round, before the weights are kept
    on_begin(moment)     before the first update of a new run, or of the rest of one

One that is a context manager is entered before the network is built, and left however the run ends. What a callback
raises ends the run, which can then go on from its last update. A callback for any logger is three lines:

    class Log:
        def on_round(self, moment):
            wandb.log(dict(moment.metrics), step=moment.iteration)
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np

from snnplast.described import count
from snnplast.errors import UserError, short, unknown
from snnplast.record.writable import check_writable
from snnplast.task.trial import Record

HOOKS = ("on_begin", "on_update", "on_round", "on_end")
SHOWN_HOOKS = ("on_test", "on_stopping")
"""Further moments, of use to what shows the progress: a test begins; the run is asked to stop."""
TESTED = ("loss", "accuracy")
"""Metrics that tests have as well."""


@dataclass(frozen=True)
class Moment:
    """Where a run stands.

    title: its model. iteration, iterations: updates done, and of the whole run. round, rounds: the same of epochs, or
    of iterations of a task without: the round that has begun or has just ended, from 1. per: what a round is, "epoch"
    or "iteration". length: updates of a full round. tested: whether every round ends with a test.
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
    tested: bool
    weights: Mapping[str, np.ndarray]
    metrics: Mapping[str, float] = field(default_factory=dict)
    trials: tuple[Record, ...] = ()
    end: Callable[[str], None] = field(default=lambda reason: None, repr=False)

    def stop(self, reason: str) -> None:
        """Let the run end with this round; it counts as finished, and its file says why it is shorter."""
        self.end(reason)


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


class EarlyStopping:
    """Ends a run when a metric has not become better for some rounds.

    metric: its name, such as "test_accuracy"; losses shall fall, everything else shall rise, unless `lower` says.
    patience: rounds in a row without a better value, >= 1. restore_best: whether the weights of the best round are
    those that the run leaves, however it ends but by an error. least: a better value is better by more than this.

    A run that goes on after an interruption counts anew from there.
    Raises `UserError` where one of these is out of range, and in the run where it has no such metric.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=9, engine="runtime")
    >>> stopping = snn.EarlyStopping("test_loss", patience=1, least=10.0)
    >>> len(snn.train(experiment, callbacks=[stopping]).metrics["test_loss"]), stopping.best_round
    (2, 1)
    """

    def __init__(
        self,
        metric: str,
        patience: int = 5,
        restore_best: bool = True,
        lower: bool | None = None,
        least: float = 0.0,
    ) -> None:
        self.metric, self.restore_best = str(metric), restore_best
        self.patience = count("EarlyStopping.patience", patience)
        if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least < np.inf:
            raise UserError(f"EarlyStopping.least = {least!r}: a number of at least 0 is needed")
        self.least = least
        self.lower = metric.endswith("loss") if lower is None else lower
        self.best, self.best_round = np.nan, 0

    def on_begin(self, moment: Moment) -> None:
        self.best, self.best_round, self._waited = np.nan, 0, 0
        self._kept: dict[str, np.ndarray] = {}
        self._known = False

    def on_update(self, moment: Moment) -> None:
        if not self._known:  # as early as the names are known, so that a misspelt one costs nothing
            tested = [f"test_{name}" for name in TESTED if name in moment.metrics and moment.tested]
            self._check([*moment.metrics, *tested])

    def on_round(self, moment: Moment) -> None:
        self._check(moment.metrics)
        value = moment.metrics[self.metric]
        gain = self.best - value if self.lower else value - self.best
        if (np.isnan(self.best) and not np.isnan(value)) or gain > self.least:
            self.best, self.best_round, self._waited = value, moment.round, 0
            if self.restore_best:
                self._kept = {name: values.copy() for name, values in moment.weights.items()}
            return
        self._waited += 1
        if self._waited >= self.patience:
            moment.stop(
                f"{self.metric} was not better than {self.best:.5g}, that of {moment.per} {self.best_round}, "
                f"for {self.patience} {moment.per}s"
            )

    def on_end(self, moment: Moment) -> None:
        for name, values in self._kept.items():
            moment.weights[name][:] = values

    def _check(self, names: Iterable[str]) -> None:
        if self.metric not in names:
            raise UserError(f"EarlyStopping: {unknown('metric', self.metric, names)}")
        self._known = True


class CSVLogger:
    """Writes a row of metrics after every round: round, iteration, and each metric of the first round.

    path: the file; what stands there is not overwritten unless `force`; a run that goes on adds to it with `append`.
    Raises `UserError` where it stands already or cannot be written, and in the run where it has other columns.

    >>> from tempfile import TemporaryDirectory
    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=1, engine="runtime")
    >>> with TemporaryDirectory() as folder:
    ...     table = snn.CSVLogger(f"{folder}/metrics.csv")
    ...     run = snn.train(experiment, callbacks=[table])
    ...     [line.split(",")[:2] for line in table.path.read_text().splitlines()]
    [['epoch', 'updates'], ['1', '2']]
    """

    def __init__(self, path: str | os.PathLike[str], force: bool = False, append: bool = False) -> None:
        self.path = check_writable(path, "CSVLogger")
        if self.path.exists() and not (force or append):
            raise UserError(f"CSVLogger: '{self.path}' exists; force=True overwrites it, append=True adds to it")
        self._append = append and self.path.exists() and self.path.stat().st_size > 0
        self._columns: list[str] = []

    def on_begin(self, moment: Moment) -> None:
        self._columns = []

    def on_round(self, moment: Moment) -> None:
        row = {moment.per: moment.round, "updates": moment.iteration, **moment.metrics}
        rows = []
        if not self._columns and self._append:
            with self.path.open(newline="", encoding="utf-8") as file:
                self._columns = next(csv.reader(file), [])
            if not set(self._columns) <= set(row):
                raise UserError(f"CSVLogger: '{self.path}' has other columns: {', '.join(self._columns)}")
        elif not self._columns:
            self._columns = list(row)
            rows.append(self._columns)
        rows.append([row.get(name, "") for name in self._columns])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        mode = "w" if len(rows) > 1 else "a"
        with self.path.open(mode, newline="", encoding="utf-8") as file:
            file.write(text.getvalue())
