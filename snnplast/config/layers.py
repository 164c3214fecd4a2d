"""Settings in layers: TOML files and `--set` options, laid over one another so that each value knows where it stands.

A layer is a nested table of leaves. A table with a `name` describes the thing of that name: a layer that changes the
name drops what lower layers say about the other thing. Where a table wants one, a plain string is a table's name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from snnplast.errors import UserError, nearest
from snnplast.files import read_text

NONE = "none"
"""Written where a setting that may be left out is left out: TOML has no value for it."""


DEEPEST = 30
"""Tables in one another, at most."""


@dataclass(frozen=True)
class Source:
    """Where a layer comes from. rank: higher ones win; opening: how a sentence about one of its keys begins."""

    opening: str
    rank: int
    directory: Path

    def at(self, path: Sequence[str]) -> str:
        """The place of a key in a sentence."""
        return self.opening + ".".join(path)


@dataclass(frozen=True)
class Leaf:
    """A value, the layer it comes from, and its keys there."""

    value: Any
    source: Source
    path: tuple[str, ...]

    @property
    def place(self) -> str:
        return self.source.at(self.path)


Table = dict[str, Union[Leaf, "Table"]]
Node = Leaf | Table


def read_toml(path: Path, shown: str | None = None) -> dict[str, Any]:
    """The tables of a TOML file. Raises `UserError` with the line of a syntax error."""
    shown = shown or str(path)
    return toml_of(read_text(path, shown), shown)


def toml_of(text: str, shown: str) -> dict[str, Any]:
    """The tables of a TOML text; `shown`: what it is called."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, rest = str(error).partition(" (at ")
        line = f", {rest.rstrip(')')}" if rest else ""
        raise UserError(f"{shown}{line}: no valid TOML: {message[0].lower()}{message[1:]}") from None
    except (RecursionError, ValueError) as error:  # tables in tables without end; numbers of thousands of digits
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).split(";")[0]
        raise UserError(f"{shown}: no valid TOML: {reason}") from None


def parse_sets(sets: Iterable[str]) -> dict[str, Any]:
    """The tables of options "table.key=value"; a value that is no TOML value is a string."""
    tables: dict[str, Any] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        path = _keys(key)
        if not (equals and path):
            raise UserError(
                f"--set {' '.join(text.split())[:60]}: table.key=value is needed, such as --set train.seed=2"
            )
        table = tables
        for part in path[:-1]:
            inner = table.get(part)
            table[part] = table = inner if isinstance(inner, dict) else {} if inner is None else {"name": inner}
        present = table.get(path[-1])
        parsed = _value(value.strip())
        if isinstance(present, dict) and not isinstance(parsed, dict):
            present["name"] = parsed
        else:
            table[path[-1]] = parsed
    return tables


def _keys(text: str) -> list[str]:
    """The parts of a dotted TOML key; [] where it is none."""
    try:
        node: Any = tomllib.loads(f"{text} = 0") if "\n" not in text else 0
    except (ValueError, RecursionError):
        return []
    path = []
    while isinstance(node, dict) and len(node) == 1:
        (key,) = node
        path.append(key)
        node = node[key]
    return path if node == 0 else []


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    except (ValueError, RecursionError):  # thousands of digits, or lists in lists without end
        raise UserError(f"--set ...={text[:40]}...: this value is too long or too deeply nested") from None
    return parsed["value"] if len(parsed) == 1 else text


def annotate(value: Any, source: Source, path: tuple[str, ...] = ()) -> Node:
    """Plain tables as tables of leaves."""
    if len(path) > DEEPEST:
        raise UserError(f"{source.at(path[:3])}...: tables in tables, more than {DEEPEST} deep, are no settings")
    if isinstance(value, Mapping):
        return {key: annotate(entry, source, (*path, key)) for key, entry in value.items()}
    return Leaf(value, source, path)


def plain(node: Node) -> Any:
    """The values alone."""
    return {key: plain(entry) for key, entry in node.items()} if isinstance(node, dict) else node.value


def as_table(node: Node) -> Table:
    """A table from itself, or from the leaf that is its name."""
    return node if isinstance(node, dict) else {"name": node}


def name_of(node: Node | None) -> Any:
    """The value of a table's name; None without one."""
    name = as_table(node).get("name") if node else None
    return name.value if isinstance(name, Leaf) else None


def _is_table(node: Node) -> bool:
    return isinstance(node, dict) or (isinstance(node.value, str | Path) and node.value != NONE)


def overlay(low: Node, high: Node) -> Node:
    """`high` laid over `low`."""
    if (isinstance(low, Leaf) and isinstance(high, Leaf)) or not (_is_table(low) and _is_table(high)):
        return high
    below, above = as_table(low), as_table(high)
    if name_of(above) is not None and name_of(below) not in (None, name_of(above)):
        return above
    merged = dict(below)
    for key, node in above.items():
        merged[key] = overlay(merged[key], node) if key in merged else node
    return merged


def combine(general: Table, specific: Table) -> Table:
    """Two tables about the same thing: the higher layer wins key by key, within one layer the specific table.

    A table in them that names nothing is about what the general one names.
    """
    merged = dict(general)
    for key, node in specific.items():
        other = merged.get(key)
        if other is not None and _same_thing(other, node):
            merged[key] = combine(as_table(other), as_table(node))
        elif other is None or rank(node) >= rank(other):
            merged[key] = node
    return merged


def _same_thing(general: Node, specific: Node) -> bool:
    """Whether both are tables about one thing: one may be its name alone."""
    if (isinstance(general, Leaf) and isinstance(specific, Leaf)) or not (_is_table(general) and _is_table(specific)):
        return False
    return name_of(as_table(specific)) in (None, name_of(as_table(general)))


def rank(node: Node) -> int:
    """Of the highest layer that has a part in it."""
    if isinstance(node, Leaf):
        return node.source.rank
    return max((rank(entry) for entry in node.values()), default=-1)


def leaf_at(node: Node | None, path: Sequence[str]) -> tuple[Leaf | None, tuple[str, ...]]:
    """The leaf on the way of `path` and what remains of the path behind it; (None, path) where there is none."""
    for k, key in enumerate(path):
        if isinstance(node, Leaf):
            return node, tuple(path[k:])
        node = node.get(key) if node else None
    return (node, ()) if isinstance(node, Leaf) else (None, tuple(path))


def place_of(table: Table, key: Sequence[str], path: Sequence[str]) -> str:
    """The place of a key in a sentence: with its file or option where a layer sets it or something in it.

    path: where to say it stands if no layer does.
    """
    node: Node | None = table
    for part in key:
        node = node.get(part) if isinstance(node, dict) else node
    leaf, depth = _first_leaf(node)
    return leaf.source.at(leaf.path[: len(leaf.path) - depth]) if leaf else ".".join(path)


def _first_leaf(node: Node | None) -> tuple[Leaf | None, int]:
    """Any leaf of a table, and how deep it lies."""
    depth = 0
    while isinstance(node, dict):
        node, depth = next(iter(node.values()), None), depth + 1
    return node, depth


class UnknownKey(UserError):
    """A key that its table has not. place: where it stands; known: those that the table has."""

    def __init__(self, place: str, key: str, known: list[str]) -> None:
        super().__init__(f"{place}: unknown key; {nearest(key, known)}")
        self.place, self.key, self.known = place, key, known


def check_keys(table: Table, known: Iterable[str], path: tuple[str, ...]) -> None:
    """Raise `UserError` for the first key that is not among the known. path: where the table stands."""
    known = list(known)
    for key in table:
        if key not in known:
            raise UnknownKey(place_of(table, (key,), (*path, key)), key, known)
