"""A training run between its first and its last update: rounds, their metrics, what the file gets, checkpoints."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.random_streams import TEST, TRAINING
from snnplast.record.buffers import Per
from snnplast.record.claim import Claim
from snnplast.record.layout import Kept
from snnplast.record.run_file import RunFile
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Task
from snnplast.task.trial import Record
from snnplast.training.callbacks import Callbacks, Moment
from snnplast.training.checkpoint import Checkpoint, Pace, save
from snnplast.training.control import Control
from snnplast.training.interrupt import Interrupts, Stopped
from snnplast.training.learned import Learned
from snnplast.training.mean import Mean
from snnplast.training.prepared import trainer_of
from snnplast.training.provenance import files, refreshed, versions
from snnplast.training.recorder import PHASES, Recorder, check_names
from snnplast.training.trainer import Trainer


@dataclass
class Session:
    """One training run, or the rest of one.

    trainer: holds all that learning changes. recorder: gives the file what is kept. origin: all else it depends on.
    callbacks: what watches it. stopped: why it was ended early, "" where it was not.
    rounds: rows of metrics so far; a round is an epoch, or an iteration of a task without epochs. mean: the metrics of
    the updates of the round that has begun. row: the metrics of the last round.
    first: updates done before. saved: updates done at the last checkpoint. kept: what stays of the file that goes on.
    start: the file that the first weights are from, "" where they were drawn.
    remembered: by callbacks, at the checkpoint where the run goes on, or before they hear of a round that has ended.
    """

    trainer: Trainer
    experiment: Experiment
    recorder: Recorder
    origin: Mapping[str, str]
    callbacks: Callbacks = field(default_factory=Callbacks)
    stopped: str = ""
    rounds: int = 0
    seconds: float = 0.0
    row: dict[str, float] = field(default_factory=dict)
    mean: Mean = field(default_factory=Mean)
    first: int = 0
    saved: int = 0
    kept: Kept | None = None
    start: str = ""
    remembered: Mapping[str, np.ndarray] | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)

    def __post_init__(self) -> None:
        self._pace = Pace(self.experiment.train.checkpoint_every)
        self.learned = Learned(self.trainer, self.experiment.record.weights_every)

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        simulation: Simulation,
        task: Task,
        origin: Mapping[str, str] | None = None,
        callbacks: Callbacks | None = None,
    ) -> Session:
        """The session before its first update."""
        check_names(experiment, simulation)
        trainer = trainer_of(experiment, simulation, task)
        recorder = Recorder.of(trainer, experiment)
        if experiment.compare is not None:
            trainer.control = Control.of(experiment, simulation, trainer)
        return cls(trainer, experiment, recorder, origin or versions(), callbacks or Callbacks())

    def go_on(self, checkpoint: Checkpoint) -> None:
        """Take up the run where the checkpoint was taken. Raises `UserError` where it does not fit."""
        checkpoint.restore(self.trainer)
        self.origin = {**refreshed(checkpoint.origin), **self.origin}
        self.first = self.saved = self.trainer.iteration
        self.rounds = (self.first - 1) // self.trainer.updates_per_epoch()
        self.mean = Mean.of(checkpoint.partial)
        self.remembered = checkpoint.remembered
        self.learned.go_on(checkpoint, self.rounds)
        trials, answers = (self._before(rows) for rows in (checkpoint.trials, checkpoint.answers))
        self.kept = Kept(trials, self.rounds, checkpoint.metrics, answers)

    def _before(self, rows: np.ndarray) -> int:
        """How many of the trials or answers in a file stay where it goes on."""
        kept = rows["iteration"] < self.first  # the test that may follow counts as after it
        if not self._keeps_round():  # it was kept as the last one, and is so no longer
            before = rows["iteration"] < self.rounds * self.trainer.updates_per_epoch()
            kept &= (rows["phase"] == PHASES[TEST]) | before
        return int(kept.sum())

    @property
    def per(self) -> Per:
        """What a round is."""
        return "epoch" if self.trainer.task.epoch else "iteration"

    @property
    def total(self) -> int:
        """Number of rounds."""
        return -(-self.trainer.iterations // self.trainer.updates_per_epoch())

    def open(self, claim: Claim | None, tell: Callable[[str], None]) -> RunFile:
        """The file of the run, in memory without a claim. tell: takes a sentence about where it had to go."""
        return self.recorder.open(claim, self.per, self.kept, tell)

    def moment(
        self, metrics: Mapping[str, float] | None = None, trials: Sequence[Record] = (), iteration: int | None = None
    ) -> Moment:
        """Where the run stands, or stood after an iteration."""
        trainer, total, per = self.trainer, self.total, self.per
        return Moment(
            self.experiment.title,
            trainer.iteration if iteration is None else iteration,
            trainer.iterations,
            min(self.rounds + 1, total),
            total,
            per,
            trainer.updates_per_epoch(),
            trainer.judging if trainer.task.tests and per == "epoch" else (),
            trainer.simulation.values,
            metrics or {},
            tuple(trials),
            self._stop,
        )

    def _stop(self, reason: str) -> None:
        self.stopped = self.stopped or str(reason) or "a callback"

    def train(self, file: RunFile, keep: bool = True) -> None:
        """All rounds; the file gets trials (to `keep`) and metrics as they come, weights at the end, however it comes.

        The first Ctrl-C waits for the end of the update, so that it leaves a checkpoint; the second one does not.
        """
        if keep:
            self.trainer.watch = lambda phase, record: self._keep(file, phase, record)
            self.trainer.whole = self._whole
            if not self.first:
                file.initial(self.learned.values(), self.start)
        started = time.monotonic()
        self.interrupts = Interrupts(lambda: self.callbacks("on_stopping", self.moment()))
        try:
            with self.interrupts:
                self.callbacks("on_begin", self.moment())
                self.callbacks.restore(self.remembered or {})
                self.remembered = None
                while self.rounds < self.total and not self.stopped:
                    self.row = self._round(file)
                    file.metrics(self.per, self.row)
                    if keep:
                        self.learned.after(file, self.rounds, self.row)
                self.callbacks("on_end", self.moment(self.row))
                self.trainer.simulation.tie()
        except Stopped:
            raise
        except BaseException:
            with contextlib.suppress(UserError, ValueError):  # the file may be what failed: the first error is the one
                self._store(file)
                if self.callbacks.failed:  # the run itself is sound: it can go on
                    if file.begun and self.trainer.iteration > self.first and self.mean.values():
                        self._save(file)
                    file.finish("interrupted")
            raise
        self.seconds = time.monotonic() - started
        self._store(file)

    def _round(self, file: RunFile) -> dict[str, float]:
        """The updates of one epoch or one iteration, and the test trials that follow; its row of metrics."""
        trainer = self.trainer
        last = min((self.rounds + 1) * trainer.updates_per_epoch(), trainer.iterations)
        while trainer.iteration < last:
            for step in trainer.advance(last - trainer.iteration):
                self.mean.add(step.metrics, step.size)
                self.callbacks("on_update", self.moment(step.metrics, step.trials, step.iteration))
            due = self._pace.due(self.rounds + 1, trainer.iteration == last)
            self._pause(file, due or trainer.iteration == trainer.iterations)
        row = self.mean.values()
        tested = trainer.task.tests and (self.per == "epoch" or last == trainer.iterations)
        if tested:
            row |= self._test(file)
        self.remembered = self.callbacks.state()  # a run that goes on from this round's last update hears of it again
        self.callbacks("on_round", self.moment(row))
        if self.stopped:
            if trainer.task.tests and not tested:
                row |= self._test(file)
            self._save(file)
        self.rounds += 1
        self.mean, self.remembered = Mean(), None
        return row

    def _test(self, file: RunFile) -> dict[str, float]:
        self.callbacks("on_test", self.moment())
        metrics = Mean()
        with contextlib.closing(self.trainer.evaluate()) as records:
            for record in records:
                metrics.add(self.trainer.judged(record), 1)
                if self.interrupts.wanted:
                    break
        self._pause(file, due=False)
        return {f"test_{name}": value for name, value in metrics.values().items()}

    def _pause(self, file: RunFile, due: bool) -> None:
        """Where nothing is half done: a checkpoint if one is due or the run is to stop here, and Ctrl-C is heard."""
        if due or self.interrupts.wanted:
            with self._pace.measured():
                self._store(file)
                self._save(file)
        self.interrupts.check()

    def _save(self, file: RunFile) -> None:
        """A checkpoint: the run can go on after its last update, with the rest of the round."""
        origin = {**self.origin, **files(self.experiment)}
        remembered = self.callbacks.state() if self.remembered is None else self.remembered
        save(file, self.trainer, remembered, self.mean.text(), origin, self.stopped)
        self.saved = self.trainer.iteration

    def _keeps_round(self) -> bool:
        """Whether trials of the round that has begun are kept."""
        number = self.rounds + 1
        return number % self.experiment.record.every == 0 or number == self.total

    def _whole(self, phase: int, index: int) -> bool:
        """Whether somebody wants to see more of a trial than how well it went."""
        here = self.trainer.elsewhere is None
        if phase == TRAINING and (self.trainer.control is not None or (here and self.callbacks.see_trials)):
            return True
        return self._keeps_round() and self.recorder.keeps(phase, index)

    def _keep(self, file: RunFile, phase: int, record: Record) -> None:
        if self._keeps_round():
            self.recorder.trial(file, phase, record)

    def _store(self, file: RunFile) -> None:
        self.recorder.parameters(file)
        self.learned.store(file)
