"""`snnplast surrogates`: the surrogate derivatives there are, and what they look like."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.text import Text

from snnplast.cli.output import figure_path, save
from snnplast.learning.surrogate import SURROGATES
from snnplast.report.console import emit

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_surrogates(console: Console, output: str | None) -> None:
    """One line per surrogate derivative with its formula; with `output` a figure of all of them."""
    path = figure_path(output) if output else None
    width = max(map(len, SURROGATES))
    for name, kind in SURROGATES.items():
        formula = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0].rstrip(".")
        emit(console, Text.assemble((f"{name:{width}}", "bold"), f"  {formula}"), wrap=False)
    emit(
        console,
        "\npsi = height/theta f(u), u = (v - A)/(relative_width theta), by default height 0.3, relative_width 1",
    )
    if path:
        save(surrogates_figure(), path)


def surrogates_figure() -> Figure:
    """psi of all over (v - A)/theta, with their defaults and theta = 1."""
    from snnplast.report.figures import colours, panels

    figure, (axis,) = panels([2.6])
    u = np.linspace(-3, 3, 1201)
    for colour, (name, kind) in zip(colours(len(SURROGATES)), SURROGATES.items(), strict=True):
        axis.plot(u, kind()(u), color=colour, label=name, linewidth=1.6)
    axis.set_xlabel(r"$(v - A)/\theta$")
    axis.set_ylabel(r"$\psi\,\theta$")
    axis.set_ylim(0, None)
    axis.legend(frameon=False, fontsize=9)
    return figure
