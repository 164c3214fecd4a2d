"""Tutorials as notebooks, for download and for tests, and the command that their cells call."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
from nbformat import NotebookNode

TUTORIALS = Path(__file__).parents[1] / "tutorials"
_DOWNLOAD = re.compile(r"^\{download\}.*\n+", re.M)
_LINK = re.compile(r"(?<!!)\[([^]]+)\]\((?!https?:)[^)]+\)")

OFFLINE = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""So that pip builds with the setuptools that is there; 0 is how pip spells "none" here."""


def pages() -> Iterator[Path]:
    """The tutorials that are run."""
    yield from (page for page in sorted(TUTORIALS.glob("*.md")) if "file_format: mystnb" in page.read_text())


def notebook(page: Path) -> NotebookNode:
    """The cells of a page; what it links to on the site is named."""
    book = jupytext.reads(page.read_text(), fmt="md:myst")
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(r"\1", _DOWNLOAD.sub("", cell.source))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.metadata = NotebookNode({"kernelspec": kernel, "language_info": {"name": "python"}})
    return book


def write(directory: Path) -> None:
    """Every page's notebook, not run; those that have changed."""
    directory.mkdir(parents=True, exist_ok=True)
    for page in pages():
        file, text = directory / f"{page.stem}.ipynb", jupytext.writes(notebook(page), fmt="ipynb")
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def with_command(directory: Path) -> str:
    """A PATH on which `snnplast` is that of this Python, installed or not; the command is written to a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    command = directory / "snnplast"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m snnplast "$@"\n')
    command.chmod(0o755)
    return os.pathsep.join([str(directory), str(Path(sys.executable).parent), os.environ["PATH"]])


def prepare(app: Any) -> None:
    """Before pages are read: the notebooks they offer, and the command their cells call."""
    write(TUTORIALS / "notebooks")
    os.environ["PATH"] = with_command(Path(app.doctreedir) / "command")
    os.environ |= OFFLINE
