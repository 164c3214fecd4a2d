"""The trials of a training run: looped over, many in one call of compiled code, side by side, or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from snnplast.network.neurons import SpikingPopulation
from snnplast.random_streams import SOURCES, TEST, TRAINING, stream
from snnplast.reads import Reads
from snnplast.simulation.run_trial import simulate
from snnplast.simulation.simulation import Simulation
from snnplast.simulation.workers import Workers
from snnplast.task.stack import Stack
from snnplast.task.task import Measures, Task, Trial
from snnplast.task.trial import Record
from snnplast.training.at_once import AtOnce, summed, tested
from snnplast.training.chunk import Chunk, Gradients, chunks

if TYPE_CHECKING:
    from snnplast.training.elsewhere import Elsewhere
    from snnplast.training.trainer import Trainer

TESTED = 64
"""Test trials of one call."""

Learned = tuple[list[Gradients], dict[str, float]]
"""Gradients by the signals of the trial, then, for each plasticity, by a signal of 1; and metrics."""


class Trials:
    """What a trainer does with trials, whose parameters it leaves alone; see `Trainer` for what it is made of."""

    simulation: Simulation
    task: Task
    watch: Callable[[int, Record], None] | None
    kept: Sequence[str]
    reads: Reads
    elsewhere: Elsewhere | None
    whole: Callable[[int, int], bool]
    calls: AtOnce
    _workers: Workers
    _fan_out: dict[str, np.ndarray]
    _going: bool

    @property
    def way(self) -> str:
        """How trials run, in words, where nobody wants to see more of them than how they went."""
        if self.elsewhere is not None:
            return "trials on the workers of an executor"
        return f"trial by trial, for {self.calls.reason}" if self.calls.reason else "batches in one call"

    def chunks(self, trials: range) -> Iterator[Chunk]:
        """What parts of training trials leave, in order."""
        if self.elsewhere is not None:
            return self._elsewhere(self.elsewhere, trials)
        self._workers.synchronise()
        if any(self.whole(TRAINING, index) for index in trials):
            return self._looped(trials)
        stack = self._stacked(TRAINING, trials)
        return self._looped(trials) if stack is None else self._at_once(trials, stack)

    def _elsewhere(self, elsewhere: Elsewhere, trials: range) -> Iterator[Chunk]:
        for chunk in elsewhere.chunks(self._trainer, trials):
            self._watched(TRAINING, chunk.records)
            yield chunk

    @property
    def _trainer(self) -> Trainer:
        return cast("Trainer", self)

    def _stacked(self, phase: int, trials: range) -> Stack | None:
        with self.reads.noted():
            return self.calls.stack(phase, trials)

    def _at_once(self, trials: range, stack: Stack) -> Iterator[Chunk]:
        """The same in as many calls as there are workers for, of whole chunks."""
        alone, units = self._workers.count == 1, len(self.simulation.plasticities)

        def run(simulation: Simulation, place: range) -> Chunk | None:
            part = stack.part(place)
            outcome = self.calls.run(simulation, part, TRAINING, trials[place.start : place.stop])
            return None if outcome is None else summed(outcome, units, copy=not alone or len(trials) > 1)

        every = range(len(trials))
        for place, chunk in self._workers.map(lambda s, p: (p, run(s, p)), [every] if alone else chunks(every)):
            if chunk is None:
                yield from self._looped(trials[place.start : place.stop], several=len(trials) > 1)
            else:
                yield chunk

    def _looped(self, trials: range, several: bool | None = None) -> Iterator[Chunk]:
        """The same of chunks, by the loop over their trials, which defines it. several: whether more follow."""
        several = len(trials) > 1 if several is None else several

        def run(simulation: Simulation, items: list[tuple[int, Trial]]) -> Chunk:
            chunk = Chunk()
            for index, trial in items:
                record = self._simulate(simulation, TRAINING, index, trial)
                chunk.add(*self._learn(record), copy=several)
                chunk.records.append(self._left(TRAINING, record))
            return chunk

        drawn = ([(index, self._draw(TRAINING, index)) for index in chunk] for chunk in chunks(trials))
        for chunk in self._workers.map(run, drawn):
            self._watched(TRAINING, chunk.records)
            yield chunk

    def tests(self, trials: range) -> Iterator[Record]:
        """Records of test trials, in order."""
        if self.elsewhere is not None:
            for record in self.elsewhere.tests(self._trainer, trials):
                self._watched(TEST, [record])
                yield record
            return
        self._workers.synchronise()
        for part in (trials[k : k + TESTED] for k in range(0, len(trials), TESTED)):
            found = None
            if not any(self.whole(TEST, index) for index in part):
                stack = self._stacked(TEST, part)
                found = None if stack is None else self._tested_at_once(part, stack)
            if found is None:
                yield from self._tests_looped(part)
                continue
            for record in found:
                if self.watch is not None:
                    self.watch(TEST, record)
                yield record

    def _tested_at_once(self, trials: range, stack: Stack) -> list[Record] | None:
        def run(simulation: Simulation, place: range) -> list[Record] | None:
            numbers = trials[place.start : place.stop]
            outcome = self.calls.run(simulation, stack.part(place), TEST, numbers)
            return None if outcome is None else tested(outcome, simulation, self.task.seed, numbers, stack.steps)

        every = range(len(trials))
        parts = list(self._workers.map(run, [every] if self._workers.count == 1 else chunks(every)))
        return None if any(part is None for part in parts) else [record for part in parts for record in part or ()]

    def _tests_looped(self, trials: range) -> Iterator[Record]:
        def run(simulation: Simulation, item: tuple[int, Trial]) -> Record:
            return self._left(TEST, self._simulate(simulation, TEST, *item))

        for record in self._workers.map(run, ((k, self._draw(TEST, k)) for k in trials)):
            self._watched(TEST, [record])
            yield record

    def _left(self, phase: int, record: Record) -> Record:
        """The record of a trial before the next one runs on the same engine, which overwrites its histories."""
        if self._workers.count == 1:
            if self.watch is not None:
                self.watch(phase, record)
        else:
            record.history = {name: record.history[name].copy() for name in self.kept}
        return record

    def _watched(self, phase: int, records: Sequence[Record]) -> None:
        """Records that others have left are watched in this thread."""
        if (self._workers.count > 1 or self.elsewhere is not None) and self.watch is not None:
            for record in records:
                self.watch(phase, record)

    def _draw(self, phase: int, index: int) -> Trial:
        with self.reads.noted():
            trial = self.task.trial(index) if phase == TRAINING else self.task.test(index)
        return self.reads.during(trial) if isinstance(trial, Generator) else trial

    def _simulate(self, simulation: Simulation, phase: int, index: int, trial: Trial) -> Record:
        rng, learning = stream(self.task.seed, SOURCES, phase, index), phase == TRAINING
        record = simulate(simulation, trial, index, self.task.seed, rng, learning, anew=not self._going)
        self._going = self.task.continuous and learning
        return record

    def _learn(self, record: Record) -> Learned:
        gradients: dict[str, np.ndarray] = {}
        units = []
        measured = self.measure(record) | {"learning_operations": 0.0}
        for plasticity in self.simulation.plasticities:
            gradients |= plasticity.gradient(record, self.simulation.objective)
            units.append(plasticity.unit_gradient(record))
            measured["learning_operations"] += plasticity.operations(record)
            measured |= plasticity.report()
        return [gradients, *units], measured

    @property
    def judging(self) -> tuple[str, ...]:
        """Names of what `judged` may tell."""
        return ("loss", "accuracy", *(self.task.measured if isinstance(self.task, Measures) else ()))

    def judged(self, record: Record) -> dict[str, float]:
        """Metrics of how well one trial went: those that a test has as well."""
        metrics: dict[str, float] = {}
        if record.judgement is not None:
            metrics["loss"] = record.judgement.loss
            if record.judgement.correct is not None:
                metrics["accuracy"] = record.judgement.correct
        return metrics | (self.task.metrics(record) if isinstance(self.task, Measures) else {})

    def measure(self, record: Record) -> dict[str, float]:
        """Metrics of one trial."""
        metrics = self.judged(record)
        neurons = [
            n for n in self.simulation.spiking if isinstance(self.simulation.network.populations[n], SpikingPopulation)
        ]
        metrics["spikes_per_trial"] = float(sum(record.spikes[name][0].size for name in neurons))
        operations = [np.sum(self._fan_out[name][record.spikes[name][1]]) for name in self.simulation.spiking]
        metrics["synaptic_operations"] = float(sum(operations))
        return metrics
