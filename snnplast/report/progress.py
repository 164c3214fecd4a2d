"""What a run shows while it goes on: a progress bar on a terminal, a line per epoch elsewhere, a table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from snnplast.report.console import emit

SHOWN = {"loss": "loss", "accuracy": "acc", "test_loss": "", "test_accuracy": "test acc"}
"""Metrics worth a place on a line, in this order, and what they are called where there is little room."""


class Display:
    """Shows the progress of one run; a context manager.

    updates: number of updates of the whole run. epoch: updates per epoch, 1 where the task has no epochs.
    done: updates done before.
    """

    def __init__(
        self, console: Console, title: str, updates: int, epoch: int, quiet: bool = False, done: int = 0
    ) -> None:
        self._console, self._title, self._updates, self._epoch = console, title, updates, epoch
        self._lines = not quiet and not console.is_terminal and epoch > 1
        self._row: dict[str, float] = {}
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[metrics]}", markup=False),
            TimeRemainingColumn(compact=True),
        )
        self._progress = Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)
        self._bar = self._progress.add_task(self._place(done), total=updates, completed=done, metrics="")

    def update(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """After an update."""
        recent = self._row | {name: value for name, value in metrics.items() if name in SHOWN}
        place = self._place(iteration - 1)
        self._progress.update(self._bar, completed=iteration, description=place, metrics=_short(recent))

    def row(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """After an epoch, or an iteration of a task without epochs."""
        self._row = {name: value for name, value in metrics.items() if name in SHOWN}
        self._progress.update(self._bar, metrics=_short(self._row))
        if self._lines:
            place = self._place(iteration - 1).removeprefix(f"{self._title} ")
            emit(self._console, f"{place}  {_line(self._row)}", wrap=False)

    def testing(self) -> None:
        """Test trials begin."""
        self._progress.update(self._bar, description=f"{self._title} test")

    def stopping(self) -> None:
        """The run is to stop at the next moment at which nothing is half done."""
        self._progress.update(self._bar, description=f"{self._title} stopping, once more stops at once")

    def tell(self, sentence: str) -> None:
        """What the user must know, also where nothing but errors is shown."""
        emit(Console(stderr=True), f"snnplast: {sentence}", wrap=False)

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def _place(self, done: int) -> str:
        """Which round of how many the next update belongs to."""
        total = -(-self._updates // self._epoch)
        what = "epoch" if self._epoch > 1 else "iteration"
        return f"{self._title} {what} {done // self._epoch + 1:{len(str(total))}}/{total}"


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
