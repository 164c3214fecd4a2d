"""What came of a sweep: the rows of a table, the table on the console, the figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from snnplast.record.writable import write_whole
from snnplast.report.progress import number
from snnplast.training.sweep import Axis, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Found = Mapping[str, Mapping[tuple[str, ...], np.ndarray]]
"""Metric -> values of the axes -> the metric of all seeds, without those that failed."""


def write_rows(path: Path, axes: Sequence[Axis], points: Sequence[Point], metrics: Sequence[str]) -> None:
    """A table (.csv) of all points: their values, seed, metrics and file."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow([*(axis.key for axis in axes), "seed", *metrics, "file"])
    for point in points:
        rows.writerow([*point.values, point.seed, *map(point.metric, metrics), point.path.name])
    write_whole(path, text.getvalue().encode())


def by_values(points: Sequence[Point], metric: str) -> dict[tuple[str, ...], np.ndarray]:
    """A metric of all seeds for each combination of values, without those that failed."""
    found: dict[tuple[str, ...], list[float]] = {}
    for point in points:
        found.setdefault(point.values, []).append(point.metric(metric))
    return {values: np.array(rows)[np.isfinite(rows)] for values, rows in found.items()}


def table(axes: Sequence[Axis], found: Found) -> Table:
    """A row for each combination of values."""
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in (*(axis.label for axis in axes), *(name.replace("_", " ") for name in found)):
        shown.add_column(name, justify="right")
    for values in next(iter(found.values())):
        shown.add_row(*values, *(spread(rows[values]) for rows in found.values()))
    return shown


def spread(values: np.ndarray) -> str:
    """Mean and standard deviation over seeds."""
    return f"{number(values.mean())} ± {values.std():.2g}" if values.size else "-"


def draw(axes: Sequence[Axis], found: Found) -> Figure:
    """A panel per metric over the first axis, a line for each combination of the others; strokes: sd over seeds."""
    from snnplast.report.figures import colours, panels  # matplotlib loads slowly

    figure, panes = panels([2.8] * len(found))
    first, *others = axes
    lines = list(dict.fromkeys(values[1:] for values in next(iter(found.values()))))
    place = _places(panes[0], first.values)
    for pane, (metric, rows) in zip(panes, found.items(), strict=True):
        for colour, rest in zip(colours(len(lines)), lines, strict=True):
            known = [value for value in first.values if rows.get((value, *rest), np.empty(0)).size]
            x = [place[value] for value in known]
            mean, sd = (np.array([f(rows[value, *rest]) for value in known]) for f in (np.mean, np.std))
            label = ", ".join(f"{axis.label} {value}" for axis, value in zip(others, rest, strict=True))
            pane.plot(x, mean, "o-", color=colour, label=label, linewidth=1.6, markersize=3.5)
            pane.vlines(x, mean - sd, mean + sd, color=colour, alpha=0.4, linewidth=1.6)
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
