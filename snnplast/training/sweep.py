"""A sweep: one run for every combination of values and seed, each in a file of its own, on any executor.

What is complete is not run again, and what was cut off goes on, so a sweep may be stopped and repeated at any time.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import shlex
import sys
import threading
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.training.checkpoint import Checkpoint
from snnplast.training.executors import Crew, Factory
from snnplast.training.interrupt import told_by_parent
from snnplast.training.provenance import refuse_changed_files
from snnplast.training.resume import continued, refuse_another_origin
from snnplast.training.run import perform

SEED = "train.seed"
RESERVED = (SEED, "record.path")

Left = Literal["run", "again", "resume", ""]
"""From the start; from the start over what failed or has no checkpoint; from a checkpoint; nothing, it is complete."""


@dataclass(frozen=True)
class Axis:
    """A setting and the values it takes, as they are written after `--set key=`."""

    key: str
    values: tuple[str, ...]

    @property
    def label(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2].strip('"')

    @classmethod
    def parse(cls, text: str) -> Axis:
        """From "key=value,value,..."; a value with commas of its own is quoted or bracketed as in TOML."""
        key, equals, values = text.partition("=")
        found = _split(values)
        if not (equals and key.strip() and all(found)):
            raise UserError(f"--over {text}: key=value,value,... is needed, such as --over model.hidden=10,30,100")
        if len(set(found)) < len(found):
            raise UserError(f"--over {text}: a value is given twice")
        if key.strip() in RESERVED:
            raise UserError(f"--over {text}: the sweep itself sets {key.strip()}; --seeds and --output are allowed")
        return cls(key.strip(), tuple(found))


@dataclass(frozen=True)
class Point:
    """One run of a sweep. values: of every axis, in their order; sets: what makes the run of the target."""

    values: tuple[str, ...]
    seed: int
    target: str
    sets: tuple[str, ...]
    path: Path

    def metric(self, name: str) -> float:
        """Its last value; nan where the run has none, or did not come to its end."""
        run = read_run(self.path) if self.path.is_file() else None
        values = run.metrics.get(name, np.empty(0)) if run and run.status == "finished" else np.empty(0)
        known = values[np.isfinite(values)]
        return float(known[-1]) if known.size else float("nan")


def grid(target: str, sets: Sequence[str], axes: Sequence[Axis], seeds: Sequence[int], directory: Path) -> list[Point]:
    """All points, each of them resolved once, so that no run begins where a later one could not.

    Spikes are kept only where `sets` ask for it. Raises `UserError`.
    """
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"--over {key}: given twice; all values of a setting go into one --over")
    points = []
    for values in itertools.product(*(axis.values for axis in axes)):
        chosen = [f"{axis.key}={value}" for axis, value in zip(axes, values, strict=True)]
        labels = [f"{axis.label}={value}" for axis, value in zip(axes, values, strict=True)]
        for seed in seeds:
            path = directory / f"{quote(','.join([*labels, f'seed={seed}']), safe=' ,=.[]')}.h5"
            own = (f"{SEED}={seed}", f"record.path={path}")
            points.append(Point(values, seed, target, ("record.spikes=[]", *sets, *chosen, *own), path))
    for point in points:
        Experiment.of(point.target, *point.sets)
    return points


def check_earlier(points: Sequence[Point], inexact: bool, force: bool) -> None:
    """Raise `UserError` where what stands in a point's file would be lost, or depends on what is not as it was.

    force: it may be lost if it is a run with other settings. inexact: what it depends on may have changed.
    """
    for point in points:
        if not os.path.lexists(point.path):
            continue
        before, experiment = read_run(point.path), Experiment.of(point.target, *point.sets)
        checkpoint = Checkpoint.read(point.path) if before.resumable and before.status != "failed" else None
        if before.config != experiment.text() and force:
            continue
        if checkpoint and not inexact:
            refuse_changed_files(str(point.path), checkpoint.origin)
        if before.config != experiment.text():
            raise UserError(f"'{point.path}' holds a run with other settings; --force overwrites it")
        if checkpoint and not inexact:
            refuse_another_origin(checkpoint, experiment)


def run_all(
    points: Sequence[Point], executor: Executor | Factory, inexact: bool = False, force: bool = False
) -> Iterator[tuple[Point, str]]:
    """Runs of all points on an executor; each as it is done, with what went wrong in words, or "".

    Files are written where the runs are, at the paths of the points: workers on other machines share the directory.
    Ctrl-C, SIGTERM and SIGHUP let what is under way on `Processes` write a checkpoint; other executors are left to
    themselves. inexact: what is complete counts as it is, and what was cut off goes on, also where data, code, versions
    or machine have changed. force: runs with other settings that stand in the files of some points may be overwritten.
    """
    crew = Crew(executor)
    here = os.getcwd()
    runs = [_Part(k, Experiment.of(p.target, *p.sets), here, inexact, force) for k, p in enumerate(points)]
    try:
        for part, done in crew.each(_run, runs):
            try:
                done.result()
                wrong = ""
            except UserError as error:
                wrong = str(error)
            yield points[part.number], wrong
    except BaseException:
        crew.interrupt()
        crew.close(wait=False)
        raise
    crew.close()


def left(experiment: Experiment) -> Left:
    """What is to be done about a run that may stand in its file already, or in part."""
    path = Path(experiment.record.path)
    before = read_run(path) if os.path.lexists(path) else None
    if before is None or before.config != experiment.text():
        return "run"
    if before.status == "finished":
        return ""
    return "resume" if before.status != "failed" and before.resumable else "again"


def command(point: Point, inexact: bool = False, force: bool = False) -> str:
    """What a shell does for a point, in the same directory, to leave the same file; "" where nothing is to be done."""
    todo = left(Experiment.of(point.target, *point.sets))
    if todo == "resume":
        return shlex.join(["snnplast", "resume", str(point.path), *["--inexact"] * inexact])
    sets = [word for text in point.sets for word in ("--set", text)]
    over = ["--force"] * (force or todo == "again")
    return shlex.join(["snnplast", "run", point.target, *sets, *over]) if todo else ""


class _Part(NamedTuple):
    """A run as it is sent to who runs it. directory: where its paths start."""

    number: int
    experiment: Experiment
    directory: str
    inexact: bool
    force: bool


_turn = threading.Lock()
"""There is one Brian2 in a process: runs in its threads take turns."""


def _run(part: _Part) -> None:
    experiment = part.experiment
    if not os.path.isdir(part.directory):
        raise UserError(
            f"executor: {platform.node()} has no directory '{part.directory}': workers share that of the runs"
        )
    with _turn, contextlib.chdir(part.directory), told_by_parent():
        match left(experiment):  # `check_earlier` has looked at what is there
            case "run":
                perform(experiment, force=part.force, tell=_tell)
            case "again":
                perform(experiment, force=True, tell=_tell)
            case "resume":
                experiment, checkpoint = continued(experiment.record.path, (), part.inexact)
                perform(experiment, checkpoint=checkpoint, force=True, tell=_tell)


def _tell(sentence: str) -> None:
    print(f"snnplast: {sentence}", file=sys.stderr)


def _split(text: str) -> list[str]:
    """The values of a list without its brackets, as they are written."""
    parts, part = [], ""
    for piece in text.split(","):
        part = f"{part},{piece}" if part else piece
        if _balanced(part):
            parts.append(part.strip())
            part = ""
    return [*parts, part.strip()] if part else parts


def _balanced(text: str) -> bool:
    """Whether a value is complete: no open bracket, brace or quote."""
    if text.lstrip()[:1] not in ("[", "{", '"', "'"):
        return True
    try:
        tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return False
    return True
