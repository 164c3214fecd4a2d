"""`snnplast sweep`: a grid of runs, or those of it that a search picks; the table and the figure of what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from snnplast.cli.output import save
from snnplast.cli.sweep_shown import by_values, draw, table, write_rows
from snnplast.errors import UserError, nearest
from snnplast.files import usable
from snnplast.record.reading import read_run
from snnplast.record.writable import check_writable
from snnplast.report.console import emit
from snnplast.report.progress import number
from snnplast.training.early_stopping import lower_is_better
from snnplast.training.executors import Factory, Processes, factory_of
from snnplast.training.interrupt import Interrupted, number_of
from snnplast.training.search import search
from snnplast.training.sweep import Axis, Point, check_earlier, command, grid, run_all

SHOWN = ("test_accuracy", "accuracy", "test_return", "return", "test_loss", "loss", "spikes_per_trial")
"""The first of these that the runs have is shown, and the correlation of a third factor where one is measured."""
CORRELATION = "third_factor_correlation"
Runs = Callable[[Sequence[Point]], None]
TRIES = 20
"""Combinations that a search tries, unless told."""


APART = {
    "executor": "an executor knows how many runs it has side by side",
    "list": "commands are printed, and nothing is run",
}
"""Options that some others make no sense with, and why."""


@dataclass(frozen=True)
class Sweep:
    """`snnplast sweep` with its options, by their names; None where they are not given. list: print commands alone."""

    target: str
    sets: Sequence[str]
    over: Sequence[str]
    seeds: str
    metric: Sequence[str] = ()
    jobs: int | None = None
    executor: str | None = None
    search: str | None = None
    tries: int | None = None
    list: bool = False
    output: str | None = None
    inexact: bool = False
    force: bool = False


def sweep(console: Console, asked: Sweep) -> None:
    """Runs the grid and leaves, in a directory, the file of each run, runs.csv and sweep.png.

    Raises `UserError` before anything is run, or at the end where runs have failed.
    """
    axes, factory = [Axis.parse(text) for text in asked.over], _factory(asked)
    directory = usable(asked.output, "--output") if asked.output else Path(f"{usable(asked.target).stem}.sweep")
    if not directory.exists():
        check_writable(str(directory), "--output")
    elif not directory.is_dir():
        raise UserError(f"--output: '{directory}' is no directory")
    points = grid(asked.target, asked.sets, axes, _seeds(asked.seeds), directory)
    check_earlier(points, asked.inexact, asked.force)
    directory.mkdir(exist_ok=True)
    if asked.list:
        for line in filter(None, (command(point, asked.inexact, asked.force) for point in points)):
            print(line)
        return
    failed: dict[Point, str] = {}

    def run(some: Sequence[Point]) -> None:
        failed.update(_run(console, some, axes, factory, asked))

    if asked.search:
        points = _searched(console, axes, points, asked.search, TRIES if asked.tries is None else asked.tries, run)
    else:
        run(points)
    if done := next((point for point in points if point not in failed), None):
        wanted = asked.metric or ([asked.search] if asked.search else [])
        _show(console, directory, axes, points, _shown(done, wanted))
    if failed:
        raise UserError(f"{len(failed)} of {len(points)} runs failed, the first: {next(iter(failed.values()))}")


def _factory(asked: Sweep) -> Factory:
    """What makes the executor that the options ask for, after a look at whether they go together."""
    if asked.jobs is not None and asked.jobs < 1:
        raise UserError(f"--jobs {asked.jobs}: at least 1 process is needed")
    if asked.tries is not None and (asked.tries < 1 or not asked.search):
        raise UserError(f"--tries {asked.tries}: at least 1 is needed, with --search METRIC")
    for first, second in (("executor", "jobs"), ("list", "search"), ("list", "executor"), ("list", "jobs")):
        if getattr(asked, first) and getattr(asked, second):
            raise UserError(f"--{first} and --{second} do not go together: {APART[first]}")
    if asked.executor:
        return factory_of(asked.executor)
    return lambda: Processes(asked.jobs or 1)


def _searched(
    console: Console,
    axes: Sequence[Axis],
    points: Sequence[Point],
    metric: str,
    tries: int,
    run: Callable[[Sequence[Point]], None],
) -> list[Point]:
    """The points that a search has run, a line for each proposal and one for the best."""
    found: dict[tuple[str, ...], float] = {}
    for done, (values, value) in enumerate(search(axes, points, metric, tries, run), 1):
        again = ", as before" if values in found else ""
        found[values] = value
        emit(console, f"try {done:{len(str(tries))}}/{tries}  {_name(axes, values)}: {metric} {number(value)}{again}")
    known = {values: value for values, value in found.items() if value == value}
    if known:
        best = (min if lower_is_better(metric) else max)(known, key=lambda values: known[values])
        emit(console, f"\nbest: {_name(axes, best)}: {metric} {number(known[best])}\n")
    return [point for point in points if point.values in found]


def _run(
    console: Console, points: Sequence[Point], axes: Sequence[Axis], factory: Factory, asked: Sweep
) -> dict[Point, str]:
    """Runs points that are not complete, a line for each; what went wrong where something did."""
    failed, there = {}, {point for point in points if not command(point, asked.inexact, asked.force)}
    try:
        for done, (point, wrong) in enumerate(run_all(points, factory, asked.inexact, asked.force), 1):
            if wrong:
                failed[point] = wrong
            name = f"{_name(axes, point.values)}, seed {point.seed}"
            said = f": {wrong}" if wrong else ", as before" if point in there else ""
            emit(console, f"{done:{len(str(len(points)))}}/{len(points)}  {name}{said}")
    except KeyboardInterrupt as interrupt:
        raise Interrupted(number_of(interrupt), "; the same command goes on where the runs were") from None
    return failed


def _name(axes: Sequence[Axis], values: Sequence[str]) -> str:
    return ", ".join(f"{axis.label} {value}" for axis, value in zip(axes, values, strict=True))


def _show(
    console: Console, directory: Path, axes: Sequence[Axis], points: Sequence[Point], metrics: Sequence[str]
) -> None:
    write_rows(directory / "runs.csv", axes, points, metrics)
    found = {name: by_values(points, name) for name in metrics}
    emit(console, table(axes, found))
    save(draw(axes, found), directory / "sweep.png")
    emit(console, f"\nfigure {directory / 'sweep.png'}, table {directory / 'runs.csv'}", wrap=False)


def _seeds(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 0 or len(set(found)) < len(found):
        raise UserError(f"--seeds {text}: different whole numbers from 0 on are needed, such as --seeds 0,1,2")
    return found


def _shown(done: Point, wanted: Sequence[str]) -> list[str]:
    """The metrics to show, if the runs have them."""
    known = read_run(done.path).metrics
    for name in wanted:
        if name not in known:
            raise UserError(f"--metric {name}: the runs have no such metric; {nearest(name, known)}")
    usual = [next(name for name in SHOWN if name in known)]
    return list(wanted) or usual + [CORRELATION] * (CORRELATION in known)
