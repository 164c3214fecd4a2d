"""Figures of runs, records and weights, each a matplotlib `Figure`; matplotlib is loaded with the first one.

snnplast.plot.curves(run)                            # loss, accuracy, return; also run.plot()
snnplast.plot.raster(record)                         # or of a run that has recorded spikes
snnplast.plot.weights(run, "input_to_hidden")
snnplast.plot.rates(sim.activity("hidden", x))       # or of a record
snnplast.plot.confusion(run)

>>> import numpy as np, snnplast
>>> figure = snnplast.plot.rates({"hidden": np.array([[5.0, 12.0, 20.0], [7.0, 10.0, 22.0]])})
>>> [axis.get_xlabel() for axis in figure.axes]
['rate (Hz)']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from snnplast.errors import UserError, short
from snnplast.record.results import Run
from snnplast.task.trial import Record
from snnplast.training.saved_weights import kept_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["confusion", "curves", "raster", "rates", "weights"]


def curves(run: Run) -> Figure:
    """Losses, accuracies and returns over iterations or epochs. Raises `UserError` where there is none of them."""
    from snnplast.report.run_figures import learning_curves

    figure = learning_curves(_run("curves", run))
    if figure is None:
        raise UserError("plot.curves: the run has no loss, accuracy or return")
    return figure


def raster(shown: Run | Record, trials: int = 1) -> Figure:
    """Spikes over time (ms), one panel per population: of a record, or of the last recorded trials of a run."""
    from snnplast.report.figures import colours, panels, spike_size
    from snnplast.report.run_figures import raster as of_run

    if isinstance(shown, Run):
        figure = of_run(shown, trials)
        if figure is None:
            raise UserError("plot.raster: the run has recorded no spikes; Recording(spikes='neurons') keeps them")
        return figure
    if not isinstance(shown, Record):
        raise UserError(f"plot.raster: {short(shown)}: a run or a record is needed")
    sizes = {name: shown.network.populations[name].size for name in shown.spikes}
    heights = [float(np.clip(0.4 * np.sqrt(size), 0.8, 3)) for size in sizes.values()]
    figure, axes = panels(heights)
    dt = shown.network.dt * 1e3
    for axis, height, colour, (name, size) in zip(axes, heights, colours(len(sizes)), sizes.items(), strict=True):
        steps, neurons = shown.spikes[name]
        axis.plot(steps * dt, neurons, "|", color=colour, markersize=spike_size(height, size), markeredgewidth=0.9)
        axis.set_ylim(-0.7, size - 0.3)
        axis.set_ylabel(f"{name}\nneuron")
    axes[-1].set_xlim(0, shown.steps * dt)
    axes[-1].set_xlabel("time (ms)")
    return figure


def weights(source: Any, projection: str | None = None) -> Figure:
    """Weights as a matrix (source x target neuron), and their distribution; of a run, also before its first update.

    source: a run, loaded weights, the file of either, or an open experiment. projection: by default the first twelve.
    Raises `UserError` for what has no weights, or not this projection.
    """
    from snnplast.report.kept_figures import weights as of_kept

    kept = kept_weights(source, "plot.weights")
    figure = None if kept is None else of_kept(kept, None if projection is None else [projection])
    if figure is None:
        raise UserError(f"plot.weights: {short(source)} has no weights")
    return figure


def rates(shown: Record | Mapping[str, np.ndarray]) -> Figure:
    """How firing rates (Hz) are distributed over the neurons of each population.

    shown: a record, or name -> (samples, n) as `activity` of an open experiment gives them, of which means are drawn.
    """
    from snnplast.report.figures import bare, blank_figure, colours

    if isinstance(shown, Record):
        found = {name: shown.rates(name) for name in shown.spikes}
    elif isinstance(shown, Mapping):
        found = {name: np.atleast_2d(values).mean(axis=0) for name, values in shown.items()}
    else:
        raise UserError(f"plot.rates: {short(shown)}: a record, or rates by population, is needed")
    if not found:
        raise UserError("plot.rates: there is no population to draw")
    figure = blank_figure(0.9 + 1.6 * len(found))
    axes = figure.subplots(len(found), 1, squeeze=False)[:, 0]
    for axis, colour, (name, values) in zip(axes, colours(len(found)), found.items(), strict=True):
        bare(axis).hist(values, bins=min(40, max(5, values.size // 3)), color=colour)
        axis.set_ylabel(f"{name}\nneurons")
    axes[-1].set_xlabel("rate (Hz)")
    return figure


def confusion(run: Run, phase: str = "test") -> Figure:
    """How often which class was answered in the last test: rows are what was wanted. Raises as `Run.confusion`."""
    from snnplast.report.kept_figures import confusion as of_run

    return of_run(_run("confusion", run), phase)


def _run(what: str, given: Any) -> Run:
    if not isinstance(given, Run):
        raise UserError(f"plot.{what}: {short(given)}: a run is needed")
    return given
