"""A training run between its first and its last update: rounds, their metrics, what the file gets, checkpoints."""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError, nearest
from snnplast.random_streams import TEST, TRAINING
from snnplast.record.buffers import Per
from snnplast.record.claim import Claim
from snnplast.record.layout import Kept
from snnplast.record.run_file import RunFile
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Task
from snnplast.task.trial import Record
from snnplast.training.callbacks import TESTED, Callbacks, Moment
from snnplast.training.checkpoint import Checkpoint, Pace, save
from snnplast.training.interrupt import Interrupts, Stopped
from snnplast.training.learned import Learned
from snnplast.training.provenance import files, refreshed, versions
from snnplast.training.trainer import Trainer

PHASES = {TRAINING: "training", TEST: "test"}


@dataclass
class Session:
    """One training run, or the rest of one.

    trainer: holds all that learning changes. trials: phases whose trials are kept. origin: all else it depends on.
    callbacks: what watches it. stopped: why it was ended early, "" where it was not.
    rounds: rows of metrics so far; a round is an epoch, or an iteration of a task without epochs. mean: the metrics of
    the updates of the round that has begun. row: the metrics of the last round.
    first: updates done before. saved: updates done at the last checkpoint. kept: what stays of the file that goes on.
    start: the file that the first weights are from, "" where they were drawn.
    remembered: by callbacks, at the checkpoint where the run goes on, or before they hear of a round that has ended.
    """

    trainer: Trainer
    experiment: Experiment
    trials: frozenset[int]
    origin: Mapping[str, str]
    callbacks: Callbacks = field(default_factory=Callbacks)
    stopped: str = ""
    rounds: int = 0
    seconds: float = 0.0
    row: dict[str, float] = field(default_factory=dict)
    mean: Mean = field(default_factory=lambda: Mean())
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
        _check_names(experiment, simulation)
        trainer = Trainer(
            simulation,
            task,
            iterations=experiment.train.iterations or 0,
            workers=experiment.train.workers,
            kept=[name for name in experiment.record.variables if name not in simulation.plan.asked],
            reads=experiment.reads,
        )
        if experiment.train.epochs:
            trainer.iterations = experiment.train.epochs * trainer.updates_per_epoch()
        chosen = experiment.record.trials or ("test" if task.tests else "training")
        kept = {phase for phase, name in PHASES.items() if chosen in (name, "all")}
        return cls(trainer, experiment, frozenset(kept), origin or versions(), callbacks or Callbacks())

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

    def recorded(self) -> str:
        """Of what the file keeps spikes and variables, in words; "" where it keeps neither."""
        record, task = self.experiment.record, self.trainer.task
        if not (self.experiment.recorded_spikes or record.variables):
            return ""
        spikes = [f"spikes of {', '.join(self.experiment.recorded_spikes)}"] * bool(self.experiment.recorded_spikes)
        sizes = {TRAINING: task.epoch or self.trainer.batch, TEST: task.tests}
        trials = []
        for phase in sorted(self.trials):
            few = f"{record.first} of {sizes[phase]} " if 0 < record.first < sizes[phase] else ""
            trials.append(f"{few}{PHASES[phase]} trials")
        rounds = f"every {self.per}" if record.every == 1 else f"one {self.per} in {record.every} and the last"
        if trials == ["test trials"] and self.per == "iteration":
            rounds = "the end"
        return f"{', '.join([*spikes, *record.variables])} in {' and '.join(trials)} of {rounds}"

    def moment(self, metrics: Mapping[str, float] | None = None, trials: Sequence[Record] = ()) -> Moment:
        """Where the run stands."""
        trainer = self.trainer
        return Moment(
            self.experiment.title,
            trainer.iteration,
            trainer.iterations,
            min(self.rounds + 1, self.total),
            self.total,
            self.per,
            trainer.updates_per_epoch(),
            bool(trainer.task.tests) and self.per == "epoch",
            trainer.simulation.values,
            metrics or {},
            tuple(trials),
            self._stop,
        )

    def _stop(self, reason: str) -> None:
        self.stopped = self.stopped or str(reason) or "a callback"

    def open(self, claim: Claim | None, tell: Callable[[str], None]) -> RunFile:
        """The file of the run, in memory without a claim. tell: takes a sentence about where it had to go."""
        experiment, simulation, record = self.experiment, self.trainer.simulation, self.experiment.record
        states = {name.replace(".", "/"): int(np.size(simulation.engine[name])) for name in record.variables}
        return RunFile(
            claim,
            config=experiment.text(),
            seed=experiment.train.seed,
            versions=versions(),
            dt=simulation.network.dt,
            populations={name: population.size for name, population in simulation.network.populations.items()},
            spikes=experiment.recorded_spikes,
            states=states,
            once=[n.replace(".", "/") for n in record.variables if n in simulation.once or n in simulation.plan.asked],
            projections=list(simulation.network.projections),
            **self._choice(),
            per=self.per,
            kept=self.kept,
            tell=tell,
        )

    def _choice(self) -> dict[str, Any]:
        """How many answers the readout has to choose from, and what they stand for."""
        task, network = self.trainer.task, self.trainer.simulation.network
        if task.objective is None:
            return {}
        readout, classes = task.objective.readout, task.classes or ()
        units = network.population(readout).size
        if len(classes) > units:
            raise UserError(
                f"task.classes: {len(classes)} classes, but the readout {readout!r} has {units} units, one for each is "
                "needed"
            )
        return {"units": units, "classes": classes}

    def train(self, file: RunFile, keep: bool = True) -> None:
        """All rounds; the file gets trials (to `keep`) and metrics as they come, weights at the end, however it comes.

        The first Ctrl-C waits for the end of the update, so that it leaves a checkpoint; the second one does not.
        """
        if keep:
            self.trainer.watch = lambda phase, record: self._keep(file, phase, record)
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
                self._store_parameters(file)
                if self.callbacks.failed:  # the run itself is sound: it can go on
                    if file.begun and self.trainer.iteration > self.first and self.mean.values():
                        self._save(file)
                    file.finish("interrupted")
            raise
        self.seconds = time.monotonic() - started
        self._store_parameters(file)

    def _round(self, file: RunFile) -> dict[str, float]:
        """The updates of one epoch or one iteration, and the test trials that follow; its row of metrics."""
        trainer = self.trainer
        last = min((self.rounds + 1) * trainer.updates_per_epoch(), trainer.iterations)
        while trainer.iteration < last:
            step = trainer.update()
            self.mean.add(step.metrics, len(step.trials))
            self.callbacks("on_update", self.moment(step.metrics, step.trials))
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
                metrics.add(self.trainer.measure(record), 1)
                if self.interrupts.wanted:
                    break
        self._pause(file, due=False)
        return {f"test_{name}": value for name, value in metrics.values().items() if name in TESTED}

    def _pause(self, file: RunFile, due: bool) -> None:
        """Where nothing is half done: a checkpoint if one is due or the run is to stop here, and Ctrl-C is heard."""
        if due or self.interrupts.wanted:
            with self._pace.measured():
                self._store_parameters(file)
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

    def _keep(self, file: RunFile, phase: int, record: Record) -> None:
        """Answers, spikes and variables of a trial, where this round and phase are kept."""
        trainer, most, judged = self.trainer, self.experiment.record.first, record.judgement
        if not self._keeps_round() or not (phase == TEST or phase in self.trials):
            return
        if judged is not None and judged.answered is not None and judged.wanted is not None:
            file.answers(record.index, PHASES[phase], judged.wanted, judged.answered, trainer.iteration)
        place = record.index if phase == TEST else record.index % (trainer.task.epoch or trainer.batch)
        if phase not in self.trials or (most and place >= most):
            return
        file.trial(
            record.index,
            PHASES[phase],
            record.steps,
            iteration=self.trainer.iteration,
            spikes={name: record.spikes[name] for name in self.experiment.recorded_spikes},
            states={name.replace(".", "/"): self._rows(record, name) for name in self.experiment.record.variables},
        )

    def _rows(self, record: Record, name: str) -> np.ndarray:
        """What a variable was, (steps, n), or (1, n) where it takes, or is asked for, its value once per trial."""
        if name in self.trainer.simulation.plan.asked:
            return record.accumulated[name][None]
        return (
            record.during("response").ends[name][None] if name in self.trainer.simulation.once else record.history[name]
        )

    def _store_parameters(self, file: RunFile) -> None:
        simulation = self.trainer.simulation
        for name, projection in simulation.network.projections.items():
            wiring, ends = simulation.plan.wiring[name], {"source": projection.source, "target": projection.target}
            unit = simulation.network.weight_unit(projection)
            file.weights(name, wiring.pre, wiring.post, simulation.values[name], **ends, unit=unit)
        for name, values in simulation.values.items():
            if name not in simulation.network.projections:
                file.parameter(name, values, population=name.partition(".")[0])
        self.learned.store(file)


