"""What may stand where a config is taken: a model's name, an experiment file, a model file, the file of a run."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from snnplast import registry
from snnplast.config.layers import read_toml, toml_of
from snnplast.errors import UserError, nearest, short
from snnplast.files import located, usable
from snnplast.record.reading import read_run
from snnplast.record.results import Run

HDF5 = b"\x89HDF\r\n\x1a\n"
"""How an HDF5 file begins."""


class Target(NamedTuple):
    """tables: what it says. opening: how a sentence about one of its keys begins. directory: where its paths start.

    path: the file, None for a model's name.
    """

    tables: dict[str, Any]
    opening: str
    directory: Path
    path: Path | None


def read_target(target: str | Path) -> Target:
    """The settings that a target stands for. Raises `UserError` for what is none."""
    here, shown = Path.cwd(), str(target)
    if shown in registry.names("model"):
        return Target({"model": {"name": shown}}, "", here, None)
    try:
        path = located(shown)
    except UserError as error:
        raise UserError(f"{error}; the name of a model or a file is needed") from None
    if path.suffix == ".py":
        return Target({"model": {"file": str(path)}}, "", here, path)
    if is_run(path):
        return Target(toml_of(read_run(usable(shown)).config, f"'{target}'"), f"{target}: ", here, path)
    if path.is_file() or path.suffix == ".toml":
        return Target(read_toml(path, shown), f"{target}: ", path.parent, path)
    known = [*registry.names("model"), *(found.name for found in here.glob("*.toml"))]
    raise UserError(f"{short(shown)} is neither a model nor an experiment file; {nearest(shown, known)}")


def is_run(path: Path) -> bool:
    """Whether a path leads to the file of a run, or to what is called so."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix in (".h5", ".hdf5") or file.read(len(HDF5)) == HDF5


def source_for(target: str, run: Run) -> str | Path:
    """Whose settings are meant where a target is to have the weights of a run: those of the run for a mere model.

    Raises `UserError` where the target is another model.
    """
    wanted = read_target(target)
    if list(wanted.tables) != ["model"] or (wanted.path is not None and wanted.path.suffix != ".py"):
        return target
    model = tomllib.loads(run.config).get("model", {})
    there, here = (tables.get("file") or tables.get("name") for tables in (model, wanted.tables["model"]))
    if there != here:
        raise UserError(f"'{run.path}' is a run of the model '{there}', not of '{here}'")
    return run.path


def differences(here: str, there: str) -> list[str]:
    """The settings of model, rules and seed that two configs do not share, in words, but for how rules evaluate."""
    mine, other = (dict(_leaves(tomllib.loads(text), ())) for text in (here, there))
    return [
        f"{key} is {mine.get(key, 'absent')} here, {other.get(key, 'absent')} there"
        for key in dict.fromkeys([*mine, *other])
        if (key.partition(".")[0] in ("rule", "model", "rules", "third_factors") or key == "train.seed")
        and mine.get(key) != other.get(key)
        and not key.endswith(".evaluation")
    ]


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, entry in node.items():
            yield from _leaves(entry, (*path, key))
    else:
        yield ".".join(path), node
