"""Names that a package offers and imports when they are first used, so that nothing is loaded that nobody asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def offers(package: str, home: Mapping[str, str]) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of a package. home: module -> the names it defines, as one text."""
    modules = {name: module for module, names in home.items() for name in names.split()}

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"snnplast.{modules[name]}"), name)

    return sorted(modules), get, lambda: sorted(modules)
