"""The pages of the reference that are written from the code itself."""

from __future__ import annotations

from pathlib import Path

from generate import command_line, config, errors, plugins, python

PAGES = (plugins, python, config, command_line, errors)


def write(directory: Path) -> None:
    """Every page whose text has changed."""
    for name, text in (page for source in PAGES for page in source.pages()):
        file = directory / f"{name}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
