"""Batches of trials in one call of compiled code, for simulations all parts of which have a compiled form.

What such a batch leaves is, bit for bit, what the loop over its trials leaves (`simulate`, then the rules' gradients),
which is its definition. A part without a compiled form, or a trial that is to leave more than sums, takes the loop.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnplast.engine import CHUNK, Handle
from snnplast.learning.capabilities import (
    Assigns,
    Compiled,
    CompiledSignal,
    Explores,
    Judged,
    OverBatch,
    Prepares,
    Speaks,
    Swept,
    SweptBack,
)
from snnplast.learning.rule import AfterTrial
from snnplast.learning.signals import Signal
from snnplast.learning.swept import SweptTrials
from snnplast.native.stage import Fired, Stage, stands
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.population import PoissonSource, SpikeSource
from snnplast.simulation.plasticity import Plasticity
from snnplast.simulation.simulation import Simulation
from snnplast.simulation.stages import Input, JudgedTrials, Program, Simulated, Tally, addresses
from snnplast.task.stack import Stack
from snnplast.task.trial import Record, Spikes


@dataclass(frozen=True)
class Outcome:
    """What trials have left: gradients summed over them, by name; of each trial, arrays (trials,).

    wanted, answered: None where there are no right answers. spikes, operations, learning: numbers of spikes of neurons,
    of synapses that spikes visited, and of those that the rules visited.
    """

    gradients: dict[str, np.ndarray]
    losses: np.ndarray
    wanted: np.ndarray | None
    answered: np.ndarray | None
    spikes: np.ndarray
    operations: np.ndarray
    learning: np.ndarray


def swept_by(plasticity: Plasticity, simulation: Simulation) -> Sequence[Swept] | None:
    """The sweeps that make the gradients of a rule; None where there is no such form."""
    rule = plasticity.rule
    if not isinstance(rule, SweptBack) or not stands(type(rule), "gradient", "swept"):
        return None
    return rule.swept(simulation.network, plasticity.projections)


def loops(simulation: Simulation) -> str:
    """Why trials of a simulation take the loop; "" where they can run in one call."""
    network, plan, objective = simulation.network, simulation.plan, simulation.objective
    if objective is None or not objective.compiled:
        return "the objective has no compiled form"
    readout = network.populations[objective.readout]
    if network.trial_clocked or f"{objective.readout}.y" not in plan.recorded:
        return "something acts once per trial"
    if simulation.noise or simulation.persistent() or plan.gates or plan.gathered or any(plan.flags.values()):
        return "a population is noisy or lasting, or synapses keep traces"
    if simulation.written(f"{objective.readout}.target") or readout.clock != "step":
        return "the network hears what is wanted of it"
    for plasticity in simulation.plasticities:
        if not isinstance(plasticity.rule, AfterTrial) or isinstance(plasticity.rule, Prepares | Assigns | Explores):
            return f"rule {plasticity.rule.name!r} changes weights or explores within trials"
        if plasticity.sequential or swept_by(plasticity, simulation) is None:
            return f"the gradient of rule {plasticity.rule.name!r} has no compiled form"
        for source in plasticity.sources:
            factor = source.factor
            if isinstance(factor, Speaks | OverBatch | Judged) or not isinstance(factor, Compiled):
                return f"third factor {factor.name!r} has no compiled form"
            if not stands(type(factor), "signal", "compiled_signal"):
                return f"third factor {factor.name!r} has no compiled form of its own"
    return "" if simulation.engine.handle(1) is not None else "the engine is not compiled"


class OneCall:
    """Trials of a simulation, of `steps` steps each. chunk: trials whose gradients are summed before they are added.

    Raises `Unfit` where some part turns out to have no compiled form.
    """

    def __init__(self, simulation: Simulation, steps: int, chunk: int) -> None:
        self.simulation, self.steps = simulation, steps
        self._handle = handle = self._taken()
        network, plan, objective = simulation.network, simulation.plan, simulation.objective
        assert objective is not None
        self.fired_by = {name: Fired() for name in simulation.spiking}
        begins = [(simulation.engine[to], simulation.engine[origin]) for to, origin in plan.begins.items()]
        self._simulated = Simulated(handle, steps, begins, self.fired_by)
        first = 0 if objective.window is None else max(0, steps - objective.window)
        self._judged = JudgedTrials(objective.compiled, handle.history[f"{objective.readout}.y"], first)
        self._swept: list[SweptTrials] = []
        record = Record(network, plan.wiring, simulation.values, steps=steps, history=handle.history, names=plan.names)
        self._signals: list[CompiledSignal] = []
        heard: list[Stage] = []
        for plasticity in simulation.plasticities:
            signals = self._heard(plasticity)
            heard += [stage for one in self._signals for stage in one.stages]
            for swept in swept_by(plasticity, simulation) or ():
                given = signals.get(swept.target)
                if given:
                    self._swept.append(SweptTrials(swept, record, given, self.fired_by, chunk))
        fan_out: dict[str, np.ndarray] = {}
        for name, projection in network.projections.items():
            if projection.simulated and projection.kind == "spiking":
                own = plan.wiring[name].fan_out().astype(np.int64)
                fan_out[projection.source] = fan_out.get(projection.source, 0) + own
        neurons = [name for name in simulation.spiking if isinstance(network.populations[name], SpikingPopulation)]
        learned = [p for plasticity in simulation.plasticities for p in plasticity.projections]
        self._spikes = [Tally(self.fired_by[name]) for name in neurons]
        self._operations = [Tally(self.fired_by[name], each) for name, each in fan_out.items()]
        self._learning = [
            Tally(self.fired_by[p.source], plan.wiring[p.name].fan_out().astype(np.int64)) for p in learned
        ]
        tallies = [*self._spikes, *self._operations]
        before = [self._simulated.stage, self._judged.stage, *(tally.stage for tally in tallies)]
        learn = [*heard, *(summed.stage for summed in self._swept), *(tally.stage for tally in self._learning)]
        self._test, self._train = Program(before), Program([*before, *learn])

    def _taken(self) -> Handle:
        handle = self.simulation.engine.handle(self.steps)
        if handle is None or any(rows.dtype != float for rows in handle.history.values()):
            raise Unfit
        return handle

    def error(self, readout: str) -> np.ndarray:
        """See `Trials`."""
        if self.simulation.objective is None or readout != self.simulation.objective.readout:
            raise Unfit
        return self._judged.error

    def fired(self, population: str) -> Fired:
        """See `Trials`."""
        return self.fired_by[population]

    def _heard(self, plasticity: Plasticity) -> dict[str, list[Signal]]:
        """What each population hears, in the order of `Plasticity.signals`."""
        simulation, objective = self.simulation, self.simulation.objective
        signals: dict[str, list[Signal]] = {name: [] for name in plasticity.targets}
        if objective is not None and objective.readout not in plasticity.targets:
            signals[objective.readout] = [Signal(self._judged.error, "step")]
        for source in plasticity.sources:
            assert isinstance(source.factor, Compiled)
            found = source.factor.compiled_signal(self, source.context, simulation.values, simulation.plan.wiring)
            if found is None:
                raise Unfit
            self._signals.append(found)
            for name in plasticity.targets:
                kind = source.factor.kind(source.context, name)
                signal = Signal.of(found.given[name], kind, simulation.network.dt)
                if signal.rise is not None or not signal.values.flags.c_contiguous:
                    raise Unfit
                signals[name].append(signal)
        return signals

    def valid(self) -> bool:
        """Whether the engine's memory is where it was."""
        handle = self._taken()
        return all(rows.ctypes.data == self._handle.history[name].ctypes.data for name, rows in handle.history.items())

    def run(self, stack: Stack, seed: int, phase: int, numbers: Sequence[int], learning: bool) -> Iterator[int]:
        """Run trials; yields after each part of them, when Python may have a look, how many are done."""
        inputs = list(self._inputs(stack))
        self._simulated.show(seed, phase, np.array(numbers, np.int64), inputs)
        self._judged.expect(stack.targets)
        for tally in (*self._spikes, *self._operations, *self._learning):
            tally.expect(len(numbers))
        for signal in self._signals:
            if signal.refresh is not None:
                signal.refresh()
        program, done = self._train if learning else self._test, 0
        while done < len(numbers):
            count = program.run(done, len(numbers) - done, CHUNK)
            if count < 0:
                raise RuntimeError("the compiled network failed")
            done += count
            yield done

    def _inputs(self, stack: Stack) -> Iterator[Input]:
        network = self.simulation.network
        sources = [name for name, p in network.populations.items() if isinstance(p, PoissonSource)]
        self._shown: list[Any] = []
        for name, shown in stack.inputs.items():
            population = network.populations[name]
            number = self._handle.sources[name]
            if isinstance(shown[0], tuple):
                rows = [[np.ascontiguousarray(part, dtype=np.int32) for part in spikes] for spikes in shown]
                counts = np.array([steps.size for steps, _ in rows], np.int64)
                tables = [addresses(part) for part in zip(*rows, strict=True)]
                self._shown += [rows, counts, tables]
                yield Input(number, population.size, -1.0, 0, 0, *map(_at, tables), counts.ctypes.data)
                continue
            assert isinstance(population, PoissonSource)
            values = [np.ascontiguousarray(row, dtype=float) for row in shown]
            table, peak = addresses(values), population.peak_rate * network.dt
            self._shown += [values, table]
            yield Input(number, population.size, peak, values[0].ndim == 1, sources.index(name), _at(table), None, None)
        for name, source in self.simulation.backgrounds.items():
            ones = np.ones(source.size)
            table = addresses([ones] * len(stack.targets))
            self._shown += [ones, table]
            peak, number = (source.rate or 0.0) * network.dt, self._handle.sources[name]
            yield Input(number, source.size, peak, 1, sources.index(name), _at(table), None, None)

    def fits(self, stack: Stack) -> bool:
        """Whether a stack is what the loop would take without a word; the loop says what is wrong with another."""
        network, trials = self.simulation.network, len(stack.targets)
        needed = {p.source for p in network.projections.values()}
        for name, population in network.populations.items():
            if (
                isinstance(population, SpikeSource)
                and population.driven
                and name in needed
                and name not in stack.inputs
            ):
                return False
        objective = self.simulation.objective
        assert objective is not None
        k = network.populations[objective.readout].size
        if {np.shape(t) for t in stack.targets} not in ({(k,)}, {(stack.steps, k)}):
            return False
        return all(
            _shows(network.populations.get(name), shown, stack.steps, trials) for name, shown in stack.inputs.items()
        )

    def outcome(self) -> Outcome:
        """What the trials that have run last have left; gradients are views until the next ones."""
        trials = len(self._judged.losses)
        objective = self.simulation.objective
        assert objective is not None
        wanted, answered = self._judged.choices if objective.classifies else (None, None)
        gradients = {name: total for swept in self._swept for name, total in swept.gathered(trials).items()}
        sums = (_total(tallies, trials) for tallies in (self._spikes, self._operations, self._learning))
        return Outcome(gradients, self._judged.losses, wanted, answered, *sums)


class Unfit(Exception):
    """Some part has no compiled form."""


def _total(tallies: Sequence[Tally], trials: int) -> np.ndarray:
    return sum((tally.counts for tally in tallies), np.zeros(trials, np.int64))


def _at(table: Any) -> int:
    return ctypes.addressof(table)


def _shows(population: Any, shown: Sequence[Any], steps: int, trials: int) -> bool:
    if not isinstance(population, SpikeSource) or not population.driven or len(shown) != trials:
        return False
    if len({isinstance(given, tuple) for given in shown}) > 1:
        return False
    if isinstance(shown[0], tuple):
        return all(_ordered(given, population.size, steps) for given in shown)
    if not isinstance(population, PoissonSource):
        return False
    return {np.shape(values) for values in shown} in ({(population.size,)}, {(steps, population.size)})


def _ordered(spikes: Spikes, size: int, steps: int) -> bool:
    """Whether spikes are in the order of steps, then neurons, no neuron twice in one step, and in range."""
    times, neurons = spikes
    if not times.size:
        return True
    places = times * size + neurons
    return bool(
        times[0] >= 0
        and times[-1] < steps
        and neurons.min() >= 0
        and neurons.max() < size
        and np.all(np.diff(places) > 0)
    )