class Mean:
    """Weighted means of metrics; a value that is missing or not a number has no weight."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: defaultdict[str, float] = defaultdict(float)

    def add(self, metrics: Mapping[str, float], weight: float) -> None:
        for name, value in metrics.items():
            known = not np.isnan(value)
            self._sums[name] = self._sums.get(name, 0.0) + (weight * value if known else 0.0)
            self._weights[name] += weight * known

    def values(self) -> dict[str, float]:
        weights = self._weights
        return {name: total / weights[name] if weights[name] else np.nan for name, total in self._sums.items()}

    def text(self) -> str:
        """All of it, exactly."""
        return json.dumps({name: [float(total), float(self._weights[name])] for name, total in self._sums.items()})

    @classmethod
    def of(cls, text: str) -> Mean:
        """The one whose text this is."""
        mean = cls()
        for name, (total, weight) in json.loads(text).items():
            mean._sums[name], mean._weights[name] = total, weight
        return mean


def _check_names(experiment: Experiment, simulation: Simulation) -> None:
    """Populations that are to be recorded must spike in the network as it was built."""
    for name in experiment.recorded_spikes:
        if name not in simulation.spiking:
            raise UserError(f"record.spikes: unknown spiking population {name!r}; {nearest(name, simulation.spiking)}")
        if name in simulation.plan.flags["work"]:
            raise UserError(
                f"record.spikes: {name!r} fires after the trial, while it takes it up, in steps that are not kept"
            )
