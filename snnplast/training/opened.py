"""An experiment that stands open: single trials, updates and tests, predictions, activity; nothing is written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.config.model_file import users_code
from snnplast.described import count
from snnplast.errors import UserError, short, unknown
from snnplast.random_streams import TRAINING
from snnplast.record.results import Run
from snnplast.record.weights import Weights
from snnplast.task.objective import stretches
from snnplast.task.task import ShowsSamples
from snnplast.task.trial import Record, Spikes
from snnplast.training.mean import Mean
from snnplast.training.prepared import available_engine, simulation_of
from snnplast.training.saved_weights import kept_weights, load_values, weights_of
from snnplast.training.session import Session
from snnplast.training.trainer import Step

Kept = Run | Weights | str | os.PathLike[str] | None


class Opened:
    """An experiment on its engine; close it, or use it in a `with` block.

    weights: live views of all weights and biases by name; what is written there, as in
    `sim.weights["input_to_hidden"][:] = 0`, the next trial uses.
    """

    def __init__(self, experiment: Experiment, weights: Kept = None) -> None:
        if not isinstance(experiment, Experiment):
            raise UserError(f"{short(experiment)}: an Experiment is needed; Experiment.of takes names and files")
        self.experiment = experiment
        kept, engine = kept_weights(weights), available_engine(experiment.engine)
        task = experiment.task()
        self._simulation = simulation_of(experiment, task, engine)
        self._open = True
        try:
            self._trainer = Session.of(experiment, self._simulation, task, {}).trainer
            if kept is not None:
                load_values(kept, self._simulation)
        except BaseException:
            self._simulation.engine.close()
            raise

    @property
    def weights(self) -> Mapping[str, np.ndarray]:
        self._check_open()
        return self._simulation.values

    def snapshot(self) -> Weights:
        """A copy of all weights and biases as they are, which `weights=` and `save_weights` take."""
        self._check_open()
        return weights_of(self._simulation)

    def trial(self, index: int) -> Record:
        """The record of training trial `index` = 0, 1, ...; nothing is learned from it."""
        with self._working():
            return _own(self._trainer.run(TRAINING, count("trial: index", index, low=0)))

    def test(self, index: int) -> Record:
        """The record of test trial `index`."""
        tests = self._trainer.task.tests
        if not tests:
            raise UserError(f"test: {NONE}")
        if count("test: index", index, low=0) >= tests:
            raise UserError(f"test: index = {index}: there are {tests} test trials, 0 to {tests - 1}")
        with self._working():
            return _own(self._trainer.test(index))

    def update(self) -> Step:
        """One update: a batch of trials, the mean gradient, one optimiser step; its `metrics` and `trials`."""
        trainer = self._trainer
        if trainer.iteration >= trainer.iterations:
            raise UserError(f"update: all {trainer.iterations} updates of this experiment are done")
        with self._working():
            return trainer.update()

    @property
    def remaining(self) -> int:
        """Updates that are left."""
        return self._trainer.iterations - self._trainer.iteration

    def compare(self, trials: int = 1) -> float:
        """Cosine of the first training trials' summed gradient with that of the control, on the same spikes.

        Weights are as they are, nothing is learned; trials for which the rule has no signal yet count on neither side.
        A rule that changes weights within trials is compared by minus those changes. nan where there is none onto
        neurons. Raises `UserError` where the experiment has nothing to `compare` with.

        >>> import snnplast as snn
        >>> from snnplast.testing import small_network, small_task
        >>> rules = {"rule": snn.EProp(), "compare": snn.BPTT()}
        >>> experiment = snn.Experiment(small_network(), small_task(), **rules, epochs=1, engine="runtime")
        >>> with snn.open(experiment) as sim:
        ...     bool(abs(sim.compare(trials=3)) < 1)
        True
        """
        trainer, control = self._trainer, self._trainer.control
        if control is None:
            raise UserError("compare: this experiment has no control; compare=BPTT() gives it one")
        count("compare: trials", trials)
        with self._working():
            kept = {name: values.copy() for name, values in trainer.state().items()}
            try:
                return control.first(trainer, trials)
            finally:
                trainer.restore(kept)
                self._simulation.tie()

    def evaluate(self) -> dict[str, float]:
        """Mean metrics of all test trials: loss, accuracy where the task classifies, spikes and operations."""
        if not self._trainer.task.tests:
            raise UserError(f"evaluate: {NONE}")
        mean = Mean()
        for record in self._tests():
            mean.add(self._trainer.measure(record), 1)
        return mean.values()

    def predict(self, x: Any, labels: bool = False) -> np.ndarray:
        """What the readout answers to samples of which nothing is known, within the learning window of each.

        x: as the task takes it (`ShowsSamples`); a `Classification` takes (samples, inputs), or (samples, steps,
        inputs) over steps, values in [0, 1]. Sample k is shown as the k-th test trial is, so the same array gives the
        same numbers.

        Returns, where the objective makes one of the units the answer (`Judgement.answered`), the mean activity,
        (samples, n); elsewhere the activity itself, (samples, steps, n), or (samples, n) of a readout that acts once.
        labels: the answers instead, (samples,): `classes` of the task, or numbers of the readout's units.
        Where the window has several stretches, each with its answer: (samples, stretches, n) and (samples, stretches).

        Raises `UserError` where x does not fit, or the task shows no samples, wants nothing of a readout or, with
        `labels`, has no such answers.
        """
        task, found = self._trainer.task, []
        if task.objective is None:
            raise UserError("predict: this task wants nothing of a readout; `activity` has what populations do")
        for record in self._tests(x):
            found.append(_labels(record) if labels else _said(record, task.objective.readout))
            if found[-1].shape != found[0].shape:
                raise UserError(
                    f"predict: x[{len(found) - 1}] has an answer of shape {found[-1].shape}, x[0] one of "
                    f"{found[0].shape}; samples of one shape are needed"
                )
        if labels and task.classes is not None:
            names = [*task.classes, *range(len(task.classes), 1 + max(map(np.max, found)))]
            return np.array(names)[np.array(found)]
        return np.array(found)

    def activity(self, populations: str | Sequence[str], x: Any = None) -> dict[str, np.ndarray]:
        """Firing rates of chosen populations, name -> (samples, n) in Hz, for samples as in `predict`.

        Without x for the test trials.
        """
        names = self._spiking(populations)
        rates: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for record in self._tests(x):
            for name in names:
                rates[name].append(record.rates(name))
        return {name: np.array(rows) for name, rows in rates.items()}

    def spikes(self, populations: str | Sequence[str], x: Any = None) -> dict[str, list[Spikes]]:
        """Spikes of chosen populations, name -> (steps, neurons) of every sample; x as in `activity`."""
        names = self._spiking(populations)
        found: dict[str, list[Spikes]] = {name: [] for name in names}
        for record in self._tests(x):
            for name in names:
                steps, neurons = record.spikes[name]
                found[name].append((steps.copy(), neurons.copy()))
        return found

    def close(self) -> None:
        """Give up the engine."""
        if self._open:
            self._trainer.close()
            self._simulation.engine.close()
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tests(self, x: Any = None) -> Iterator[Record]:
        """The records of all test trials, or of these samples in their place."""
        trainer, task = self._trainer, self._trainer.task
        if x is not None:
            if not isinstance(task, ShowsSamples):
                raise UserError(f"{type(task).__name__} shows no samples of one's own; a ShowsSamples does")
            trainer.task = task.showing(x)
        elif not task.tests:
            raise UserError(NONE)
        try:
            with self._working(), contextlib.closing(trainer.evaluate()) as records:
                yield from records
        finally:
            trainer.task = task

    def _spiking(self, populations: str | Sequence[str]) -> list[str]:
        names = [populations] if isinstance(populations, str) else list(populations)
        for name in names:
            if name not in self._simulation.spiking:
                raise UserError(unknown("spiking population", str(name), self._simulation.spiking))
        return names

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        self._check_open()
        with users_code(self.experiment.file), np.errstate(over="ignore", invalid="ignore"):
            self._simulation.tie()
            yield

    def _check_open(self) -> None:
        if not self._open:
            raise UserError("this experiment is closed; snnplast.open opens it again")


NONE = "this task has no test trials"


def _said(record: Record, readout: str) -> np.ndarray:
    """The readout's activity within the learning window, or its mean over each stretch that has an answer."""
    rows = np.flatnonzero(record.in_window(readout))
    y = record.activity(readout)[rows]
    if record.judgement is None or record.judgement.answered is None:
        return y[0] if record.answers_once(readout) else y
    return _one(np.array([part.mean(axis=0) for part in np.split(y, stretches(rows)[1:])]))


