"""What a run shows while it goes on: a progress bar on a terminal, a line per epoch elsewhere, a table at the end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Protocol, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from snnplast.report.console import emit

SHOWN = {
    "loss": "loss",
    "accuracy": "acc",
    "return": "return",
    "test_loss": "",
    "test_accuracy": "test acc",
    "test_return": "test return",
}
"""Metrics worth a place on a line, in this order, and what they are called where there is little room."""


class Moment(Protocol):
    """What is shown of `snnplast.training.callbacks.Moment`."""

    @property
    def title(self) -> str: ...
    @property
    def iteration(self) -> int: ...
    @property
    def iterations(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...


class Display:
    """Shows the progress of one run: a callback, as `snnplast.training.callbacks` has them."""

    needs_trials = False

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console, self._quiet = console, quiet
        self._title, self._updates, self._epoch, self._lines = "", 1, 1, False
        self._row: dict[str, float] = {}
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[metrics]}", markup=False),
            TimeRemainingColumn(compact=True),
        )
        self._progress = Progress(*columns, console=console, disable=not self._moving, transient=True)
        self._opened = contextlib.ExitStack()

    @property
    def _moving(self) -> bool:
        """Whether what is shown can be drawn over."""
        return not self._quiet and self._console.is_terminal

    def on_begin(self, moment: Moment) -> None:
        self._opened.close()
        self._title, self._updates, self._epoch = moment.title, moment.iterations, moment.length
        self._lines = not self._quiet and not self._moving and moment.length > 1
        place = self._place(moment.iteration)
        self._bar = self._progress.add_task(place, total=self._updates, completed=moment.iteration, metrics="")
        self._opened.enter_context(self._progress)

    def on_update(self, moment: Moment) -> None:
        if not self._moving:
            return
        recent = self._row | {name: value for name, value in moment.metrics.items() if name in SHOWN}
        place = self._place(moment.iteration - 1)
        self._progress.update(self._bar, completed=moment.iteration, description=place, metrics=_short(recent))

    def on_round(self, moment: Moment) -> None:
        self._row = {name: value for name, value in moment.metrics.items() if name in SHOWN}
        self._progress.update(self._bar, metrics=_short(self._row))
        if self._lines:
            place = self._place(moment.iteration - 1).removeprefix(f"{self._title} ")
            emit(self._console, f"{place}  {_line(self._row)}", wrap=False)

    def on_test(self, moment: Moment) -> None:
        self._progress.update(self._bar, description=f"{self._title} test")

    def on_stopping(self, moment: Moment) -> None:
        self._progress.update(self._bar, description=f"{self._title} stopping, once more stops at once")

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._opened.enter_context(self._console.status("building the network"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _place(self, done: int) -> str:
        """Which round of how many the next update belongs to."""
        total = -(-self._updates // self._epoch)
        what = "epoch" if self._epoch > 1 else "iteration"
        return f"{self._title} {what} {done // self._epoch + 1:{len(str(total))}}/{total}"


class TextBar:
    """A bar of plain text, drawn over with carriage returns: what a notebook shows without widgets."""

    needs_trials = False

    EVERY = 0.2
    """Seconds between two drawings, at least."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self._file = file or sys.stdout
        self._drawn, self._row, self._length = -np.inf, "", 0

    def on_update(self, moment: Moment) -> None:
        if time.monotonic() - self._drawn >= self.EVERY:
            self._draw(moment, self._row or _short(moment.metrics))

    def on_round(self, moment: Moment) -> None:
        self._row = _short(moment.metrics)
        if moment.length > 1:
            self._draw(moment, self._row)

    def on_end(self, moment: Moment) -> None:
        self._draw(moment, _short(moment.metrics))
        self._file.write("\n")

    def _draw(self, moment: Moment, row: str) -> None:
        done = round(20 * moment.iteration / moment.iterations)
        text = f"{moment.title} [{'#' * done}{'.' * (20 - done)}] {moment.iteration}/{moment.iterations} {row}"
        self._file.write(f"\r{text:{self._length}}")
        self._file.flush()
        self._drawn, self._length = time.monotonic(), len(text)


def _line(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {number(metrics[name])}" for name in SHOWN if name in metrics)


def _short(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{label} {metrics[name]:.3g}" for name, label in SHOWN.items() if label and name in metrics)


def number(value: float) -> str:
    """A metric in a few digits."""
    return f"{value:.5g}"


def summary(console: Console, rows: Mapping[str, str]) -> None:
    """The table at the end of a run."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in rows.items():
        table.add_row(name, text)
    emit(console, table)
