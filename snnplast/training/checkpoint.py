"""Checkpoints: what a run's file holds so that the run can go on, bit by bit as if it had never stopped.

A checkpoint stands between an update and what follows it, be it the next update or the test at the end of a round: what
was recorded from there on is dropped and done again. In the file, /checkpoint holds `Trainer.state`, in
`callbacks/` what callbacks remember (`Callbacks.state`), and as attributes

    total       updates that the whole run was to have
    round       sums behind the metrics of the round that has begun (JSON)
    origin      what else shapes the numbers (JSON, `snnplast.training.provenance`)
    metrics     names of the metrics there were (JSON)
    stopped     why the run was ended before its last update, "" where it was not
    digest      of all this; `settings`: of the config. A file that other hands have changed does not go on
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snnplast.errors import UserError
from snnplast.record.apart import Stamp
from snnplast.record.reading import read_checkpoint
from snnplast.record.results import Best
from snnplast.record.run_file import RunFile
from snnplast.training.trainer import Trainer

CALLBACKS = "callbacks/"
LEAST = 10.0
"""Seconds between two checkpoints that are taken automatically, at least."""
SHARE = 0.01
"""Of the time, at most, that these may take."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as it was read.

    path, stamp, status, config, trials, answers, best, learned: the file, and what it says as `Run`.
    rows: of its metrics, by name. best_values: what was learned by then, by name. state: `Trainer.state`.
    remembered: `Callbacks.state`.
    total, partial, origin, metrics: the attributes of the checkpoint; `partial` is the text of `round`.
    """

    path: Path
    stamp: Stamp
    status: str
    config: str
    trials: np.ndarray
    answers: np.ndarray
    best: Best | None
    best_values: dict[str, np.ndarray]
    learned: dict[str, int]
    rows: dict[str, int]
    state: dict[str, np.ndarray]
    remembered: dict[str, np.ndarray]
    total: int
    partial: str
    origin: dict[str, str]
    metrics: list[str]

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """The last checkpoint in the file of a run.

        Raises
        ------
        UserError
            No file, not the file of a run, damaged, without a checkpoint, or with one of another make.
        """
        run, attributes, arrays = read_checkpoint(path)
        if not attributes:
            raise UserError(f"'{path}' holds no checkpoint: its run, {run.status!r}, ended before the first one")
        try:
            return cls(
                path,
                run.stamp,
                run.status,
                run.config,
                run.trials,
                run.answers,
                run.best,
                run.best_values(),
                run.learned,
                {name: len(values) for name, values in run.metrics.items()},
                {name: values for name, values in arrays.items() if not name.startswith(CALLBACKS)},
                {name.removeprefix(CALLBACKS): v for name, v in arrays.items() if name.startswith(CALLBACKS)},
                int(attributes["total"]),
                str(attributes["round"]),
                json.loads(attributes["origin"]),
                json.loads(attributes["metrics"]),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"'{path}': its checkpoint is not one of this version of snnplast ({error})") from error

    @property
    def updates(self) -> int:
        """How many are done."""
        return int(self.state["iteration"])

    def check_unfinished(self, iterations: int) -> None:
        """Raises `UserError` where nothing is left to do of a run of so many updates."""
        if iterations == self.total == self.updates and self.status == "finished":
            raise UserError(
                f"'{self.path}' is complete; --set train.epochs=N or train.iterations=N makes its run longer"
            )

    def restore(self, trainer: Trainer) -> None:
        """Put `trainer` where the checkpoint was taken.

        Raises
        ------
        UserError
            Nothing is left to do; the run would become shorter, or longer though the learning rate depends on its
            length; the state is that of another experiment.
        """
        self.check_unfinished(trainer.iterations)
        change = f"'{self.path}': {trainer.iterations} updates instead of {self.total}"
        if trainer.iterations < self.total:
            raise UserError(f"{change}: a run that goes on can become longer, not shorter")
        if trainer.iterations > self.total and trainer.scheduled:
            raise UserError(f"{change}: a schedule spreads the learning rate over the run, so its length has to stay")
        if not 0 < self.updates <= self.total:
            raise UserError(f"'{self.path}': its checkpoint is of update {self.updates} of {self.total}")
        rounds = (self.updates - 1) // trainer.updates_per_epoch()
        if lacking := [name for name in self.metrics if self.rows.get(name, -1) < rounds]:
            raise UserError(f"'{self.path}': the metric {lacking[0]!r} has fewer rows than its checkpoint has rounds")
        trainer.restore(self.state)


def save(
    file: RunFile,
    trainer: Trainer,
    remembered: Mapping[str, np.ndarray],
    partial: str,
    origin: Mapping[str, str],
    stopped: str = "",
) -> None:
    """Write all that was recorded and a checkpoint, as one. Only between an update and what follows it."""
    file.checkpoint(
        trainer.state() | {f"{CALLBACKS}{name}": values for name, values in remembered.items()},
        total=trainer.iterations,
        round=partial,
        origin=json.dumps(dict(origin), sort_keys=True),
        stopped=stopped,
    )


class Pace:
    """When checkpoints are due.

    every: number of rounds; 0: never before the end; "auto": whenever 10 s have passed, less often where that would
    take more than 1 % of the time.
    """

    def __init__(self, every: int | str, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock = every, clock
        self._next = clock() + LEAST

    def due(self, round_: int, ends: bool) -> bool:
        """Whether one is due after an update in round `round_` = 1, 2, ..., which `ends` it or not."""
        if isinstance(self._every, str):
            return self._clock() >= self._next
        return ends and self._every > 0 and round_ % self._every == 0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Around the writing of a checkpoint."""
        began = self._clock()
        yield
        ended = self._clock()
        self._next = ended + max(LEAST, (ended - began) / SHARE)
