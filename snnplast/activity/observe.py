"""Runs one trial and gathers what is worth showing of it.

The trial runs twice, and since nothing is learned meanwhile it is the same trial. After the first pass it is known
which neurons and synapses deserve a close look; the second keeps their variables step by step. So a large network
needs no more memory than a small one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from snnplast.activity.activity import Activity, Neuron, Readout, Synapse
from snnplast.activity.examples import Place, choose_neurons, choose_synapses, groups_of
from snnplast.activity.probe import Magnitudes, Traces, Watched
from snnplast.engine import Engine
from snnplast.network.fragments import Value
from snnplast.network.neurons import ALIF, LIF
from snnplast.network.population import Population
from snnplast.simulation.simulation import Simulation
from snnplast.task.objective import CrossEntropy, Objective
from snnplast.task.task import Task
from snnplast.task.trial import Record
from snnplast.training.trainer import Trainer

ELIGIBILITY, FILTERED, ADAPTATION = "eligibility", "filtered_", "adaptation"
"""Synaptic variables of rules that keep traces: e_ji, how the name of its filtered trace begins, and eps_ji."""

Traced = Mapping[tuple[str, int], np.ndarray]
"""(variable, element) -> its value at the end of each step (T,)."""


def observe(simulation: Simulation, task: Task, phase: int, index: int) -> Activity:
    """Runs trial `index` of a phase (`snnplast.task.task.TRAINING` or `TEST`) and gathers what it shows.

    Parameters and persistent state are as before afterwards; memories of third factors have seen the trial.
    """
    simulation.tie()
    variables = {name: found for name in simulation.plan.synapses if (found := _trace_variables(simulation, name))}
    sums = Magnitudes(f"{name}.{ELIGIBILITY}" for name in variables)
    record, _ = _run(simulation, sums, task, phase, index)
    strengths = {name: np.asarray(sums.sums[f"{name}.{ELIGIBILITY}"]) for name in variables}

    groups = [group for name in simulation.spiking for group in groups_of(name, simulation.network.populations[name])]
    places = choose_neurons(record, groups, strengths)
    onto = [choose_synapses(record, place, strengths, 2 if len(places) <= 2 else 1) for place in places]
    wanted = [key for place in places for key in _neuron_keys(simulation, place)]
    wanted += [(f"{p}.{variable}", k) for chosen in onto for p, k in chosen for variable in variables[p].values()]
    traces = Traces(wanted)
    record, metrics = _run(simulation, traces, task, phase, index)
    traced = {key: np.array(values[: record.steps]) for key, values in traces.rows.items()}

    step, trial = _signals(simulation, record)
    return Activity(
        steps=record.steps,
        dt=simulation.network.dt,
        spikes=record.spikes,
        groups=groups,
        neurons=[_neuron(simulation, record, place, traced, step) for place in places],
        synapses=[_synapse(record, n, p, k, traced, variables[p]) for n, chosen in enumerate(onto) for p, k in chosen],
        readout=None if simulation.objective is None else _readout(simulation.objective, record),
        signals=trial,
        metrics=metrics,
    )


def _run(
    simulation: Simulation, look: Callable[[Engine], None], task: Task, phase: int, index: int
) -> tuple[Record, dict[str, float]]:
    """One trial under observation: its record and metrics. Persistent state is as before."""
    kept = {name: values.copy() for name, values in simulation.persistent().items()}
    trainer = Trainer(replace(simulation, engine=Watched(simulation.engine, look)), task, iterations=1)
    record = trainer.run(phase, index)
    for name, values in simulation.persistent().items():
        values[:] = kept[name]
    return record, trainer.measure(record)


def _trace_variables(simulation: Simulation, projection: str) -> dict[str, str]:
    """What is shown of the synapses of a projection -> the variable that holds it; empty without traces."""
    names = simulation.plan.synapses[projection].names()
    filtered = sorted(name for name in names if name.startswith(FILTERED))
    found = {"eligibility": ELIGIBILITY, "filtered": filtered[0] if filtered else "", "slow": ADAPTATION}
    return {what: name for what, name in found.items() if name in names} if ELIGIBILITY in names else {}


def _membrane(population: Population) -> str:
    return population.input_variable_name or "v"


def _now(record: Record, name: str, constant: str, first: Value) -> np.ndarray:
    """A constant of a population's neurons (n,); one that is learned is no longer what it was first."""
    return np.broadcast_to(record.values.get(f"{name}.{constant}", first), record.network.populations[name].size)


