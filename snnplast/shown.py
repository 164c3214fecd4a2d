"""How objects show themselves at a prompt and in a notebook: a title and a short table."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

Rows = list[tuple[str, str]]
MOST = 16
"""Rows at most; of more the last ones are counted."""
WIDEST = 100
"""Characters of a cell, at most."""


class Shown:
    """An object with a title and rows of (name, text), shown as text and as HTML."""

    def _shown(self) -> tuple[str, Rows]:
        raise NotImplementedError

    def __repr__(self) -> str:
        title, rows = self._shown()
        rows = _few(rows)
        wide = max((len(name) for name, _ in rows), default=0)
        return "\n".join([title, *(f"  {name:{wide}}  {text}".rstrip() for name, text in rows)])

    def _repr_html_(self) -> str:
        title, rows = self._shown()
        cells = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in _few(rows)
        )
        return f"<b>{escape(title)}</b><table>{cells}</table>"


def listed(names: Iterable[str]) -> str:
    """Names in one line."""
    return ", ".join(names)


def _few(rows: Rows) -> Rows:
    shown = [(name, text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}...") for name, text in rows[:MOST]]
    return [*shown, ("...", f"{len(rows) - MOST} more")] if len(rows) > MOST else shown
