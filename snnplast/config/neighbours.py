"""Modules beside a model file: imported as when the file is run as a script, but into a namespace of the file's own.

Two model files may each have a `helpers.py` beside them: neither sees the other's, whenever it imports it, since the
import statement of their code looks beside the file first and keeps what it finds apart from all other modules.
"""

from __future__ import annotations

import builtins
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Any

SHARED = ("snnplast", "brian2", "numpy", "scipy", "h5py", "pydantic", "rich", "matplotlib")
"""What there must be one of in a process, whatever lies beside the file."""


class Neighbours:
    """A model file and the modules that it imports from beside it.

    path: the file. root: name of its module, under which its neighbours' names stand in `sys.modules`.
    opened: called with every source file before it is read. files: all of these.
    """

    def __init__(self, path: Path, root: str, opened: Callable[[str], None]) -> None:
        self.path, self.root, self.opened = path, root, opened
        self.modules: dict[str, ModuleType] = {}
        self.files: set[str] = set()
        self._builtins = {**vars(builtins), "__import__": self._import}

    def run(self) -> ModuleType:
        """The module of the file, run anew. Raises what its code raises."""
        for name in [name for name in sys.modules if name == self.root or name.startswith(f"{self.root}.")]:
            del sys.modules[name]
        loader = _Source(self.root, str(self.path), self._read)
        spec = importlib.util.spec_from_file_location(self.root, self.path, loader=loader)
        assert spec is not None
        return self._executed(spec)

    def _read(self, file: str) -> None:
        self.files.add(file)
        self.opened(file)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """The import statement of the code of the file and its neighbours."""
        dotted = name
        if level:
            package = (globals or {}).get("__package__") or ""
            if not f"{package}.".startswith(f"{self.root}."):
                return builtins.__import__(name, globals, locals, fromlist or (), level)
            dotted = importlib.util.resolve_name("." * level + name, package)[len(self.root) + 1 :]
        top = dotted.partition(".")[0]
        if not self._beside(top):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self._load(dotted)
        for part in fromlist or ():
            for each in getattr(module, "__all__", ()) if part == "*" else (part,):
                if hasattr(module, "__path__") and not hasattr(module, each) and self._spec(f"{dotted}.{each}"):
                    self._load(f"{dotted}.{each}")
        return module if fromlist else self.modules[top]

    def _beside(self, top: str) -> bool:
        if not top or top in self.modules:
            return bool(top)
        if top in SHARED or top in sys.builtin_module_names:
            return False
        spec = self._spec(top)
        if spec is None:
            return False
        return spec.loader is not None or importlib.util.find_spec(top) is None  # a folder is the last resort

    def _spec(self, dotted: str) -> ModuleSpec | None:
        parent = self.modules.get(dotted.rpartition(".")[0])
        for directory in parent.__path__ if parent else [str(self.path.parent)]:
            finder = FileFinder(
                directory,
                (lambda name, path: _Source(name, path, self._read), SOURCE_SUFFIXES),  # type: ignore[arg-type]
                (ExtensionFileLoader, EXTENSION_SUFFIXES),
            )
            if (found := finder.find_spec(f"{self.root}.{dotted}")) is not None:
                return found
        return None

    def _load(self, dotted: str) -> ModuleType:
        if dotted in self.modules:
            return self.modules[dotted]
        above, _, own = dotted.rpartition(".")
        parent = self._load(above) if above else None
        if parent is not None and not hasattr(parent, "__path__"):
            raise ModuleNotFoundError(f"No module named {dotted!r}; {above!r} is not a package", name=dotted)
        spec = self._spec(dotted)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {dotted!r}", name=dotted)
        module = self._executed(spec, dotted)
        if parent is not None:
            setattr(parent, own, module)
        return module

    def _executed(self, spec: ModuleSpec, dotted: str = "") -> ModuleType:
        module = importlib.util.module_from_spec(spec) if spec.loader else types.ModuleType(spec.name)
        if spec.loader is None:
            module.__path__, module.__package__ = list(spec.submodule_search_locations or ()), spec.name
            module.__spec__ = spec
        vars(module)["__builtins__"] = self._builtins
        sys.modules[spec.name] = module  # where dataclasses and pydantic look classes up
        if dotted:
            self.modules[dotted] = module
        try:
            if spec.loader is not None:
                spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(spec.name, None)
            self.modules.pop(dotted, None)
            raise
        return module


class _Source(SourceFileLoader):
    """Compiles what the file says now: no compiled copy is believed, which could be of an older text."""

    def __init__(self, name: str, path: str, opened: Callable[[str], None]) -> None:
        super().__init__(name, path)
        self._opened = opened

    def get_code(self, fullname: str) -> types.CodeType:
        self._opened(self.path)
        return self.source_to_code(self.get_data(self.path), self.path)