def _beta(record: Record, name: str) -> np.ndarray:
    """Rise of each neuron's threshold per spike (n,)."""
    adaptation = record.network.populations[name].adaptation
    return _now(record, name, "beta", 0.0 if adaptation is None else adaptation[0])


def _neuron_keys(simulation: Simulation, place: Place) -> list[tuple[str, int]]:
    population = simulation.network.populations[place.group.population]
    names = [_membrane(population), *(["a"] if isinstance(population, ALIF) else [])]
    return [(f"{place.group.population}.{name}", place.index) for name in names]


def _neuron(
    simulation: Simulation, record: Record, place: Place, traced: Traced, signals: Mapping[str, np.ndarray]
) -> Neuron:
    name, j = place.group.population, place.index
    population = simulation.network.populations[name]
    steps, indices = record.spikes[name]
    threshold = None
    if isinstance(population, LIF):
        rise = (
            _beta(record, name)[j] * traced[f"{name}.a", j] if isinstance(population, ALIF) else np.zeros(record.steps)
        )
        threshold = _now(record, name, "v_threshold", population.v_threshold)[j] + rise
    signal = signals[name][:, j] if name in signals else None
    membrane = traced[f"{name}.{_membrane(population)}", j]
    return Neuron(place.group, j, membrane, threshold, steps[indices == j], signal)


def _synapse(
    record: Record, neuron: int, projection: str, k: int, traced: Traced, variables: Mapping[str, str]
) -> Synapse:
    wiring, description = record.wiring[projection], record.network.projections[projection]
    found = {what: traced[f"{projection}.{variable}", k] for what, variable in variables.items()}
    beta = _beta(record, description.target)[wiring.post[k]]
    slow = beta * found["slow"] if "slow" in found and beta else None
    pre = int(wiring.pre[k])
    return Synapse(projection, description.source, pre, neuron, found["eligibility"], found.get("filtered"), slow)


def _readout(objective: Objective, record: Record) -> Readout:
    name, softmax = objective.readout, isinstance(objective, CrossEntropy)
    y = record.activity(name)
    if softmax:
        y = np.exp(y - y.max(axis=1, keepdims=True))
        y /= y.sum(axis=1, keepdims=True)
    assert record.judgement is not None
    window, once = record.in_window(name) > 0, record.answers_once(name)
    return Readout(name, np.array(y), record.target(name), record.judgement.error, window, softmax, once)


def _signals(simulation: Simulation, record: Record) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray | None]]:
    """Hidden population -> the sum of its step signals (T, n), and of its trial signals (n,) where it has no others."""
    step: dict[str, np.ndarray] = {}
    trial: dict[str, np.ndarray | None] = {}
    for plasticity in simulation.plasticities:
        given = plasticity.signals(record, simulation.objective)
        for name in plasticity.targets:
            signals = given.get(name, ())
            if signals is None:
                trial[name] = None
                continue
            whole = [s.values for s in signals if s.timing == "trial"]
            through = [s for s in signals if s.timing == "step" and len(s.values) == record.steps]
            if through:
                step[name] = np.sum(
                    [s.values if s.feedback is None else s.values @ s.feedback for s in through], axis=0
                )
            elif whole:
                trial[name] = np.sum(whole, axis=0)
    return step, trial
