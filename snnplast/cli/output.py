"""Figures that a command writes where the user wants them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snnplast.errors import UserError
from snnplast.record.writable import check_writable, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".pdf", ".png", ".svg")


def figure_path(given: str, option: str = "--output") -> Path:
    """The path that an option gives, if a figure can be written there; leaves nothing behind."""
    path = check_writable(given, option)
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{option}: '{path}' names no format of figures; {', '.join(FORMATS)} are allowed")
    return path


def save(figure: Figure, path: Path) -> None:
    """Writes a figure whole or not at all. Raises `UserError`."""
    from snnplast.report.figures import image  # matplotlib loads slowly

    write_whole(path, image(figure, path.suffix[1:].lower()))
