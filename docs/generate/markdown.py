"""Docstrings of this project as Markdown: equations are indented, examples begin with >>>."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.M)


def of_docstring(text: str) -> str:
    """Paragraphs with their special characters escaped, equations and examples as code."""
    text = _SECTION.sub(r"\1:\n", inspect.cleandoc(text or ""))
    return "\n\n".join(_block(block) for block in _blocks(text))


def _blocks(text: str) -> list[str]:
    """Parts between empty lines; indented parts that follow each other stay together."""
    found: list[str] = []
    for part in re.split(r"\n\s*\n", text):
        indented = part.startswith("    ")
        if found and indented and found[-1].startswith("    ") and ">>>" not in part + found[-1]:
            found[-1] += "\n\n" + part
        elif part.strip():
            found.append(part)
    return found


def _block(block: str) -> str:
    if block.lstrip().startswith(">>>"):
        return code(inspect.cleandoc("\n" + block), "pycon")
    if block.startswith("    "):
        return code(inspect.cleandoc("\n" + block), "text")
    return "\n".join(_line(line) for line in block.splitlines())


def _line(line: str) -> str:
    """A line as it reads in the source; what follows 'name:' at its start stands on a line of its own."""
    parts = line.strip().split("`")
    escaped = [re.sub(r"([\\*_<>\[\]|$#~^])", r"\\\1", part) if k % 2 == 0 else part for k, part in enumerate(parts)]
    return "`".join(escaped) if len(parts) % 2 else re.sub(r"([\\*_<>\[\]|$#~^`])", r"\\\1", line.strip())


def code(text: str, language: str) -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells are plain text."""
    lines = [_row(head), "|" + "---|" * len(head), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_line(" ".join(cell.split())) for cell in cells) + " |"
