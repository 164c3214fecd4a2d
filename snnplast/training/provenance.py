"""What a run's numbers depend on beside its settings: versions, engine, compiler, processor, code and data.

Everything has a name in words and a text: "numpy" -> "2.1.0", "data file '/x/y.npz'" -> a fingerprint of what it holds.
A run may go on, or count as done, where all texts are what they were.
"""

from __future__ import annotations

import contextlib
import platform
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from snnplast.config.experiment import Experiment
from snnplast.engine import EngineChoice
from snnplast.errors import UserError
from snnplast.native.compiler import compiler_version, processor
from snnplast.reads import fingerprint
from snnplast.task.task import Task
from snnplast.training.digests import digest_of, digest_of_description
from snnplast.version import __version__

MODEL_FILE, MODULE, DATA_FILE = "model file", "module", "data file"
ARRAYS, NETWORK = "data of the task", "description of the network"
_FILE = re.compile(f"({MODEL_FILE}|{MODULE}|{DATA_FILE}) '(.*)'", re.DOTALL)


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
    found = {**versions(), "engine": engine.summary, "processor": processor()[:12]}
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


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Names of all but files that are not what they were."""
    return (name for name in dict.fromkeys([*then, *now]) if then.get(name) != now.get(name) and not _FILE.match(name))


def refuse_changes(run: str, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise `UserError` for anything else that is not what it was."""
    for name in changed(then, now):
        before, here = then.get(name), now.get(name)
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
