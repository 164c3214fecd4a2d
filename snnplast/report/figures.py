"""What all figures share: colours, bare axes, panels on one time axis, and how a spike is drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#1f5fa8", "#d1602b", "#2f8f5b", "#8a4fa3", "#b8952a", "#5b6570")
GREY = "#5b6570"
SHOWN_SPIKES = 50_000  # more than this is a black surface, and a slow one


def colours(count: int) -> list[str]:
    """The first `count` colours, from the beginning again where there are not so many."""
    return [COLOURS[k % len(COLOURS)] for k in range(count)]


class Shown(Figure):
    """A figure that a notebook shows, whatever its backend is."""

    def _repr_png_(self) -> bytes:
        return image(self, "png")


def blank_figure(height: float, width: float = 7.2) -> Figure:
    """An empty figure (inches) that needs no display and leaves matplotlib's global state alone."""
    figure = Shown(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def image(figure: Figure, kind: str) -> bytes:
    """The content of a file of this kind: png, svg or pdf."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format=kind, dpi=150)
    return drawn.getvalue()


def panels(heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure of panels (heights in inches) below each other that share their horizontal axis."""
    figure = blank_figure(0.9 + sum(heights))
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights))[:, 0]
    return figure, [bare(axis) for axis in axes]


def bare(axis: Axes) -> Axes:
    """The same axes without a frame above and to the right."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=9)
    return axis


def spike_size(inches: float, neurons: int) -> float:
    """Length in points of the stroke for a spike, in a raster of so many neurons on so many inches."""
    return float(np.clip(1.2 * 72 * inches / neurons, 2.8, 9))