def _labels(record: Record) -> np.ndarray:
    """The unit that is the answer, one per stretch."""
    answered = None if record.judgement is None else record.judgement.answered
    if answered is None:
        raise UserError("predict: labels=True needs a task that chooses, with an objective such as CrossEntropy()")
    return _one(answered)


def _one(answers: np.ndarray) -> np.ndarray:
    """What there is of each stretch, or of the only one."""
    return answers[0] if len(answers) == 1 else answers


def _own(record: Record) -> Record:
    """The record with histories of its own, which the next trial leaves alone."""
    record.history = {name: rows.copy() for name, rows in record.history.items()}
    record.spikes = {name: (steps.copy(), neurons.copy()) for name, (steps, neurons) in record.spikes.items()}
    return record


def open(experiment: Experiment, weights: Kept = None) -> Opened:
    """Put an experiment on its engine, to look at single trials, update it by hand, or ask it about other inputs.

    weights: a run, what `load_weights` reads, or the file of either; by default as they are drawn.
    Raises `UserError` where anything does not fit.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=1, engine="runtime")
    >>> with snn.open(experiment) as sim:
    ...     sim.trial(0).counts("first").shape, sim.activity("first")["first"].shape, "loss" in sim.update().metrics
    ((8,), (4, 8), True)
    """
    return Opened(experiment, weights)


def evaluate(experiment: Experiment, weights: Kept = None) -> dict[str, float]:
    """Mean metrics of all test trials: `loss`, `accuracy` where the task classifies, `spikes_per_trial`, ...

    With the weights that a run has left, to the bit what its last test has found. weights: as in `open`.
    Raises `UserError` where the task has no test trials, or the weights are those of another network.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=1, engine="runtime")
    >>> run = snn.train(experiment)
    >>> bool(snn.evaluate(experiment, run)["accuracy"] == run.metrics["test_accuracy"][-1])
    True
    """
    with open(experiment, weights) as opened:
        return opened.evaluate()


def predict(experiment: Experiment, x: Any, weights: Kept = None, labels: bool = False) -> np.ndarray:
    """What the readout says to samples of which nothing is known, or the labels; see `Opened.predict`.

    x: as the task takes it: (samples, inputs), or (samples, steps, inputs) over steps, values in [0, 1], for a
    `Classification`. weights: as in `open`. labels: the answers instead, (samples,).
    Raises `UserError` where x or weights do not fit the network, or the task has no answer to samples of one's own.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=1, engine="runtime")
    >>> x = [[0.5] * 12, [0.0] * 12]
    >>> snn.predict(experiment, x).shape, snn.predict(experiment, x, labels=True).shape
    ((2, 3), (2,))
    """
    with open(experiment, weights) as opened:
        return opened.predict(x, labels)
