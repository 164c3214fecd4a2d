"""Between tables of settings and described objects: building, checking at every depth, and writing back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from snnplast.config.layers import (
    NONE,
    Leaf,
    Node,
    Source,
    Table,
    annotate,
    as_table,
    check_keys,
    leaf_at,
    name_of,
    overlay,
    place_of,
    plain,
)
from snnplast.description import Description, WrongValue
from snnplast.errors import UserError, nearest
from snnplast.files import LOCATED, located
from snnplast.named import Named

BUILT_IN = Source("", -1, Path())
"""Where defaults of classes come from: below all layers."""

Path_ = tuple[str, ...]


def construct(kind: type[Any], table: Table, path: Path_, built: Mapping[str, Any] | None = None) -> Any:
    """An object of `kind` from its settings.

    path: where the table stands in the config. built: fields that are made already.
    Raises `UserError` with the place of the wrong value: its file or option, table and key.
    """
    try:
        return kind(**settings(kind, table, path), **(built or {}))
    except WrongValue as error:
        leaf, rest = leaf_at(table, error.path)
        where = (*path, *error.path)
        place = leaf.source.at((*leaf.path, *rest)) if leaf else place_of(table, error.path, where)
        raise UserError(f"{place}{error.complaint}") from None


def settings(kind: type[Description], table: Table, path: Path_) -> dict[str, Any]:
    """Plain values of a table for `kind`; raises `UserError` for a key or a name that is unknown, at any depth."""
    check_keys(table, kind.model_fields, path)
    return {key: _setting(kind.model_fields[key], node, (*path, key)) for key, node in table.items()}


def _setting(field: FieldInfo, node: Node, path: Path_) -> Any:
    choice, inner = choice_in(field), description_in(field.annotation)
    if isinstance(node, Leaf):
        if node.value == NONE and type(None) in (field.annotation, *get_args(field.annotation)):
            return None
        if LOCATED in field.metadata and isinstance(node.value, str) and node.value:
            return _located(node)
        if inner is None or not isinstance(node.value, list):
            return node.value
        return [_described(inner, choice, entry, None, (*path, str(k))) for k, entry in enumerate(entries(node))]
    if inner is None:
        return plain(node)
    if get_origin(field.annotation) is dict:
        return {key: _described(inner, choice, entry, None, (*path, key)) for key, entry in node.items()}
    return _described(inner, choice, node, field.default, path)


def _located(node: Leaf) -> str:
    """The path that a layer means, which may be relative to where the layer stands."""
    try:
        return str(located(node.value, node.source.directory))
    except UserError as error:
        raise UserError(f"{node.place}: {error}") from None


def entries(node: Leaf) -> list[Node]:
    """The entries of a list of tables, as if each stood for itself."""
    return [annotate(entry, node.source, (*node.path, str(k))) for k, entry in enumerate(node.value)]


def _described(inner: type[Description], choice: Named | None, node: Node, default: Any, path: Path_) -> Any:
    """One description's values, still plain. inner: its class, where no name chooses another."""
    if isinstance(node, Leaf):
        return node.value
    if choice is None:
        return settings(inner, as_table(overlay(default_table(default), node)), path)
    named = with_name(node, default)
    own = {key: entry for key, entry in named.items() if key != "name"}
    if "name" not in named:
        return plain(own)  # the constructor says that a name is needed
    try:
        kind = chosen_class(choice, named, path)
    except UserError:
        if name_of(named) not in choice.names():
            raise
        return plain(named)  # a plugin that cannot be loaded is a mistake only where it is used
    return {"name": name_of(named), **settings(kind, own, path)}


def chosen_class(choice: Named, table: Table, path: Path_) -> type[Description]:
    """The class that a table's name stands for."""
    name, place = name_of(table), place_of(table, ("name",), path)
    if not isinstance(name, str):
        raise UserError(f"{place}: a name is needed; {nearest('', choice.names())}")
    try:
        return choice.load(name)
    except UserError as error:
        raise UserError(f"{place}: {error}") from error.__cause__


def with_name(table: Table, default: Any) -> Table:
    """The table; if it names nothing it is about the field's default, and changes that one's settings."""
    return table if "name" in table else as_table(overlay(default_table(default), table))


def default_table(default: Any) -> Table:
    """The settings of a field's default."""
    table: dict[str, Any] = {}
    if isinstance(default, str):
        table = {"name": default}
    elif isinstance(default, Description):
        chosen = table_of(default)
        table = {key: chosen[key] for key in chosen if key == "name" or key in default.model_fields_set}
    return as_table(annotate(table, BUILT_IN))


def choice_in(field: FieldInfo) -> Named | None:
    """The validator that chooses among classes by name, of the field itself or of the entries of its collection."""
    found = [item.func for item in _metadata(field) if isinstance(item, BeforeValidator)]
    return next((item for item in found if isinstance(item, Named)), None)


def _metadata(annotated: Any) -> list[Any]:
    inside = annotated.annotation if isinstance(annotated, FieldInfo) else annotated
    own = list(getattr(annotated, "metadata", None) or getattr(annotated, "__metadata__", ()))
    return own + [item for part in get_args(inside) for item in _metadata(part)]


def description_in(annotation: Any) -> type[Description] | None:
    """The class of description that a field takes, alone, optionally or in a collection."""
    if isinstance(annotation, type) and issubclass(annotation, Description):
        return annotation
    return next((found for part in get_args(annotation) if (found := description_in(part))), None)


def table_of(description: Description) -> dict[str, Any]:
    """A description as the plain table that makes it, its name included."""
    kind = type(description)
    name = getattr(description, "name", "")
    table = {"name": name} if name and "name" not in kind.model_fields else {}
    return table | {key: _plain_of(getattr(description, key), description, key) for key in kind.model_fields}


def _plain_of(value: Any, owner: Description, field: str) -> Any:
    if value is None:
        return NONE
    if isinstance(value, Description):
        return table_of(value)
    if isinstance(value, Mapping):
        return {key: _plain_of(entry, owner, field) for key, entry in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(entry, Description) for entry in value):
        return [_plain_of(entry, owner, field) for entry in value]
    return owner.model_dump(mode="json", include={field})[field]
