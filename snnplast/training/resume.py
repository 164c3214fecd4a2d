"""`snnplast resume`: which runs may go on, with which settings changed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from snnplast.config.experiment import Experiment
from snnplast.config.layers import parse_sets
from snnplast.config.settings import Training
from snnplast.config.targets import differences
from snnplast.errors import UserError, nearest
from snnplast.training.checkpoint import Checkpoint
from snnplast.training.prepared import available_engine
from snnplast.training.provenance import origin, refuse_changed_files, refuse_changes

CHANGEABLE = ("train.epochs", "train.iterations", "train.workers", "train.checkpoint_every")
"""What may change on the way, since none of it changes a bit of what is learned until then."""


def continued(
    path: str | os.PathLike[str], sets: Sequence[str], inexact: bool = False
) -> tuple[Experiment, Checkpoint]:
    """The experiment of a file and where it goes on, to end with what the uninterrupted run ends with, bit by bit.

    sets: "key=value" for the keys in `CHANGEABLE`.
    inexact: go on also where data, code, versions, engine or processor have changed.

    Raises
    ------
    UserError
        The run is complete or failed, has no checkpoint, or does not fit; another process still writes the file.
    """
    changed = _checked(sets)
    checkpoint = _read(Path(path))
    if checkpoint.status == "finished" and not changed & {"train.epochs", "train.iterations"}:
        checkpoint.check_unfinished(checkpoint.total)
    if not inexact:
        refuse_changed_files(str(path), checkpoint.origin)
    experiment = _experiment(checkpoint, sets)
    if not inexact:
        refuse_another_origin(checkpoint, experiment)
    return experiment, checkpoint


def continued_with(path: Path, experiment: Experiment, inexact: bool = False) -> tuple[Experiment, Checkpoint]:
    """The same for an experiment that is there already, such as one of Python objects; only its length may change."""
    checkpoint = _read(path)
    then = tomllib.loads(checkpoint.config)
    record = experiment.record.model_copy(update={"path": then["record"]["path"]})
    experiment = experiment.changed(record=record)
    same = experiment.changed(train=Training(**then["train"])).text()
    if same != checkpoint.config or experiment.train.seed != then["train"]["seed"]:
        found = differences(experiment.text(), checkpoint.config)[:3] or ["what is recorded is another"]
        raise UserError(f"'{path}' is the run of another experiment: {'; '.join(found)}")
    checkpoint.check_unfinished(experiment.train.iterations or _updates(experiment))
    if not inexact:
        refuse_changed_files(str(path), checkpoint.origin)
        refuse_another_origin(checkpoint, experiment)
    return experiment, checkpoint


def _updates(experiment: Experiment) -> int:
    """Updates of a run of epochs."""
    epoch = experiment.task().epoch or 1
    return (experiment.train.epochs or 0) * -(-epoch // experiment.rule.trials)


def _read(path: Path) -> Checkpoint:
    checkpoint = Checkpoint.read(path)
    if checkpoint.status == "failed":
        raise UserError(f"'{path}' ended with an error, which would come again: its run cannot go on")
    return checkpoint


def refuse_another_origin(checkpoint: Checkpoint, experiment: Experiment) -> None:
    """Raise `UserError` where data, versions or machine are not those of the run; files are asked about before."""
    engine = available_engine(experiment.engine)
    refuse_changes(str(checkpoint.path), checkpoint.origin, origin(engine, experiment, experiment.task()))


def _checked(sets: Sequence[str]) -> set[str]:
    """The keys that are to change, if they may."""
    parse_sets(sets)
    keys = {text.partition("=")[0].strip(): text for text in sets}
    for key, text in keys.items():
        if key not in CHANGEABLE:
            raise UserError(f"--set {text}: a run that goes on keeps this setting; {nearest(key, CHANGEABLE)}")
    return set(keys)


def _experiment(checkpoint: Checkpoint, sets: Sequence[str]) -> Experiment:
    """The run's own experiment with what is to change."""
    experiment = Experiment.of_text(checkpoint.config, f"{checkpoint.path}: ", *sets)
    unchanged = Training(**tomllib.loads(checkpoint.config)["train"])
    if experiment.changed(train=unchanged).text() != checkpoint.config:
        raise UserError(f"'{checkpoint.path}': its settings mean something else to this version of the model")
    return experiment
