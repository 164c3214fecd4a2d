"""Figures of what a run's file keeps: weights at the end beside those of the beginning, and what was answered."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snnplast.record.results import Run
from snnplast.report.figures import COLOURS, GREY, bare, blank_figure

MOST_PANELS, MOST_NUMBERS, MOST_NAMES, BINS = 12, 20, 40, 60


def weights(run: Run) -> Figure | None:
    """How the weights of each projection are distributed, at the beginning in grey, and at the end; learned ones first.

    None for a run without weights.
    """
    names = sorted(run.projections, key=lambda name: name not in run.learned)[:MOST_PANELS]
    if not names:
        return None
    figure = blank_figure(0.6 + 1.5 * len(names))
    axes = [bare(axis) for axis in figure.subplots(len(names), 1, squeeze=False)[:, 0]]
    for axis, name in zip(axes, names, strict=True):
        _distributions(axis, run, name)
    shown = f", {len(names)} of {len(run.projections)} projections" if len(names) < len(run.projections) else ""
    axes[0].set_title(f"{run.path.name}: weights{shown}", loc="left", fontsize=10, color=GREY)
    return figure


def confusion(run: Run, phase: str = "test") -> Figure:
    """How often which class was answered in the last test, or round of training. Raises as `Run.confusion`."""
    counts = run.confusion(phase)
    size = len(counts)
    figure = blank_figure(5.2, 5.8)
    axis = figure.subplots()
    image = axis.imshow(counts, cmap="Blues", vmin=0)
    if size <= MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if 2 * count > counts.max() else "black"
                axis.text(column, row, str(count), ha="center", va="center", fontsize=8, color=colour)
    if size <= MOST_NAMES:
        turned = max(len(str(name)) for name in run.classes) > 2
        axis.set_xticks(range(size), [str(name) for name in run.classes], rotation=90 if turned else 0, fontsize=8)
        axis.set_yticks(range(size), [str(name) for name in run.classes], fontsize=8)
    axis.set_xlabel("answered")
    axis.set_ylabel("wanted")
    figure.colorbar(image, ax=axis, shrink=0.7, ticks=MaxNLocator(nbins=6, integer=True))
    right = f"{np.trace(counts)} of {counts.sum()} right"
    last = run.answers["iteration"][run.answers["phase"] == phase].max()
    title = f"{run.path.name}: {phase}, iteration {last}, {right}"
    axis.set_title(title, loc="left", fontsize=10, color=GREY)
    return figure


def _distributions(axis: Axes, run: Run, name: str) -> None:
    """Histograms of a projection's weights on common bins."""
    sets = {"initial": run.values(name, "initial"), "last": run.values(name)} if name in run.learned else {}
    sets = {label: values[np.isfinite(values)] for label, values in (sets or {"fixed": run.values(name)}).items()}
    every = np.concatenate(list(sets.values()))
    axis.set_ylabel(f"{name}\nsynapses", fontsize=9)
    if not every.size:
        return
    bins = np.histogram_bin_edges(every, int(np.clip(np.sqrt(every.size), 5, BINS))).tolist()
    if "initial" in sets:
        axis.hist(sets["initial"], bins, color=GREY, alpha=0.4, label="initial")
    label = "last" if "last" in sets else "not learned"
    axis.hist(sets.get("last", every), bins, histtype="step", linewidth=1.4, color=COLOURS[0], label=label)
    axis.legend(frameon=False, fontsize=8)
