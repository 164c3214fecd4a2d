"""From a file to the run whose file it is, and to its checkpoint."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnplast.errors import UserError
from snnplast.files import usable
from snnplast.record.apart import Stamp
from snnplast.record.digest import digest, of_text
from snnplast.record.layout import ANSWER, Memory
from snnplast.record.reader import opened
from snnplast.record.results import Best, Metrics, Run

IN_MEMORY = Path("run in memory")
"""Where a run is said to be that left no file."""

PATIENCE = 2.0
"""Seconds after its last change in which a file may be in the middle of a write."""


def read_run(path: str | os.PathLike[str]) -> Run:
    """The run stored at `path`, also while it is still being written or after its process was killed.

    Raises
    ------
    UserError
        No such file, no HDF5 file, not the file of a run, or damaged.
    """
    path = usable(path)
    patience = time.monotonic() + PATIENCE
    while True:
        try:
            with opened(path) as (file, stamp):
                return _run_in(path, stamp, file)
        except UserError:
            if time.monotonic() > patience or not _written_lately(path):
                raise
            time.sleep(0.05)  # it was read in the middle of a write


def _written_lately(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < PATIENCE
    except OSError:
        return False


def run_of(content: Memory) -> Run:
    """The run whose file would hold this."""
    with h5py.File(content, "r") as file:
        return _run_in(IN_MEMORY, Stamp(0, 0, 0, 0), file, content)


def _run_in(path: Path, stamp: Stamp, file: Any, content: Memory | None = None) -> Run:
    metrics, answers = file.get("metrics", {}), file.get("answers")
    return Run(
        path=path,
        stamp=stamp,
        status=str(file.attrs["status"]),
        seed=int(file.attrs["seed"]),
        config=str(file.attrs["config"]),
        versions=json.loads(file.attrs["versions"]),
        dt=float(file.attrs["dt"]) / 1e3,
        metrics=Metrics({name: column[:] for name, column in metrics.items()}),
        per={name: str(column.attrs["per"]) for name, column in metrics.items()},
        trials=_with_text(file["trials"][:]),
        answers=_with_text(np.zeros(0, ANSWER) if answers is None else answers[:]),
        classes=() if answers is None else _classes(answers),
        populations={name: int(group.attrs["size"]) for name, group in file.get("spikes", {}).items()},
        states=[f"{name}/{variable}" for name, group in file.get("states", {}).items() for variable in group],
        projections={
            name: (str(group.attrs["source"]), str(group.attrs["target"]))
            for name, group in file.get("weights", {}).items()
        },
        parameters={name: values[...] for name, values in file.get("parameters", {}).items()},
        learned={name: column.size for name, column in file.get("initial", {}).items()},
        best=_best(file),
        resumable="checkpoint" in file,
        stopped=str(file["checkpoint"].attrs.get("stopped", "")) if "checkpoint" in file else "",
        content=content,
    )


def _classes(answers: Any) -> tuple[str | int, ...]:
    """What all units stand for: their name, or their number."""
    named = json.loads(answers.attrs["classes"])
    return (*named, *range(len(named), int(answers.attrs["size"])))


def _best(file: Any) -> Best | None:
    if "best" not in file:
        return None
    found = file["best"].attrs
    return Best(int(found["round"]), str(found["metric"]), float(found["value"]))


def read_checkpoint(path: Path) -> tuple[Run, dict[str, Any], dict[str, np.ndarray]]:
    """The run, attributes of the checkpoint in its file, and its arrays by name; both empty where there is none.

    Raises `UserError` where they cannot be read, or are not what the run has written.
    """
    arrays: dict[str, np.ndarray] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with opened(path) as (file, stamp):
        run = _run_in(path, stamp, file)
        if "checkpoint" not in file:
            return run, {}, {}
        file["checkpoint"].visititems(add)
        attributes = dict(file["checkpoint"].attrs)
    written, settings = attributes.pop("digest", ""), attributes.pop("settings", "")
    if written != digest(arrays, attributes) or settings != of_text(run.config):
        raise UserError(f"'{path}': its checkpoint or settings are not those that its run has written: it cannot go on")
    return run, attributes, arrays


def _with_text(trials: np.ndarray) -> np.ndarray:
    fields = [(name, "U16" if name == "phase" else trials.dtype[name]) for name in trials.dtype.names or ()]
    return trials.astype(fields)
