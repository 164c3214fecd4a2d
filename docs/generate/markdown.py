"""Docstrings of this project as Markdown: equations are indented, examples begin with >>>."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

_ENTRY = re.compile(r"(?:^|(?<=[.;] )|^Inherited from \w+:\n)(\w+(?:, \w+)*): ")
_SPECIAL = re.compile(r"([\\*_<>\[\]|$#~^])")
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
    return _entries(block) if _ENTRY.match(block) else "\n".join(map(plain, block.splitlines()))


def _entries(block: str) -> str:
    """What is said of parameters, 'low, high: ...' one after another, as a list."""
    heading, _, rest = block.partition("\n") if block.startswith("Inherited from ") else ("", "", block)
    text = " ".join(rest.split())
    starts = [found.start() for found in _ENTRY.finditer(text)]
    items = [text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    shown = [f"- `{names}`: {plain(said.strip())}" for names, _, said in (item.partition(":") for item in items)]
    return "\n".join([*([f"{plain(heading)}\n"] if heading else []), *shown])


def plain(text: str) -> str:
    """Text that reads as it stands, but for what is in backticks."""
    parts = text.strip().split("`")
    if len(parts) % 2 == 0:
        return _SPECIAL.sub(r"\\\1", text.strip().replace("`", "\\`"))
    return "`".join(_SPECIAL.sub(r"\\\1", part) if k % 2 == 0 else part for k, part in enumerate(parts))


def code(text: str, language: str) -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its cells are Markdown."""
    lines = [_row(head), "|" + "---|" * len(head), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |"
