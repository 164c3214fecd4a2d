"""The Python API, from signatures and docstrings of what `snnplast` and its rooms offer."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

from generate.markdown import of_docstring

ROOMS = {
    "snnplast": "What experiments are written with.",
    "snnplast.network": "Populations, projections, connectivity, weights, and code of one's own.",
    "snnplast.task": "What is shown, what is wanted, and what a trial leaves.",
    "snnplast.learning": "What rules and third factors are made of.",
    "snnplast.testing": "What keeps contracts: for authors of plugins.",
    "snnplast.plot": "Figures.",
}


def pages() -> Iterator[tuple[str, str]]:
    """(name, Markdown) of each room; what the first one offers is not said again."""
    known: set[int] = set()
    for room, lead in ROOMS.items():
        module = importlib.import_module(room)
        named = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
        things = {name: getattr(module, name) for name in sorted(named, key=str.lower)}
        own = {name: t for name, t in things.items() if id(t) not in known and _documented(t)}
        known |= {id(thing) for thing in own.values()}
        yield f"python/{room.replace('.', '-')}", _page(room, lead, own)


def _documented(thing: Any) -> bool:
    return (inspect.isclass(thing) or inspect.isfunction(thing)) and bool(thing.__doc__)


def _page(room: str, lead: str, things: dict[str, Any]) -> str:
    parts = [f"# {room}", lead]
    for name, thing in things.items():
        parts += [f"## {name}", _entry(room, name, thing)]
    return "\n\n".join(parts) + "\n"


def _entry(room: str, name: str, thing: Any) -> str:
    inner = [of_docstring(thing.__doc__)]
    if inspect.isclass(thing):
        inner += [_member(key, member) for key, member in _members(thing)]
        return _directive("class", f"{room}.{name}{_signature(thing)}", "\n\n".join(inner), 4)
    return _directive("function", f"{room}.{name}{_signature(thing)}", inner[0], 4)


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Methods and properties that a class itself documents."""
    for name, member in vars(kind).items():
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not name.startswith("_") and (inspect.isfunction(plain) or isinstance(plain, property)) and plain.__doc__:
            yield name, plain


def _member(name: str, member: Any) -> str:
    said = of_docstring(member.__doc__)
    if isinstance(member, property):
        return _directive("attribute", name, said, 3, ":noindex:")
    return _directive("method", f"{name}{_signature(member)}", said, 3, ":noindex:")


def _signature(thing: Any) -> str:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return "()"
    given = [p.replace(annotation=p.empty) for p in signature.parameters.values() if p.name not in ("self", "cls")]
    try:
        return str(signature.replace(parameters=given, return_annotation=signature.empty))
    except ValueError:
        return "(...)"


def _directive(kind: str, signature: str, content: str, colons: int, *options: str) -> str:
    fence = ":" * colons
    return "\n".join([f"{fence}{{py:{kind}}} {signature}", *options, "", content, fence])
