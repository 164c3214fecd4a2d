"""How the gallery's figures look."""

from __future__ import annotations

from typing import Any

import matplotlib

STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.figsize": (6.4, 3.4),
    "legend.frameon": False,
}


def style(gallery: Any, file: Any) -> None:
    """Called by sphinx-gallery before each example, after matplotlib's own defaults."""
    matplotlib.rcParams.update(STYLE)
