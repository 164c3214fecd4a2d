"""The far side of an executor: each process builds an experiment once, keeps it, and computes pieces of its batches.

What goes to and fro is pickled, and comes from the process that trains; no file is read so.
"""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.config.model_file import users_code
from snnplast.errors import UserError
from snnplast.random_streams import TRAINING
from snnplast.task.trial import Record
from snnplast.training.chunk import Gradients
from snnplast.training.executors import told
from snnplast.training.prepared import available_engine, simulation_of, trainer_of
from snnplast.training.provenance import changed, origin
from snnplast.training.trainer import Trainer

KEPT = 2
"""Experiments that a process keeps."""
OF_THE_NETWORK = {"network", "wiring", "values", "names"}
"""What records share, and both sides have."""


class Work(NamedTuple):
    """Some trials of one phase.

    key: of the experiment. experiment: pickled with its `origin`, where the worker has asked for it. state: pickled,
    what trials depend on, by names of `Trainer.state`. full: whether records come back with all that they hold.
    """

    key: str
    experiment: bytes | None
    state: bytes
    phase: int
    trials: range
    full: bool


@dataclass
class Done:
    """What they left.

    gradients, metrics: of a chunk, for training trials. records: of each trial, apart from the network.
    reads: data and modules that the experiment's code has read.
    """

    gradients: list[Gradients] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    reads: tuple[dict[str, str], dict[str, str]] = ({}, {})


def work(asked: Work) -> bytes | None:
    """A pickled `Done`; None where this process has no such experiment yet, and none came along."""
    if asked.experiment is not None:
        _remember(asked.key, asked.experiment)
    elif asked.key not in _experiments:
        return None
    with _trainer(asked.key) as trainer, np.errstate(over="ignore", invalid="ignore"):
        views = trainer.state()
        for name, values in pickle.loads(asked.state).items():
            views[name][...] = values
        trainer.simulation.tie()
        return pickle.dumps(_done(trainer, asked), protocol=5)  # now: it has views of what the engine goes on with


def _done(trainer: Trainer, asked: Work) -> Done:
    done = Done(reads=(trainer.reads.data, trainer.reads.modules))
    trainer.watch, trainer.whole = None, lambda phase, index: asked.full
    if asked.full:
        trainer.watch = lambda phase, record: done.records.append(_held(record, trainer.kept))
    if asked.phase == TRAINING:
        (chunk,) = trainer.chunks(asked.trials)
        done.gradients, done.metrics = chunk.gradients, chunk.metrics
        judged = [_judged(record) for record in chunk.records]
    else:
        judged = [_judged(record) for record in trainer.tests(asked.trials)]
    done.records = done.records or judged
    return done


def _held(record: Record, kept: Sequence[str]) -> dict[str, Any]:
    """What a record holds apart from the network; of histories those that are kept."""
    own = [field.name for field in fields(record) if field.init and field.name not in OF_THE_NETWORK]
    held = {name: getattr(record, name) for name in own}
    return held | {"history": {name: record.history[name].copy() for name in kept}}


def _judged(record: Record) -> dict[str, Any]:
    """Which trial a record is of, and how it was judged."""
    judgement = record.judgement and replace(record.judgement, error=record.judgement.error[:0])
    return {"index": record.index, "seed": record.seed, "steps": record.steps, "judgement": judgement}


_lock = threading.Lock()
"""There is one Brian2 in a process: engines are built one after another, whatever threads it has."""
_experiments: OrderedDict[str, bytes] = OrderedDict()
_free: defaultdict[str, list[Trainer]] = defaultdict(list)


def _remember(key: str, experiment: bytes) -> None:
    with _lock:
        _experiments[key] = experiment
        while len(_experiments) > KEPT:
            old, _ = _experiments.popitem(last=False)
            for trainer in _free.pop(old, []):
                trainer.close()
                trainer.simulation.engine.close()


@contextmanager
def _trainer(key: str) -> Iterator[Trainer]:
    """One that no other thread of this process uses meanwhile."""
    with _lock:
        trainer = _free[key].pop() if _free[key] else _built(_experiments[key])
    try:
        yield trainer
    finally:
        _free[key].append(trainer)


def packed(experiment: Experiment, found: Mapping[str, str]) -> bytes:
    """An experiment for workers. found: its origin, which must be the same there.

    cloudpickle, where it is installed, takes classes of a script or notebook along; without it, what network and task
    are made of must be importable. Raises `UserError` for what cannot be pickled.
    """
    try:
        from cloudpickle import dumps  # pyright: ignore[reportMissingImports]
    except ImportError:
        from pickle import dumps
    try:
        return dumps((experiment, dict(found)))
    except Exception as error:
        raise UserError(f"executor: the experiment cannot be sent to workers: {told(error)}") from error


def _built(experiment: bytes) -> Trainer:
    try:
        found, expected = pickle.loads(experiment)
    except Exception as error:
        raise UserError(
            f"executor: a worker cannot make the experiment: {told(error)}; what it is made of must be importable there"
        ) from error
    engine = available_engine(found.engine)
    with users_code(found.file):
        task = found.task()
        here = origin(engine, found, task)
        for name in changed(expected, here):
            raise UserError(
                f"executor: {name} is {here.get(name, 'absent')} on a worker, {expected.get(name, 'absent')} where the "
                "run is: the bits would not be the same"
            )
        return trainer_of(found, simulation_of(found, task, engine), task)
