"""What a run shows while it goes on: a progress bar on a terminal, a line per epoch elsewhere, a table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from snnplast.console import emit

SHOWN = ("loss", "accuracy", "test_loss", "test_accuracy")
"""Metrics worth a place on one line, in this order."""


class Display:
    """Shows the progress of one run; a context manager.

    updates: number of updates of the whole run. epoch: updates per epoch, 1 where the task has no epochs.
    """

    def __init__(self, console: Console, title: str, updates: int, epoch: int, quiet: bool = False) -> None:
        self._console, self._title, self._updates, self._epoch = console, title, updates, epoch
        self._lines = not quiet and not console.is_terminal and epoch > 1
        self._row: dict[str, float] = {}
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}", markup=False),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)
        self._bar = self._progress.add_task(title, total=updates, metrics="")

    def update(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """After an update."""
        recent = {**self._row, **{name: metrics[name] for name in SHOWN if name in metrics}}
        self._progress.update(self._bar, completed=iteration, metrics=_line(recent))

    def row(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """After an epoch, or an iteration of a task without epochs."""
        self._row = {name: metrics[name] for name in SHOWN if name in metrics}
        self._progress.update(self._bar, metrics=_line(self._row))
        if self._lines:
            done, total = -(-iteration // self._epoch), -(-self._updates // self._epoch)
            width = len(str(total))
            emit(self._console, f"epoch {done:{width}}/{total}  {_line(self._row)}", wrap=False)

    def testing(self, on: bool) -> None:
        """Whether test trials are running."""
        self._progress.update(self._bar, description=f"{self._title} (test)" if on else self._title)

    def __enter__(self) -> Display:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)


def _line(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {number(metrics[name])}" for name in SHOWN if name in metrics)


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
