"""Models by name or from the user's own Python file, and the .toml file of defaults beside them.

A model file defines exactly one subclass of `Model`; or, at module level, a network called `net` and a task called
`task`.
"""

from __future__ import annotations

import copy
import sys
import traceback
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from snnplast import registry
from snnplast.config.neighbours import Neighbours
from snnplast.errors import UserError, nearest
from snnplast.network.network import Network
from snnplast.reads import Reads
from snnplast.task.model import Model
from snnplast.task.task import Task

OBJECTS = "(Python objects)"
"""The name of a model, in a config, whose network and task are Python objects: none that can be loaded."""

_loaded: dict[Path, Neighbours] = {}
"""The newest of each model file, for the sentences of errors."""


def load_model(name: str | Path, reads: Reads | None = None) -> tuple[type[Model], Path | None]:
    """The class of a registered model or of a model file, and the path of its defaults where there are any.

    reads: notes which files the model file's code reads, itself and its neighbours included.
    """
    if isinstance(name, Path):
        found, file = _from_file(name, reads or Reads()), name
    elif name == OBJECTS:
        raise UserError(
            "network and task of this run are Python objects; snnplast.resume, evaluate and predict take the same ones"
        )
    else:
        found = registry.load("model", name)
        file = Path(sys.modules[found.__module__].__file__ or "")
    defaults = file.with_suffix(".toml")
    return found, defaults if defaults.is_file() else None


@contextmanager
def users_code(path: Path | None) -> Iterator[None]:
    """Turns what the code of a model file raises into one sentence with the file's line; None: somebody else's code."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if path is None:
            raise
        place = _place(error, path)
        if place is None:
            raise
        text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {_first_line(error)}"
        raise UserError(f"{place}: {text}") from error


def _place(error: BaseException, path: Path) -> str | None:
    """File and line of the user's code where an error comes from; None where it is in no code of the user's."""
    own = _loaded[path].files if path in _loaded else {str(path)}
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    found = [place for place in places if place[0] in own]
    return f"{Path(found[-1][0]).name}, line {found[-1][1]}" if found else None


def _first_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    return (str(error).splitlines() or [""])[0]


def _from_file(path: Path, reads: Reads) -> type[Model]:
    if not path.is_file():
        siblings = [other.name for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise UserError(f"there is no file '{path}'; {nearest(path.name, siblings)}")
    module = _imported(path, reads)
    classes = dict.fromkeys(value for value in vars(module).values() if isinstance(value, type))
    models = [found for found in classes if issubclass(found, Model) and found.__module__ == module.__name__]
    models = [m for m in models if not any(other is not m and issubclass(other, m) for other in models)]
    if len(models) == 1:
        return models[0]
    if models:
        names = ", ".join(model.__name__ for model in models)
        raise UserError(f"{path.name}: defines {len(models)} models ({names}); exactly one subclass of Model is needed")
    net, task = getattr(module, "net", None), getattr(module, "task", None)
    if not isinstance(net, Network) or not isinstance(task, Task):
        raise UserError(
            f"{path.name}: no model: a subclass of Model is needed, or a Network called 'net' and a Task called 'task'"
        )
    return model_of(net, task)


def _imported(path: Path, reads: Reads) -> ModuleType:
    """The module of a file, importable by its own classes under a name that no other file has."""
    if path.suffix != ".py":
        raise UserError(f"{path.name}: no Python file: its name must end in .py")
    root = f"snnplast_model_{path.stem}_{zlib.crc32(str(path).encode()):08x}"
    own = _loaded[path] = Neighbours(path, root, reads.note)
    with users_code(path), reads.noted():
        return own.run()


class ObjectModel(Model):
    """A network and a task that are Python objects."""

    net: ClassVar[Network]
    described: ClassVar[Task]

    def network(self) -> Network:
        return self.net.copy()

    def task(self, seed: int) -> Task:
        task = copy.copy(self.described)
        task.seed = seed
        return task


def model_of(net: Network, task: Task) -> type[Model]:
    """The model that makes a network and a task that are there already."""

    class OwnModel(ObjectModel):
        """The network `net` and the task `task` of a model file."""

    OwnModel.net, OwnModel.described = net, task
    return OwnModel
