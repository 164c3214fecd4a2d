"""What a run's numbers depend on beside its settings: versions, engine, compiler, processor, code and data.

Everything has a name in words and a text: "numpy" -> "2.1.0", "data file '/x/y.npz'" -> a fingerprint of what it holds.
A run may go on, or count as done, where all texts are what they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from snnplast import __version__
from snnplast.config.experiment import Experiment
from snnplast.description import Description
from snnplast.engine import EngineChoice
from snnplast.errors import UserError
from snnplast.native.compiler import compiler_version, processor
from snnplast.network.network import Network
from snnplast.reads import fingerprint
from snnplast.task.task import Task

MODEL_FILE, MODULE, DATA_FILE = "model file", "module", "data file"
ARRAYS, NETWORK = "data of the task", "description of the network"
_FILE = re.compile(f"({MODEL_FILE}|{MODULE}|{DATA_FILE}) '(.*)'", re.DOTALL)
BLOCK = 1 << 24


def versions() -> dict[str, str]:
    """Of everything that shapes a run's numbers."""
    found = {"snnplast": __version__, "python": platform.python_version()}
    for name in ("brian2", "numpy", "scipy", "h5py"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def origin(engine: EngineChoice, experiment: Experiment, task: Task) -> dict[str, str]:
    """What must be equal for a run to be repeated bit by bit; what it reads on its way is in `files`.

    engine: the one that is really used. task: `experiment.task()`.
    """
    found = {**versions(), "engine": engine.name, "processor": processor()[:12]}
    if engine.target != "numpy":
        found["compiler"] = compiler_version()
    if digest := digest_of(task):
        found[ARRAYS] = digest
    if experiment.of_objects:
        found[NETWORK] = digest_of_description(experiment.network)
        found["kind of task"] = f"{type(task).__module__}.{type(task).__qualname__}"
    return found | files(experiment)


def files(experiment: Experiment) -> dict[str, str]:
    """The files that the experiment has read until now: model file, modules beside it, data."""
    reads, own = experiment.reads, str(experiment.file)
    code = {f"{MODEL_FILE if path == own else MODULE} '{path}'": found for path, found in reads.modules.items()}
    return code | {f"{DATA_FILE} '{path}'": found for path, found in reads.data.items()}


def refuse_changed_files(run: str, then: Mapping[str, str]) -> None:
    """Raise `UserError` for a file that is not what it was. To be asked before any of them is read or imported."""
    for name, before in then.items():
        if (match := _FILE.fullmatch(name)) is None:
            continue
        file = Path(match[2])
        if file.is_file() and (now := fingerprint(file)) != before:
            raise _refusal(run, f"the {name} has changed since the run ({before} then, {now} now)")
        if not file.exists() and match[1] != MODEL_FILE:  # whoever looks for that one says so
            raise _refusal(run, f"the {name}, which the run has read, is gone")


def refuse_changes(run: str, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise `UserError` for anything else that is not what it was."""
    for name in dict.fromkeys([*then, *now]):
        before, here = then.get(name), now.get(name)
        if before == here or _FILE.fullmatch(name):
            continue
        if name in (ARRAYS, NETWORK):
            is_ = "are not those" if name == ARRAYS else "is not that"
            raise _refusal(run, f"the {name} {is_} of the run ({before} then, {here} now)")
        raise _refusal(run, f"{name} was {before or 'absent'} in the run, here it is {here or 'absent'}")


def refreshed(then: Mapping[str, str]) -> dict[str, str]:
    """The files that a run has read before it goes on, as they are now."""
    found = {name: match[2] for name in then if (match := _FILE.fullmatch(name))}
    return {name: fingerprint(file) for name, file in found.items() if Path(file).is_file()}


def _refusal(run: str, what: str) -> UserError:
    return UserError(f"'{run}': {what}; --inexact goes on anyway, no longer bit by bit the same run")


def digest_of(task: Task) -> str:
    """Of all arrays that a task holds, in lists and tables as well; "" where there are none."""
    digest, any_there = hashlib.sha256(), False
    for path, array in _arrays(vars(task), ()):
        any_there = True
        digest.update(repr((path, array.dtype.str, array.shape)).encode())
        rows = max(1, BLOCK // max(1, array.nbytes // max(1, len(array)))) if array.ndim else 1
        for block in (array[k : k + rows] for k in range(0, len(array), rows)) if array.ndim else [array]:
            digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()[:12] if any_there else ""


def digest_of_description(network: Network) -> str:
    """Of everything that a network is described by."""
    digest = hashlib.sha256()
    for text in _texts((network.dt, network.populations, network.projections, network.attachments)):
        digest.update(text)
    return digest.hexdigest()[:12]


def _texts(value: Any) -> Iterator[bytes]:
    """A description, however deep, as bytes that say all of it."""
    if isinstance(value, np.ndarray):
        yield repr((value.dtype.str, value.shape)).encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Mapping):
        yield b"{"
        for key, entry in value.items():
            yield repr(key).encode()
            yield from _texts(entry)
    elif isinstance(value, list | tuple):
        yield b"("
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, Description):
        yield type(value).__qualname__.encode()
        yield from _texts({name: getattr(value, name) for name in type(value).model_fields})
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__qualname__.encode()
        yield from _texts({each.name: getattr(value, each.name) for each in fields(value)})
    elif callable(value):
        yield f"{value.__module__}.{value.__qualname__}".encode()
    else:
        yield repr(value).encode()


def _arrays(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biufcSU":
            yield path, value
    elif isinstance(value, Task):
        yield from _arrays(vars(value), path)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _arrays(entry, (*path, repr(key)))
    elif isinstance(value, list | tuple):
        for k, entry in enumerate(value):
            yield from _arrays(entry, (*path, str(k)))
