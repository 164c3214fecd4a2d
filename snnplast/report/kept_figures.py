"""Figures of what was kept: weights, of a run beside those of its beginning, and what a run has answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snnplast.record.results import Run
from snnplast.record.weights import Weights
from snnplast.report.figures import COLOURS, GREY, bare, blank_figure

MOST_PANELS, MOST_NUMBERS, MOST_NAMES, BINS = 12, 20, 40, 60
MOST_CELLS = 400  # along a side of a matrix, which has no more pixels


def weights(kept: Run | Weights, names: Sequence[str] | None = None) -> Figure | None:
    """Of each projection the matrix of weights, and how they are distributed; of a run, at the beginning in grey, too.

    names: of projections; by default the first twelve, learned ones before others. None where there are none.
    Raises `UserError` for an unknown name.
    """
    run, found = (kept, kept.weights) if isinstance(kept, Run) else (None, kept)
    known = sorted(found.projections, key=lambda name: run is not None and name not in run.learned)
    names = known[:MOST_PANELS] if names is None else names
    if not names:
        return None
    figure = blank_figure(0.8 + 2.1 * len(names))
    for (left, right), name in zip(figure.subplots(len(names), 2, squeeze=False), names, strict=True):
        pre, post, weight = found.synapses(name)
        _matrix(left, name, pre, post, weight)
        _distributions(bare(right), _sets(run, name, weight))
    shown = f", {len(names)} of {len(known)} projections" if len(names) < len(known) else ""
    figure.suptitle(f"{run.path.name if run else found.where}: weights{shown}", fontsize=10, color=GREY)
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


def _matrix(axis: Axes, name: str, pre: np.ndarray, post: np.ndarray, weight: np.ndarray) -> None:
    """Source x target neuron; large ones by means of the synapses in a cell."""
    finite = np.isfinite(weight)
    pre, post, weight = pre[finite], post[finite], weight[finite]
    sizes = pre.max(initial=0) + 1, post.max(initial=0) + 1
    columns, rows = (min(size, MOST_CELLS) for size in sizes)
    cell = post * rows // sizes[1] * columns + pre * columns // sizes[0]
    counts, sums = (np.bincount(cell, by, rows * columns).reshape(rows, columns) for by in (None, weight))
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    limit = float(np.max(np.abs(weight), initial=0)) or 1.0
    extent = (-0.5, sizes[0] - 0.5, sizes[1] - 0.5, -0.5)
    drawn = axis.imshow(
        means, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", extent=extent
    )
    axis.figure.colorbar(drawn, ax=axis)
    axis.set(xlabel="source neuron", ylabel="target neuron")
    axis.set_title(name, loc="left", fontsize=9)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _sets(run: Run | None, name: str, weight: np.ndarray) -> dict[str, np.ndarray]:
    """What is to be compared of a projection: of what a run has learned, the beginning and the end."""
    if run is None:
        return {"weights": weight}
    return {"initial": run.values(name, "initial"), "last": weight} if name in run.learned else {"not learned": weight}


def _distributions(axis: Axes, sets: Mapping[str, np.ndarray]) -> None:
    """Histograms on common bins; what was at the beginning is grey."""
    finite = {label: values[np.isfinite(values)] for label, values in sets.items()}
    every = np.concatenate(list(finite.values()))
    axis.set(xlabel="weight", ylabel="synapses")
    if not every.size:
        return
    bins = np.histogram_bin_edges(every, int(np.clip(np.sqrt(every.size), 5, BINS))).tolist()
    for label, values in finite.items():
        if label == "initial":
            axis.hist(values, bins, color=GREY, alpha=0.4, label=label)
        else:
            axis.hist(values, bins, histtype="step", linewidth=1.4, color=COLOURS[0], label=label)
    axis.legend(frameon=False, fontsize=8)
