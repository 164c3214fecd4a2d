"""What `snnplast rules`, `third-factors`, `models` and `neurons` print: documentation from the plugins themselves."""

from __future__ import annotations

from textwrap import indent

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from snnplast import registry
from snnplast.cli.sections import Rows, first_line, kind_of, sections
from snnplast.report.console import emit


def show_all(console: Console, kind: str) -> None:
    """One line per plugin of a kind; one that cannot be loaded says why."""
    names, broken = registry.names(kind), registry.broken(kind)
    found = {name: registry.load(kind, name) for name in names if name not in broken}
    kinds = {name: kind_of(plugin) for name, plugin in found.items() if kind == "rule"}
    width, wide = (max(map(len, words), default=0) for words in (names, kinds.values()))
    for name in names:
        text = first_line(found[name]) if name in found else broken[name]
        told = f"  {kinds.get(name, ''):{wide}}" if kinds else ""
        emit(console, Text.assemble((f"{name:{width}}", "bold"), (told, "italic"), f"  {text}"), wrap=False)


def show_one(console: Console, kind: str, name: str) -> None:
    """Everything about one plugin."""
    emit(console, Text(f"{name}: {first_line(registry.load(kind, name))}", style="bold"), wrap=False)
    for part in sections(kind, name):
        section(console, part.title, part.content)


def section(console: Console, title: str, content: Rows | str) -> None:
    """A heading and what stands under it; nothing where there is nothing to say."""
    if not (content.rows if isinstance(content, Rows) else content):
        return
    emit(console, "")
    if title:
        emit(console, Text(title, style="bold"), wrap=False)
    if isinstance(content, str):
        emit(console, indent(content, "  ") if title else content, wrap=False)
    else:
        emit(console, Padding(_table(content), (0, 0, 0, 2)))


def _table(rows: Rows) -> Table:
    table = Table(*rows.head, box=None, show_header=bool(rows.head), padding=(0, 2, 0, 0), header_style="italic")
    if not rows.head:
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
    for row in rows.rows:
        table.add_row(*(Text(part, overflow="fold") for part in row))
    return table
