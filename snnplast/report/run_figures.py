"""Figures and a table of a finished run: learning curves, a raster of the last trial, the final metrics."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich.table import Table

from snnplast.record.reading import read_run
from snnplast.record.results import Run
from snnplast.record.writable import write_whole
from snnplast.report.figures import GREY, SHOWN_SPIKES, colours, image, panels, spike_size
from snnplast.report.kept_figures import confusion, weights

RASTER_INCHES = 1.9


def write_figures(path: str | os.PathLike[str]) -> list[Path]:
    """Draws `<stem>.learning.png` and `<stem>.raster.png` beside the run's file, each where there is something to draw.

    Returns the paths of those written. Needs no display and leaves matplotlib's global state alone.
    """
    run = read_run(path)
    written = []
    for name in ("learning", "raster"):
        if figure := FIGURES[name](run):
            target = run.path.with_name(f"{run.path.stem}.{name}.png")
            write_whole(target, image(figure, "png"))
            written.append(target)
    return written


def learning_curves(run: Run) -> Figure | None:
    """Losses, accuracies and returns, one below the other, over iterations or epochs; None for a run without any.

    A long curve is drawn pale, with its running mean over 1/50 of the run. Where some metrics are kept per iteration
    and others per epoch, an epoch is drawn at its last iteration.
    """
    known = [name for name in run.metrics if _finite_rows(run, name).any()]
    kinds = {kind: [name for name in known if _is(kind, name)] for kind in ("loss", "accuracy", "return")}
    shown = [(kind, names) for kind, names in kinds.items() if names]
    if not shown:
        return None
    figure, axes = panels([2.6] * len(shown))
    for axis, (kind, names) in zip(axes, shown, strict=True):
        for colour, name in zip(colours(len(names)), names, strict=True):
            _draw_metric(axis, run, name, colour)
        axis.set_ylabel(kind)
        axis.legend(frameon=False, fontsize=9)
        if kind == "loss" and _spans_decades(run, names):
            axis.set_yscale("log")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1].set_xlabel("epoch" if "iteration" not in run.per.values() else "iteration")
    axes[0].set_title(f"{run.path.name}, seed {run.seed}", loc="left", fontsize=10, color=GREY)
    return figure


def raster(run: Run, trials: int = 1) -> Figure | None:
    """Spikes of the last recorded trials, one panel per population, time in ms; None without recorded spikes."""
    rows = range(max(0, len(run.trials) - trials), len(run.trials))
    if not rows or not run.populations:
        return None
    shares = np.array([np.clip(np.sqrt(size), 3, 20) for size in run.populations.values()])
    heights = RASTER_INCHES * shares / shares.mean()
    figure, axes = panels(heights.tolist())
    begin, dt = float(run.trials["start"][rows[0]]), run.dt * 1e3
    for axis, height, colour, (name, size) in zip(
        axes, heights, colours(len(heights)), run.populations.items(), strict=True
    ):
        marker = spike_size(height, size)
        for row in rows:
            steps, neurons = run.trial_spikes(name, row)
            every = 1 + len(steps) // SHOWN_SPIKES
            times = steps[::every] * dt + float(run.trials["start"][row]) - begin
            axis.plot(times, neurons[::every], "|", color=colour, markersize=marker, markeredgewidth=0.9)
            if row > rows[0]:
                axis.axvline(float(run.trials["start"][row]) - begin, color=GREY, linewidth=0.6)
        axis.set_ylim(-0.7, size - 0.3)
        axis.set_ylabel(f"{name}\nneuron")
        axis.yaxis.set_major_locator(MaxNLocator(nbins=3 if size > 3 else size, integer=True))
        axis.margins(x=0.01)
    axes[-1].set_xlim(0, float(run.trials["stop"][rows[-1]]) - begin)
    axes[-1].set_xlabel("time (ms)")
    axes[0].set_title(_raster_title(run, rows), loc="left", fontsize=10, color=GREY)
    return figure


def summary(run: Run) -> Table:
    """Table of each metric's first, best and last value; best is the least loss, the greatest accuracy or return."""
    table = Table(title=f"{run.path.name}: {run.status}", title_justify="left")
    table.add_column("metric")
    for column in ("rows", "first", "best", "last"):
        table.add_column(column, justify="right")
    for name, values in run.metrics.items():
        known = values[np.isfinite(values)]
        greatest = _is("accuracy", name) or _is("return", name)
        best = known.min if _is("loss", name) else known.max if greatest else None
        cells = [known[0], best() if best else None, known[-1]] if len(known) else [None] * 3
        table.add_row(name, f"{len(values)} per {run.per[name]}", *("" if x is None else f"{x:.4g}" for x in cells))
    return table


def _answers(run: Run) -> Figure | None:
    """The confusion matrix of the test, else of training; None without answers."""
    phases = [phase for phase in ("test", "training") if phase in run.answers["phase"]]
    return confusion(run, phases[0]) if phases else None


FIGURES: dict[str, Callable[[Run], Figure | None]] = {
    "learning": learning_curves,
    "raster": raster,
    "weights": weights,
    "confusion": _answers,
}
"""All figures of a run, by name."""


def _is(kind: str, name: str) -> bool:
    """Whether a metric is that of training or of tests."""
    return name == kind or name.endswith(f"_{kind}")


def _finite_rows(run: Run, name: str) -> np.ndarray:
    return np.isfinite(run.metrics[name])


def _draw_metric(axis: Axes, run: Run, name: str, colour: str) -> None:
    known = _finite_rows(run, name)
    x, values = _positions(run, name)[known], run.metrics[name][known]
    label = name.replace("_", " ")
    window = len(values) // 50
    if window < 2:
        axis.plot(x, values, color=colour, label=label, linewidth=1.6, marker="o" * (len(x) < 40), markersize=3.5)
        return
    axis.plot(x, values, color=colour, alpha=0.25, linewidth=0.7)
    mean = np.convolve(values, np.full(window, 1 / window), mode="valid")
    middle = window // 2
    axis.plot(x[middle : middle + len(mean)], mean, color=colour, label=f"{label} (mean of {window})", linewidth=1.6)


def _positions(run: Run, name: str) -> np.ndarray:
    """Where the rows of a metric lie on the common axis: 1, 2, ..., or at the last iteration of each epoch."""
    rows = 1.0 + np.arange(len(run.metrics[name]))
    iterations = max((len(run.metrics[other]) for other, per in run.per.items() if per == "iteration"), default=0)
    return rows * iterations / len(rows) if run.per[name] == "epoch" and iterations else rows


def _spans_decades(run: Run, names: list[str]) -> bool:
    values = np.concatenate([run.metrics[name][_finite_rows(run, name)] for name in names])
    return bool(values.min() > 0 and values.max() > 30 * values.min())


def _raster_title(run: Run, rows: range) -> str:
    last = run.trials[rows[-1]]
    many = f"the last {len(rows)} trials, up to " if len(rows) > 1 else ""
    iteration = f", iteration {last['iteration']}" if last["iteration"] >= 0 else ""
    return f"{run.path.name}: {many}trial {last['trial']} ({last['phase']}{iteration})"
