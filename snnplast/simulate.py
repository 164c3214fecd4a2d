"""Running one trial: segments in, record out."""

from __future__ import annotations

import numpy as np

from snnplast.assemble import Assembly
from snnplast.encoding import poisson
from snnplast.errors import UserError, nearest
from snnplast.population import PoissonSource, SpikeSource
from snnplast.task import Trial
from snnplast.trial import Record, Segment, Spikes


def simulate(assembly: Assembly, trial: Trial, index: int, seed: int, rng: np.random.Generator) -> Record:
    """Run a trial from reset to its end, and the response step where the network has one.

    rng: draws the spikes of Poisson sources. The record's histories are views, valid until the next trial.
    """
    engine = assembly.engine
    engine.reset()
    record = Record(assembly.network, assembly.plan.wiring, assembly.values, index, seed, assembly.compiled)
    given: dict[str, list[np.ndarray]] = {}
    try:
        segment = next(trial)
        while True:
            _present(assembly, segment, record, given, rng)
            segment = trial.send(record)
    except StopIteration:
        pass
    record.series = {name: _joined(name, parts, record.steps) for name, parts in given.items()}
    record.accumulated = {name: engine[name].copy() for name in assembly.accumulators}
    if assembly.network.trial_clocked:
        _respond(assembly, record)
    record.history = {name: rows[: record.steps] for name, rows in engine.history.items()}
    objective = assembly.objective
    if f"{objective.readout}.target" not in record.series:
        raise UserError(f"task: the trial gives no series '{objective.readout}.target' for the objective")
    record.judgement = objective.judge(record.activity(objective.readout), record.target(objective.readout))
    record.series[f"{objective.readout}.error"] = record.judgement.error
    return record


def _present(
    assembly: Assembly, segment: Segment, record: Record, given: dict[str, list[np.ndarray]], rng: np.random.Generator
) -> None:
    engine, network, start = assembly.engine, assembly.network, assembly.engine.t
    for name, values in segment.inputs.items():
        steps, indices = _encode(assembly, name, values, segment.steps, rng)
        if not isinstance(values, tuple):
            record.inputs[name] = values
        engine.set_spikes(name, steps + start, indices)
    for name, values in segment.series.items():
        size = network.population(name.partition(".")[0]).size
        if values.shape not in ((size,), (segment.steps, size)):
            raise UserError(
                f"task: series {name!r} has shape {values.shape}; allowed are ({size},) and ({segment.steps}, {size})"
            )
        given.setdefault(name, []).append(np.broadcast_to(values, (segment.steps, size)))
        if name in assembly.series:
            engine.set_series(name, np.ascontiguousarray(given[name][-1]))
    window = f"{assembly.objective.readout}.in_window"
    if window in assembly.series:
        if assembly.objective.window is not None and start:
            raise UserError("objective.window: evaluation = 'online' allows a learning window in trials of one segment")
        rows = np.arange(segment.steps) >= assembly.objective.first(segment.steps)
        engine.set_series(window, rows.astype(float)[:, None])
    engine.steps(segment.steps)
    record.steps = engine.t
    record.spikes = {name: engine.spikes(name) for name in assembly.spiking}
    record.history = dict(engine.history)


def _encode(assembly: Assembly, name: str, values: np.ndarray | Spikes, steps: int, rng: np.random.Generator) -> Spikes:
    population = assembly.network.populations.get(name)
    if not isinstance(population, SpikeSource):
        sources = [n for n, p in assembly.network.populations.items() if isinstance(p, SpikeSource)]
        raise UserError(f"task: {name!r} is no source of the network; {nearest(name, sources)}")
    if isinstance(values, tuple):
        return np.asarray(values[0], dtype=np.int64), np.asarray(values[1], dtype=np.int64)
    if not isinstance(population, PoissonSource):
        raise UserError(f"task: {name!r} is no PoissonSource: give it (steps, indices), not values")
    if values.shape not in ((population.size,), (steps, population.size)):
        raise UserError(
            f"task: the values for {name!r} have shape {values.shape}, the population has {population.size} neurons; "
            f"allowed are ({population.size},) and ({steps}, {population.size})"
        )
    if not (values.min() >= 0 and values.max() <= 1):
        raise UserError(
            f"task: the values for {name!r} span {values.min():g} to {values.max():g}; allowed are values in [0, 1]"
        )
    return poisson(values, steps, population.peak_rate * assembly.network.dt, rng)


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
    for name in assembly.plan.responding:
        engine[f"{name}.responding"][:] = 1
    engine.steps(1)
    for name in assembly.plan.responding:
        engine[f"{name}.responding"][:] = 0
    record.response = {name: engine[name].copy() for name in assembly.responses}


def _joined(name: str, parts: list[np.ndarray], steps: int) -> np.ndarray:
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if len(rows) != steps:
        raise UserError(
            f"task: series {name!r} covers {len(rows)} of {steps} steps; every segment of the trial must give it"
        )
    return rows
