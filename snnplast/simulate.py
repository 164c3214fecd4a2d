"""Running one trial: segments in, record out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from snnplast.assembly import Assembly
from snnplast.encoding import poisson
from snnplast.errors import UserError, nearest
from snnplast.memory import refuse
from snnplast.network import Network
from snnplast.objective import Objective
from snnplast.population import PoissonSource, SpikeSource
from snnplast.task import Trial
from snnplast.time_steps import whole_steps
from snnplast.trial import Record, Segment, Spikes

LONG = 10**7
"""Steps of a segment from which on it is asked whether they can be kept."""

Given = list[tuple[np.ndarray, int]]
"""Values of one series and steps of each segment that gave it."""


def simulate(
    assembly: Assembly, trial: Trial, index: int, seed: int, rng: np.random.Generator, exploring: bool = True
) -> Record:
    """Run a trial from reset to its end, and the response step and the work after it where the network has them.

    rng: draws the spikes of Poisson sources and the noise of rules that explore. exploring: whether they do in this
    trial. The record's histories are views, valid until the next trial.
    """
    engine = assembly.engine
    engine.reset()
    record = Record(assembly.network, assembly.plan.wiring, assembly.values, index, seed, assembly.compiled)
    record.spikes = _SoFar(assembly.spiking, engine.spikes)
    record.history = _SoFar(tuple(engine.history), lambda name: engine.history[name])
    given: dict[str, Given] = {}
    if not isinstance(trial, Generator):
        raise UserError(f"task: trial {index} is {trial!r}; a generator of segments is needed: 'yield Segment(...)'")
    try:
        segment = next(trial)
        while True:
            if not isinstance(segment, Segment):
                raise UserError(f"task: trial {index} yields {segment!r}; a Segment is needed")
            _present(assembly, segment, record, given, rng)
            segment = trial.send(record)
    except StopIteration:
        pass
    _check_shown(assembly.network, record)
    record.spikes, record.history = dict(record.spikes), dict(record.history)
    record.series = {name: _joined(name, parts, record.steps) for name, parts in given.items()}
    record.accumulated = {name: engine[name].copy() for name in assembly.accumulators}
    if assembly.network.trial_clocked:
        _respond(assembly, record)
        _work(assembly, record, rng if exploring else None)
    record.history = {name: rows[: record.steps] for name, rows in engine.history.items()}
    _judge(assembly.objective, record)
    return record


def _present(
    assembly: Assembly, segment: Segment, record: Record, given: dict[str, Given], rng: np.random.Generator
) -> None:
    engine, network, start = assembly.engine, assembly.network, assembly.engine.t
    if segment.steps > LONG:
        rows = sum(int(np.size(engine[name])) for name in assembly.plan.recorded)
        rows += sum(p.size for name, p in network.populations.items() if name in segment.inputs)
        refuse(f"task: a segment of {segment.steps} steps", 8 * rows * segment.steps)
    for name, values in segment.inputs.items():
        steps, indices = _encode(network, name, values, segment.steps, rng)
        record.driven.add(name)
        if not isinstance(values, tuple):
            record.inputs[name] = values
        engine.set_spikes(name, steps + start, indices)
    for name, source in assembly.backgrounds.items():
        steps, indices = poisson(np.ones(source.size), segment.steps, (source.rate or 0.0) * network.dt, rng)
        engine.set_spikes(name, steps + start, indices)
    window = f"{assembly.objective.readout}.in_window"
    for name, values in segment.series.items():
        size = 1 if name == window else network.population(name.partition(".")[0]).size
        if values.shape not in ((size,), (segment.steps, size)):
            raise UserError(
                f"task: series {name!r} has shape {values.shape}; allowed are ({size},) and ({segment.steps}, {size})"
            )
        given.setdefault(name, []).append((values, segment.steps))
        if name in assembly.series:
            engine.set_series(name, np.broadcast_to(values, (segment.steps, size)))
    if window in segment.series:
        _check_window(assembly.objective, window, segment.series[window])
    elif window in assembly.series:
        if assembly.objective.window is not None and start:
            raise UserError("objective.window: evaluation = 'online' allows a learning window in trials of one segment")
        engine.set_series(window, assembly.objective.in_window(segment.steps)[:, None])
    for teacher in assembly.teachers:
        for factor, _ in teacher.factors:
            for name, values in factor.present(segment, teacher.targets).items():
                engine[name][:] = values
    engine.steps(segment.steps)
    record.steps = engine.t


def _check_window(objective: Objective, name: str, values: np.ndarray) -> None:
    if objective.window is not None:
        raise UserError(f"task: series {name!r} and objective.window = {objective.window} contradict: give one of them")
    if not np.all((values == 0) | (values == 1)):
        raise UserError(f"task: series {name!r} holds {np.unique(values)}; allowed are 0 and 1")


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


def _encode(network: Network, name: str, values: np.ndarray | Spikes, steps: int, rng: np.random.Generator) -> Spikes:
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
            f"task: the values for {name!r} have shape {values.shape}, the population has {population.size} neurons; "
            f"allowed are ({population.size},) and ({steps}, {population.size})"
        )
    return poisson(values, steps, population.peak_rate * network.dt, rng)


def _respond(assembly: Assembly, record: Record) -> None:
    """The response step: rate representations are set, and everything clocked once per trial happens."""
    engine = assembly.engine
    for name, population in assembly.network.populations.items():
        if getattr(population, "representation", None) is not None:
            engine[f"{name}.z"][:] = record.representation(name)
    for teacher in assembly.teachers:
        for (factor, _), state in zip(teacher.factors, teacher.states, strict=True):
            for name, values in factor.respond(record, teacher.targets, state).items():
                engine[name][:] = values
    responding = [engine[f"{name}.{variable}"] for name, variable in assembly.plan.responding.items()]
    for variable in responding:
        variable[:] = 1
    engine.steps(1)
    for variable in responding:
        variable[:] = 0
    record.response = {name: engine[name].copy() for name in assembly.responses}


def _work(assembly: Assembly, record: Record, rng: np.random.Generator | None) -> None:
    """What follows the response step: a reservoir takes up the sample, and readouts of rules that explore do so.

    It belongs to no segment: spikes, histories and traces of the trial were read before.
    """
    engine, network = assembly.engine, assembly.network
    noise: dict[str, np.ndarray] = {}
    if rng is not None:
        for teacher in assembly.teachers:
            noise |= teacher.rule.explore(network, teacher.projections, rng)
    work = int(whole_steps("work_time", network.work_time, network.dt))
    steps = max([work, *map(len, noise.values())])
    if not steps:
        return
    first = engine.t
    for readout, values in noise.items():
        engine.set_series(f"{readout}.noise", values)
    engine.steps(steps)
    for readout, values in noise.items():
        record.explored[readout] = engine.history[f"{readout}.explored"][first : first + len(values)].copy()
    record.worked = {name: int(np.sum(engine.spikes(name)[0] >= record.steps)) for name in assembly.spiking}


def _judge(objective: Objective, record: Record) -> None:
    """What the objective says of the trial, within the learning window that the task gave or the objective has."""
    readout = objective.readout
    if f"{readout}.target" not in record.series:
        raise UserError(f"task: the trial gives no series '{readout}.target' for the objective")
    record.series.setdefault(f"{readout}.in_window", objective.in_window(record.steps)[:, None])
    in_window = record.in_window(readout)
    if not (np.any(in_window) or objective.optional):
        raise UserError(f"task: series '{readout}.in_window' is 0 wherever the readout is judged: no step counts")
    record.judgement = objective.judge(record.activity(readout), record.target(readout), in_window)
    record.series[f"{readout}.error"] = record.judgement.error


def _joined(name: str, parts: Given, steps: int) -> np.ndarray:
    """One row per step from the values of all segments."""
    covered = sum(length for _, length in parts)
    if covered != steps:
        raise UserError(
            f"task: series {name!r} covers {covered} of {steps} steps; every segment of the trial must give it"
        )
    if len(parts) == 1:
        values, _ = parts[0]
        return np.broadcast_to(values, (steps, values.shape[-1]))
    rows = np.concatenate([values.reshape(-1, values.shape[-1]) for values, _ in parts])
    repeats = [[length] if values.ndim == 1 else [1] * length for values, length in parts]
    return np.repeat(rows, np.concatenate(repeats), axis=0)


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
