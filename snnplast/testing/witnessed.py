"""Trials with everything that was shown in them, so that they can be compared."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnplast.engine import EngineChoice
from snnplast.learning.rule import Rule
from snnplast.network.network import Network
from snnplast.random_streams import SOURCES, TRAINING, stream
from snnplast.simulation.run_trial import simulate
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Task, Trial
from snnplast.task.trial import Record, Segment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

Spikes = dict[str, tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class Shown:
    """One trial: the segments that it was made of, its record, and its spikes, copied."""

    segments: list[Segment]
    record: Record
    spikes: Spikes

    def same(self, other: Shown) -> bool:
        """Whether the same was shown, and the same came of it."""
        return [*map(_text, self.segments)] == [*map(_text, other.segments)] and self.same_spikes(other)

    def same_spikes(self, other: Shown) -> bool:
        """Whether the same neurons spiked in the same steps."""
        return all(
            np.array_equal(part, again)
            for name, spikes in self.spikes.items()
            for part, again in zip(spikes, other.spikes[name], strict=True)
        )


class Witnessed:
    """An experiment whose single trials are looked at, without anything being learned."""

    def __init__(self, simulation: Simulation, task: Task) -> None:
        self.simulation, self.task = simulation, task.on(simulation.network)

    def shown(self, phase: int, index: int) -> Shown:
        """One trial, with what outlives trials as it is before and after."""
        simulation, task, segments = self.simulation, self.task, list[Segment]()
        trial = task.trial(index) if phase == TRAINING else task.test(index)
        kept = {name: values.copy() for name, values in simulation.persistent().items()}
        rng = stream(task.seed, SOURCES, phase, index)
        record = simulate(simulation, _noting(trial, segments), index, task.seed, rng, learning=False)
        for name, values in simulation.persistent().items():
            values[:] = kept[name]
        spikes = {name: tuple(part.copy() for part in record.spikes[name]) for name in simulation.spiking}
        return Shown(segments, record, spikes)

    def update(self) -> Mapping[str, float]:
        """The metrics of a first update."""
        return Trainer(self.simulation, self.task, 1).update().metrics


@contextmanager
def witnessed(
    task: Task, network: Network, rule: Rule, others: Mapping[str, Rule], engine: EngineChoice
) -> Iterator[Witnessed]:
    """The experiment, closed afterwards."""
    simulation = open_simulation(network, task.objective, rule, task.seed, engine, others=others)
    try:
        yield Witnessed(simulation, task)
    finally:
        simulation.engine.close()


def _noting(trial: Any, segments: list[Segment]) -> Trial:
    """The same trial, its segments noted."""
    if not isinstance(trial, Generator):
        return trial
    return _noted(trial, segments)


def _noted(trial: Trial, segments: list[Segment]) -> Trial:
    try:
        segment = next(trial)
        while True:
            segments.append(segment)
            segment = trial.send((yield segment))
    except StopIteration as end:
        return end.value
    finally:
        trial.close()


def _text(segment: Segment) -> tuple[Any, ...]:
    """A segment as something that can be compared."""
    inputs = {name: [part.tolist() for part in _parts(given)] for name, given in segment.inputs.items()}
    return segment.steps, segment.phase, inputs, {name: values.tolist() for name, values in segment.series.items()}


def _parts(given: Any) -> tuple[np.ndarray, ...]:
    return given if isinstance(given, tuple) else (given,)
