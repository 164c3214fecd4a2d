"""`snnplast sweep`: a grid of runs, the table and the figure of what came of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from snnplast.cli.output import save
from snnplast.errors import UserError, nearest
from snnplast.files import usable
from snnplast.record.reading import read_run
from snnplast.record.writable import check_writable, write_whole
from snnplast.report.console import emit
from snnplast.report.progress import number
from snnplast.training.interrupt import Interrupted, number_of
from snnplast.training.sweep import Axis, Point, check_earlier, grid, run_all

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = ("test_accuracy", "accuracy", "test_return", "return", "test_loss", "loss", "spikes_per_trial")
"""The first of these that the runs have is shown, and the correlation of a third factor where one is measured."""
CORRELATION = "third_factor_correlation"


def sweep(
    console: Console,
    target: str,
    sets: Sequence[str],
    over: Sequence[str],
    seeds: str,
    metrics: Sequence[str],
    jobs: int,
    output: str | None,
    inexact: bool = False,
    force: bool = False,
) -> None:
    """Runs the grid and leaves, in a directory, the file of each run, runs.csv and sweep.png.

    Raises `UserError` before anything is run, or at the end where runs have failed.
    """
    axes, numbers = [Axis.parse(text) for text in over], _seeds(seeds)
    if jobs < 1:
        raise UserError(f"--jobs {jobs}: at least 1 process is needed")
    directory = usable(output, "--output") if output else Path(f"{usable(target).stem}.sweep")
    if not directory.exists():
        check_writable(str(directory), "--output")
    elif not directory.is_dir():
        raise UserError(f"--output: '{directory}' is no directory")
    points = grid(target, sets, axes, numbers, directory)
    check_earlier(points, inexact, force)
    directory.mkdir(exist_ok=True)
    failed = _run(console, points, axes, jobs, inexact, force)
    done = next((point for point in points if point not in failed), None)
    if done:
        shown = _shown(done, metrics)
        _write_rows(directory / "runs.csv", axes, points, shown)
        found = {name: _by_values(points, name) for name in shown}
        emit(console, _table(axes, found))
        figure = directory / "sweep.png"
        save(draw(axes, found), figure)
        emit(console, f"\nfigure {figure}, table {directory / 'runs.csv'}", wrap=False)
    if failed:
        raise UserError(f"{len(failed)} of {len(points)} runs failed, the first: {next(iter(failed.values()))}")


def _run(
    console: Console, points: Sequence[Point], axes: Sequence[Axis], jobs: int, inexact: bool, force: bool
) -> dict[Point, str]:
    """Runs all points, a line for each; what went wrong where something did."""
    failed = {}
    try:
        for done, (point, wrong) in enumerate(run_all(points, jobs, inexact, force), 1):
            if wrong:
                failed[point] = wrong
            emit(console, f"{done:{len(str(len(points)))}}/{len(points)}  {_name(axes, point)}{wrong and ': '}{wrong}")
    except KeyboardInterrupt as interrupt:
        raise Interrupted(number_of(interrupt), "; the same command goes on where the runs were") from None
    return failed


def _name(axes: Sequence[Axis], point: Point) -> str:
    settings = [f"{axis.label} {value}" for axis, value in zip(axes, point.values, strict=True)]
    return ", ".join([*settings, f"seed {point.seed}"])


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


def _write_rows(path: Path, axes: Sequence[Axis], points: Sequence[Point], metrics: Sequence[str]) -> None:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow([*(axis.key for axis in axes), "seed", *metrics, "file"])
    for point in points:
        rows.writerow([*point.values, point.seed, *map(point.metric, metrics), point.path.name])
    write_whole(path, text.getvalue().encode())


def _by_values(points: Sequence[Point], metric: str) -> dict[tuple[str, ...], np.ndarray]:
    """A metric of all seeds for each combination of values, without those that failed."""
    found: dict[tuple[str, ...], list[float]] = {}
    for point in points:
        found.setdefault(point.values, []).append(point.metric(metric))
    return {values: np.array(rows)[np.isfinite(rows)] for values, rows in found.items()}


def _table(axes: Sequence[Axis], found: dict[str, dict[tuple[str, ...], np.ndarray]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in (*(axis.label for axis in axes), *(name.replace("_", " ") for name in found)):
        table.add_column(name, justify="right")
    for values in next(iter(found.values())):
        table.add_row(*values, *(_spread(rows[values]) for rows in found.values()))
    return table


def _spread(values: np.ndarray) -> str:
    """Mean and standard deviation over seeds."""
    return f"{number(values.mean())} ± {values.std():.2g}" if values.size else "-"


def draw(axes: Sequence[Axis], found: dict[str, dict[tuple[str, ...], np.ndarray]]) -> Figure:
    """A panel per metric over the first axis, a line for each combination of the others; strokes: sd over seeds."""
    from snnplast.report.figures import colours, panels  # matplotlib loads slowly

    figure, panes = panels([2.8] * len(found))
    first, *others = axes
    lines = list(dict.fromkeys(values[1:] for values in next(iter(found.values()))))
    place = _places(panes[0], first.values)
    for pane, (metric, rows) in zip(panes, found.items(), strict=True):
        for colour, rest in zip(colours(len(lines)), lines, strict=True):
            known = [value for value in first.values if rows[value, *rest].size]
            x = [place[value] for value in known]
            mean, spread = (np.array([f(rows[value, *rest]) for value in known]) for f in (np.mean, np.std))
            label = ", ".join(f"{axis.label} {value}" for axis, value in zip(others, rest, strict=True))
            pane.plot(x, mean, "o-", color=colour, label=label, linewidth=1.6, markersize=3.5)
            pane.vlines(x, mean - spread, mean + spread, color=colour, alpha=0.4, linewidth=1.6)
        pane.set_ylabel(metric.replace("_", " ").replace("third factor ", "third factor\n"))
    if others:
        panes[0].legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    panes[-1].set_xlabel(first.label.replace("_", " "))
    return figure


def _places(pane: Axes, values: Sequence[str]) -> dict[str, float]:
    """Where values lie on the horizontal axis: numbers by value, on a log scale if far apart; others in a row."""
    try:
        places = {value: float(value) for value in values}
    except ValueError:
        places = {value: float(k) for k, value in enumerate(values)}
        pane.set_xticks(list(places.values()), labels=list(values))
        return places
    if min(places.values()) > 0 and max(places.values()) >= 8 * min(places.values()):
        pane.set_xscale("log", base=2)
        pane.set_xticks(list(places.values()), labels=list(values))
    return places
