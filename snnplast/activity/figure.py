"""The figure of one trial: rasters, example neurons, readout, learning signals and traces on one time axis.

What happens once per trial, such as the answer of a rate readout, stands below the time axis as bars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnplast.activity import panels
from snnplast.activity.activity import Activity
from snnplast.activity.panels import Scene
from snnplast.report.figures import GREY, bare, blank_figure

WIDTH, BARS = 10.0, 1.7
"""Inches: of the figure, and the height of the row of bars."""

Fill = Callable[[Axes], None]


def draw(activity: Activity, title: str) -> Figure:
    """The figure of a trial."""
    scene = Scene(activity)
    through, once = list(_through_time(scene)), list(_once(scene))
    heights = [height for height, _ in through] + [BARS] * bool(once)
    figure = blank_figure(0.8 + sum(heights), WIDTH)
    figure.get_layout_engine().set(h_pad=0.03, hspace=0.02)  # type: ignore[union-attr]
    grid = figure.add_gridspec(len(heights), max(1, len(once)), height_ratios=heights)
    axes: list[Axes] = []
    for row, (_, fill) in enumerate(through):
        axis = bare(figure.add_subplot(grid[row, :], sharex=axes[0] if axes else None))
        axes.append(axis)
        fill(axis)
        panels.window(axis, scene)
        last = row == len(through) - 1
        axis.spines["bottom"].set_visible(last)
        axis.tick_params(bottom=last, labelbottom=last)
    axes[0].set_xlim(0, activity.steps * activity.dt * 1e3)
    axes[0].set_title(title, loc="left", fontsize=11, color=GREY, pad=10)
    axes[-1].set_xlabel("time (ms)")
    figure.align_ylabels(axes)
    for column, fill in enumerate(once):
        fill(bare(figure.add_subplot(grid[-1, column])))
    return figure


def _through_time(scene: Scene) -> Iterator[tuple[float, Fill]]:
    """Height (inches) and content of each panel over time."""
    activity = scene.activity
    for name in dict.fromkeys(group.population for group in activity.groups):
        groups = [group for group in activity.groups if group.population == name]
        size, larger = sum(group.indices.size for group in groups), 1.3 if groups[0].kind else 1.0
        height = larger * float(np.clip(0.12 * np.sqrt(size), 0.7, 1.8))
        yield height, partial(panels.raster, scene=scene, groups=groups, height=height)
    for k in range(len(activity.neurons)):
        yield 0.85, partial(panels.membrane, scene=scene, number=k)
    if activity.readout is not None and not activity.readout.once:
        yield 1.1, partial(panels.readout, scene=scene)
        yield 0.8, partial(panels.error, scene=scene)
    if any(neuron.signal is not None for neuron in activity.neurons):
        yield 0.8, partial(panels.signals, scene=scene)
    for k in range(len(activity.synapses)):
        yield 0.6, partial(panels.traces, scene=scene, number=k)


def _once(scene: Scene) -> Iterator[Fill]:
    """What is known at the end of the trial only."""
    if scene.activity.readout is not None and scene.activity.readout.once:
        yield partial(panels.answer, scene=scene)
        yield partial(panels.answer_error, scene=scene)
    for name in scene.activity.signals:
        yield partial(panels.trial_signal, scene=scene, population=name)
