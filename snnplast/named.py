"""Settings given as a table with a name, {name = "adam", learning_rate = 5e-3}, become the object of that name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snnplast import registry
from snnplast.description import Description
from snnplast.errors import UserError, nearest


def build_named(kind: str, value: Any, known: Mapping[str, type[Description]]) -> Any:
    """An object from itself, its name, or its table; `known` maps names to classes."""
    return _build(kind, value, list(known), known.__getitem__)


def build_plugin(kind: str, value: Any) -> Any:
    """The same for a plugin of `kind` ("rule", "third-factor", "model")."""
    return _build(kind, value, registry.names(kind), lambda name: registry.load(kind, name))


def _build(kind: str, value: Any, known: list[str], load: Callable[[str], type[Description]]) -> Any:
    if isinstance(value, Description):
        return value
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise UserError(f'{value!r}: a name or a table {{name = "..."}} is needed; {nearest("", known)}')
    name = table["name"]
    if name not in known:
        raise UserError(f"unknown {kind} {name!r}; {nearest(name, known)}")
    return load(name)(**{key: entry for key, entry in table.items() if key != "name"})
