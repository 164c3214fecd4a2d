"""`snnplast plot`: the figures of a run's file, beside it or in a directory."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rich.console import Console

from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.record.writable import check_writable, write_whole
from snnplast.report.console import emit


def plot(console: Console, file: str, output: str | None, force: bool) -> list[Path]:
    """Draws all that the file holds, as STEM.NAME.png, and prints the paths; all figures are written, or none.

    output: a directory; by default that of the file. force: figures that look otherwise may be overwritten; one that
    is there already, as it would be drawn, is left as it is. Raises `UserError`.
    """
    from snnplast.report.figures import image  # matplotlib loads slowly
    from snnplast.report.run_figures import FIGURES

    run = read_run(file)
    directory = Path(output) if output else run.path.parent
    targets = {name: check_writable(directory / f"{run.path.stem}.{name}.png", "--output") for name in FIGURES}
    drawn = {targets[name]: image(figure, "png") for name, draw in FIGURES.items() if (figure := draw(run))}
    if not drawn:
        raise UserError(f"'{run.path}' holds nothing to draw: no metrics, spikes, weights or answers")
    new = [path for path, content in drawn.items() if not path.exists() or path.read_bytes() != content]
    if not force and (standing := [path for path in new if path.exists()]):
        raise UserError(f"--output: '{standing[0]}' exists and looks otherwise; --force overwrites it")
    _write(new, drawn)
    for path in drawn:
        emit(console, str(path), wrap=False)
    return list(drawn)


def _write(paths: list[Path], drawn: dict[Path, bytes]) -> None:
    """Write these; where one cannot be, those that were not there are gone again."""
    fresh: list[Path] = []
    try:
        for path in paths:
            fresh += [path] * (not path.exists())
            write_whole(path, drawn[path])
    except BaseException:
        for path in fresh:
            with contextlib.suppress(OSError):
                path.unlink()
        raise
