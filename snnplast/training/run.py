"""Running an experiment: simulation, training, and the file it leaves. Nothing is shown: callbacks may do that."""

from __future__ import annotations

import contextlib
import shlex
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.config.model_file import users_code
from snnplast.engine import EngineChoice
from snnplast.errors import UserError
from snnplast.record.claim import Claim
from snnplast.record.place import claim_existing, claim_new
from snnplast.record.reading import read_run, run_of
from snnplast.record.results import Run
from snnplast.record.run_file import RunFile
from snnplast.record.weights import Weights
from snnplast.training.callbacks import Callbacks
from snnplast.training.checkpoint import Checkpoint
from snnplast.training.elsewhere import Elsewhere
from snnplast.training.executors import Factory
from snnplast.training.interrupt import Interrupted, number_of
from snnplast.training.prepared import available_engine, simulation_of
from snnplast.training.provenance import origin
from snnplast.training.saved_weights import load_values
from snnplast.training.session import Session


class Performed(NamedTuple):
    """A run that has ended: its session, the engine, and its file, None where it left none."""

    session: Session
    engine: EngineChoice
    file: RunFile

    @property
    def path(self) -> Path | None:
        """Of the file; None where there is none."""
        return self.file.path

    def run(self) -> Run:
        """What it left."""
        if self.file.path is not None:
            return read_run(self.file.path)
        assert self.file.content is not None
        return run_of(self.file.content)


def perform(
    experiment: Experiment,
    callbacks: Callbacks | None = None,
    checkpoint: Checkpoint | None = None,
    force: bool = False,
    weights: Run | Weights | None = None,
    tell: Callable[[str], None] = warnings.warn,
    keep: bool = True,
    executor: Executor | Factory | None = None,
) -> Performed:
    """Train, and leave the file, or what it would hold in memory where `record.path` is "".

    callbacks: entered before anything is built. checkpoint: where to go on, in the file that it was read from.
    force: the file of another run may be overwritten. weights: what a new run begins with.
    tell: takes a sentence about a file that had to go elsewhere. keep: whether spikes and variables are kept in memory
    where there is no file. executor: where trials run, as `Crew` says; default here.

    Raises
    ------
    UserError
        Settings, network, data, weights and checkpoint do not fit, or something stands where the file is to be
        (nothing is written); a loss or gradient that is not finite.
    KeyboardInterrupt
        The file keeps what was recorded until then, with the status "interrupted".
    """
    callbacks = callbacks or Callbacks()
    claim = _claim(experiment, checkpoint, force)
    try:
        with callbacks:
            return _performed(experiment, callbacks, checkpoint, claim, weights, tell, keep, executor)
    finally:
        if claim:
            claim.close()


def _claim(experiment: Experiment, checkpoint: Checkpoint | None, force: bool) -> Claim | None:
    """On the file of the run, before any work is done for it."""
    if checkpoint:
        return claim_existing(checkpoint.path, checkpoint.stamp)
    wanted = experiment.record.path
    return claim_new(Path(wanted), force, free=experiment.numbered) if wanted else None


def _performed(
    experiment: Experiment,
    callbacks: Callbacks,
    checkpoint: Checkpoint | None,
    claim: Claim | None,
    weights: Run | Weights | None,
    tell: Callable[[str], None],
    keep: bool,
    executor: Executor | Factory | None,
) -> Performed:
    if claim and not checkpoint and str(claim.path) != str(Path(experiment.record.path)):
        record = experiment.record.model_copy(update={"path": str(claim.path)})
        experiment = experiment.changed(record=record)
    engine = available_engine(experiment.engine)
    task = experiment.task()
    if experiment.train.epochs and not task.epoch:
        raise UserError(f"train.epochs: {experiment.title!r} has no epochs; train.iterations is needed")
    simulation = simulation_of(experiment, task, engine)
    # What overflows ends in a loss or gradient that is not finite, which the trainer reports.
    with simulation.engine, users_code(experiment.file), np.errstate(over="ignore", invalid="ignore"):
        session = Session.of(experiment, simulation, task, origin(engine, experiment, task), callbacks)
        file: RunFile | None = None
        try:
            if weights is not None:
                load_values(weights, simulation)
                session.start = str(weights.path) if isinstance(weights, Run) else weights.where
            if checkpoint:
                session.go_on(checkpoint)
            if executor is not None:
                session.trainer.elsewhere = Elsewhere(experiment, session.trainer, session.origin, executor)
            with contextlib.closing(session.trainer), session.open(claim, tell) as file:
                session.train(file, keep or claim is not None)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(number_of(interrupt), _remains(session, file.path if file else None)) from None
    return Performed(session, engine, file)


def _remains(session: Session, path: Path | None) -> str:
    """What an interrupted run leaves, in words."""
    if path is None or not path.exists():
        return ""
    if not session.saved:
        return f"; '{path}' holds what was recorded until then"
    again = f"snnplast resume {shlex.quote(str(path))}"
    if session.experiment.of_objects:
        again = f"snnplast.resume({str(path)!r}, experiment)"
    return f"; '{again}' goes on after update {session.saved} of {session.trainer.iterations}"
