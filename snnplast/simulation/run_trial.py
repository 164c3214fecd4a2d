"""Running one trial: segments in, record out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snnplast.errors import UserError, nearest
from snnplast.network.memory import refuse
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource, SpikeSource
from snnplast.random_streams import Uniforms, stream
from snnplast.simulation.series import Given, add_known, check_window, joined, pronounce
from snnplast.simulation.simulation import Simulation
from snnplast.task.encoding import poisson
from snnplast.task.task import Trial
from snnplast.task.trial import PHASES, Phase, Record, Segment, Spikes, Stretch

LONG = 10**7
"""Steps of a segment from which on it is asked whether they can be kept."""


def simulate(
    simulation: Simulation,
    trial: Trial,
    index: int,
    seed: int,
    rng: np.random.Generator,
    learning: bool = True,
    anew: bool = True,
) -> Record:
    """Run a trial, from beginning to end: the task's segments, then those that network, sources and rules ask for.

    rng: draws the spikes of Poisson sources and the noise of rules that explore. learning: whether rules explore, and
    change weights within the trial. anew: whether it begins from rest, or where the last trial ended. The record's
    histories are views, valid until the next trial.
    """
    simulation.begin(anew)
    simulation.open_gates(learning)
    if learning:
        simulation.prepare()
    running = _Running(simulation, index, seed, rng)
    record = running.record
    known = running.follow(trial)
    running.complete()
    if simulation.network.trial_clocked and running.phase == "trial":
        running.show(Segment(1, phase="response"))
    for segment in _together(s for plasticity in simulation.plasticities for s in plasticity.further(record)):
        running.show(segment)
    if learning:
        for segment in _together(
            s for plasticity in simulation.plasticities for s in plasticity.explore(simulation.network, rng)
        ):
            running.show(segment)
    record.history = {name: rows[: record.steps] for name, rows in simulation.engine.history.items()}
    add_known(simulation, record, known)
    if simulation.objective is not None:
        pronounce(simulation.objective, record, simulation.judged)
    return record


def _together(segments: Iterable[Segment]) -> list[Segment]:
    """Segments of one phase that several ask for, as one: they run side by side."""
    found: list[Segment] = []
    for segment in segments:
        if not found:
            found.append(segment)
        elif (segment.phase, segment.steps) != (found[0].phase, found[0].steps):
            raise UserError(
                f"after the response, {found[0].steps} steps of {found[0].phase!r} and {segment.steps} of "
                f"{segment.phase!r} are asked for; one length for all is allowed"
            )
        else:
            found[0] = replace(found[0], series={**found[0].series, **segment.series})
    return found


class _Running:
    """A trial on its way: what has been shown, and the record of it."""

    def __init__(self, simulation: Simulation, index: int, seed: int, rng: np.random.Generator) -> None:
        self.simulation = simulation
        key = np.asarray(rng.bit_generator.random_raw(2))
        sources = (name for name, p in simulation.network.populations.items() if isinstance(p, PoissonSource))
        self.random = {name: Uniforms(of=key, owner=number) for number, name in enumerate(sources)}
        self.phase: Phase = "trial"
        self.shown, self.began = False, dict[Phase, int]()
        self.given: dict[str, Given] = {}
        engine, plan = simulation.engine, simulation.plan
        record = Record(simulation.network, plan.wiring, simulation.values, index, seed, simulation.compiled)
        record.names = plan.names
        record.blocks = lambda name: engine.backwards(name, record.steps)
        record.spikes = _SoFar(simulation.spiking, engine.spikes)
        record.history = _SoFar(tuple(engine.history), lambda name: engine.history[name])
        self.record = record
        own = [(name, variable) for name, variables in simulation.noise.items() for variable in variables]
        trial = int(rng.integers(2**63)) if own else 0  # one number of the trial's, so that no noise shifts another
        self.noise = {f"{name}.{variable}": stream(trial, "noise", name, variable) for name, variable in own}

    def follow(self, trial: Trial) -> Any:
        """Show the segments that the task yields; returns what it returns."""
        index = self.record.index
        if not isinstance(trial, Generator):
            raise UserError(
                f"task: trial {index} is {trial!r}; a generator of segments is needed: 'yield Segment(...)'"
            )
        try:
            segment = next(trial)
            while True:
                if not isinstance(segment, Segment):
                    raise UserError(f"task: trial {index} yields {segment!r}; a Segment is needed")
                self.show(segment)
                segment = trial.send(self.record)
        except StopIteration as end:
            return end.value
        finally:
            trial.close()  # what it holds, such as an environment, is given up at once

    def show(self, segment: Segment) -> None:
        """Run one segment."""
        record, engine, phase = self.record, self.simulation.engine, segment.phase
        if PHASES.index(phase) < PHASES.index(self.phase):
            raise UserError(f"task: trial {record.index}: a segment of phase {phase!r} follows one of {self.phase!r}")
        if phase != "trial":
            self.complete()
        if phase == "response":
            self._represent()
        self.phase = phase
        self._give(segment)
        first, names = engine.t, self.simulation.plan.flags.get(phase, {})
        flags = [engine[f"{name}.{variable}"] for name, variable in names.items()]
        for flag in flags:
            flag[:] = 1
        engine.steps(segment.steps)
        for flag in flags:
            flag[:] = 0
        if phase == "trial":
            record.steps = engine.t
        else:
            record.phases[phase] = self._left(phase, self.began.setdefault(phase, first))

    def complete(self) -> None:
        """What the task shows has ended: the record of it is complete."""
        if self.shown:
            return
        record, simulation = self.record, self.simulation
        simulation.open_gates(False)
        _check_shown(simulation.network, record)
        self.shown = True
        record.spikes, record.history = dict(record.spikes), dict(simulation.engine.history)
        record.series = {name: joined(name, parts, record.steps) for name, parts in self.given.items()}
        record.accumulated = {name: simulation.engine[name].copy() for name in simulation.plan.gathered}

    def _represent(self) -> None:
        """Rate representations are there for all that is clocked once per trial."""
        for name, population in self.simulation.network.populations.items():
            if population.rate_representation is not None:
                self.simulation.engine[f"{name}.z"][:] = self.record.representation(name)

    def _left(self, phase: Phase, first: int) -> Stretch:
        """What a phase that began at step `first` has left so far."""
        engine, simulation = self.simulation.engine, self.simulation
        if phase == "response":
            return Stretch(1, ends={name: engine[name].copy() for name in simulation.responses})
        spikes = {}
        for name in simulation.spiking:
            steps, indices = engine.spikes(name)
            place = int(np.searchsorted(steps, first))
            spikes[name] = steps[place:] - first, indices[place:]
        history = {name: rows[first : engine.t].copy() for name, rows in engine.history.items()}
        return Stretch(engine.t - first, spikes, history)

    def _give(self, segment: Segment) -> None:
        """Hand over to the engine what a segment is given, and what sources know of it."""
        engine, record, shown = self.simulation.engine, self.record, segment.phase == "trial"
        network, start = self.simulation.network, engine.t
        if segment.steps > LONG:
            rows = sum(int(np.size(engine[name])) for name in self.simulation.plan.recorded)
            rows += sum(p.size for name, p in network.populations.items() if name in segment.inputs)
            rows += sum(network.population(name.partition(".")[0]).size for name in self.noise)
            refuse(f"task: a segment of {segment.steps} steps", 8 * rows * segment.steps)
        for name, values in segment.inputs.items():
            steps, indices = self._encode(name, values, segment.steps)
            if shown:
                record.driven.add(name)
                if not isinstance(values, tuple):
                    record.inputs[name] = values
            engine.set_spikes(name, steps + start, indices)
        for name, source in self.simulation.backgrounds.items() if shown else ():
            probability = (source.rate or 0.0) * network.dt
            steps, indices = self._poisson(name, np.ones(source.size), segment.steps, probability)
            engine.set_spikes(name, steps + start, indices)
        for name, drawn in self.noise.items():
            size = network.population(name.partition(".")[0]).size
            engine.set_series(name, drawn.standard_normal((segment.steps, size)))
        self._give_series(segment)
        for plasticity in self.simulation.plasticities:
            for name, values in plasticity.values(segment, record):
                engine[name][:] = values

    def _encode(self, name: str, values: np.ndarray | Spikes, steps: int) -> Spikes:
        """What a source is given, as spikes."""
        network = self.simulation.network
        population = network.populations.get(name)
        if not isinstance(population, SpikeSource):
            sources = [n for n, p in network.populations.items() if isinstance(p, SpikeSource)]
            raise UserError(f"task: {name!r} is no source of the network; {nearest(name, sources)}")
        if not population.driven:
            raise UserError(f"task: {name!r} has a constant rate of its own: it takes nothing from the task")
        if isinstance(values, tuple):
            return values
        if not isinstance(population, PoissonSource):
            raise UserError(f"task: {name!r} is no PoissonSource: give it (steps, indices), not values")
        if values.shape not in ((population.size,), (steps, population.size)):
            raise UserError(
                f"task: the values for {name!r} have shape {values.shape}, the population has {population.size} "
                f"neurons; allowed are ({population.size},) and ({steps}, {population.size})"
            )
        return self._poisson(name, values, steps, population.peak_rate * network.dt)

    def _poisson(self, name: str, values: np.ndarray, steps: int, peak: float) -> Spikes:
        return poisson(values, steps, peak, self.random[name], self.simulation.compiled)

    def _give_series(self, segment: Segment) -> None:
        simulation, engine, objective = self.simulation, self.simulation.engine, self.simulation.objective
        window = None if objective is None else f"{objective.readout}.in_window"
        for name, values in segment.series.items():
            size = 1 if name == window else simulation.network.population(name.partition(".")[0]).size
            if values.shape not in ((size,), (segment.steps, size)):
                raise UserError(
                    f"task: series {name!r} has shape {values.shape}; allowed are ({size},) and "
                    f"({segment.steps}, {size})"
                )
            if segment.phase == "trial":
                self.given.setdefault(name, []).append((values, segment.steps))
            for own in simulation.written(name):
                engine.set_series(own, np.broadcast_to(values, (segment.steps, size)))
        if objective is None or window is None or segment.phase != "trial":
            return
        if window in segment.series:
            check_window(objective, window, segment.series[window])
        elif names := simulation.written(window):
            if objective.window is not None and engine.t:
                raise UserError(
                    "objective.window: evaluation = 'online' allows a learning window in trials of one segment"
                )
            for own in names:
                engine.set_series(own, objective.in_window(segment.steps)[:, None])


def _check_shown(network: Network, record: Record) -> None:
    """A trial has steps, and every source that synapses carry spikes of was given some, or said to be silent."""
    if not record.steps:
        raise UserError(f"task: trial {record.index} has no segment; at least one is needed")
    for projection in network.projections.values():
        source = network.populations[projection.source]
        if isinstance(source, SpikeSource) and source.driven and projection.source not in record.driven:
            raise UserError(
                f"task: trial {record.index} gives {projection.source!r} nothing to show, though {projection.name!r} "
                "carries its spikes; give it values, or ([], []) for silence, or describe it with a constant rate=..."
            )


class _SoFar(Mapping[str, Any]):
    """Values by name, looked up when they are asked for: what a task does not look at costs nothing."""

    def __init__(self, names: Sequence[str], look_up: Callable[[str], Any]) -> None:
        self._names, self._look_up = names, look_up

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._look_up(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
