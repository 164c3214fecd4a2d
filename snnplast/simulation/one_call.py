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
    Compiled,
    CompiledSignal,
    Part,
    Pulled,
    Swept,
)
from snnplast.learning.once import PulledTrials, ReadOnceTrials
from snnplast.learning.signals import Signal
from snnplast.learning.swept import SweptTrials
from snnplast.native.stage import Fired, Shown, addresses
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.population import PoissonSource, SpikeSource
from snnplast.simulation.loops import parts_of
from snnplast.simulation.plasticity import Plasticity
from snnplast.simulation.simulation import Simulation
from snnplast.simulation.stages import Input, JudgedTrials, Program, Responded, Simulated, Tally
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


class OneCall:
    """Trials of a simulation, of `steps` steps each. chunk: trials whose gradients are summed before they are added.

    Raises `Unfit` where some part turns out to have no compiled form.
    """

    def __init__(self, simulation: Simulation, steps: int, chunk: int) -> None:
        self.simulation, self.steps = simulation, steps
        network, plan, objective = simulation.network, simulation.plan, simulation.objective
        assert objective is not None
        self._once = network.populations[objective.readout].clock == "trial"
        self._handle = handle = self._taken()
        self.fired_by = {name: Fired() for name in simulation.spiking}
        begins = [(simulation.engine[to], simulation.engine[origin]) for to, origin in plan.begins.items()]
        self._simulated = Simulated(handle, steps, begins, self.fired_by)
        first = 0 if objective.window is None or self._once else max(0, steps - objective.window)
        history = {name: rows[:steps] for name, rows in handle.history.items()}
        activity = (
            simulation.engine[f"{objective.readout}.y"][None] if self._once else history[f"{objective.readout}.y"]
        )
        self._judged = JudgedTrials(objective.compiled, activity, first)
        self._summed: list[SweptTrials | ReadOnceTrials | PulledTrials] = []
        self._shown_by = {name: Shown() for name in network.populations}
        record = Record(network, plan.wiring, simulation.values, steps=steps, history=history, names=plan.names)
        self._signals: list[CompiledSignal] = []
        for plasticity in simulation.plasticities:
            signals = self._heard(plasticity)
            for part in parts_of(plasticity, simulation) or ():
                self._summed += self._part(part, record, signals.get(part.target), chunk)
        fan_out: dict[str, np.ndarray] = {}
        for name, projection in network.projections.items():
            if projection.simulated and projection.kind == "spiking":
                own = plan.wiring[name].fan_out().astype(np.int64)
                fan_out[projection.source] = fan_out.get(projection.source, 0) + own
        neurons = [name for name in simulation.spiking if isinstance(network.populations[name], SpikingPopulation)]
        learned = [p for plasticity in simulation.plasticities for p in plasticity.projections]
        self._visits = sum(plan.wiring[p.name].pre.size for p in learned if p.every == "trial")
        self._spikes = [Tally(self.fired_by[name]) for name in neurons]
        self._operations = [Tally(self.fired_by[name], each) for name, each in fan_out.items()]
        self._learning = [
            Tally(self.fired_by[p.source], plan.wiring[p.name].fan_out().astype(np.int64))
            for p in learned
            if p.every == "step"
        ]
        tallies = [*self._spikes, *self._operations]
        response = [self._responded().stage] if network.trial_clocked else []
        before = [self._simulated.stage, *response, self._judged.stage, *(tally.stage for tally in tallies)]
        heard = [stage for signal in self._signals for stage in signal.stages]
        learn = [*heard, *(summed.stage for summed in self._summed), *(tally.stage for tally in self._learning)]
        self.learning = [*before, *learn]
        self._test, self._train = Program(before), Program(self.learning)

    def _taken(self) -> Handle:
        handle = self.simulation.engine.handle(self.steps + self.simulation.network.trial_clocked)
        if handle is None or any(rows.dtype != float for rows in handle.history.values()):
            raise Unfit("its precision is single")
        return handle

    def _responded(self) -> Responded:
        simulation, network = self.simulation, self.simulation.network
        normalised = {name: p.rate_representation for name, p in network.populations.items()}
        represented = {
            name: (norm.offset, simulation.engine[f"{name}.z"]) for name, norm in normalised.items() if norm is not None
        }
        flags = [simulation.engine[f"{name}.{flag}"] for name, flag in simulation.plan.flags["response"].items()]
        if any(values.dtype != float for values in (*flags, *(z for _, z in represented.values()))):
            raise Unfit("its precision is single")
        return Responded(self._handle, self.steps * network.dt, represented, flags, self.fired_by)

    def _part(
        self, part: Part, record: Record, given: list[Signal] | None, chunk: int
    ) -> list[SweptTrials | ReadOnceTrials | PulledTrials]:
        network = self.simulation.network
        if isinstance(part, Pulled):
            fired, duration = self.fired_by[part.target], self.steps * network.dt
            return [PulledTrials(part, fired, duration, network.populations[part.target].size, chunk)]
        if not given:
            return []
        if isinstance(part, Swept):
            return [SweptTrials(part, record, given, self.fired_by, chunk)]
        carried = {variable: self.simulation.engine[variable] for _, variable in part.projections}
        return [ReadOnceTrials(part, record.wiring, carried, given[0].values, chunk)]

    def error(self, readout: str) -> np.ndarray:
        """See `Trials`."""
        if self.simulation.objective is None or readout != self.simulation.objective.readout:
            raise Unfit(f"{readout!r} is not what the objective judges")
        return self._judged.error

    def fired(self, population: str) -> Fired:
        """See `Trials`."""
        return self.fired_by[population]

    def shown(self, source: str) -> Shown:
        """See `Trials`."""
        return self._shown_by[source]

    def wanted(self, readout: str) -> Shown:
        """See `Trials`."""
        if self.simulation.objective is None or readout != self.simulation.objective.readout:
            raise Unfit(f"{readout!r} is not what the objective judges")
        return self._shown_by[readout]

    def representation(self, population: str) -> np.ndarray:
        """See `Trials`."""
        if not self.simulation.network.trial_clocked:
            raise Unfit(f"{population!r} has no representation at the end of a trial")
        return self.simulation.engine[f"{population}.z"]

    def _heard(self, plasticity: Plasticity) -> dict[str, list[Signal]]:
        """What each population hears, in the order of `Plasticity.signals`."""
        simulation, objective = self.simulation, self.simulation.objective
        signals: dict[str, list[Signal]] = {name: [] for name in plasticity.targets}
        if objective is not None and objective.readout not in plasticity.targets:
            error, once = self._judged.error, self._once
            signals[objective.readout] = [Signal(error[0] if once else error, "trial" if once else "step")]
        for source in plasticity.sources:
            assert isinstance(source.factor, Compiled)
            found = source.factor.compiled_signal(
                self, source.context, source.state, simulation.values, simulation.plan.wiring
            )
            if found is None:
                raise Unfit(f"third factor {source.factor.name!r} has no compiled form here")
            self._signals.append(found)
            for name in plasticity.targets:
                kind = source.factor.kind(source.context, name)
                signal = Signal.of(found.given[name], kind, simulation.network.dt)
                if signal.rise is not None or not signal.values.flags.c_contiguous:
                    raise Unfit(f"the signal of {source.factor.name!r} is filtered twice")
                signals[name].append(signal)
        return signals

    def valid(self) -> bool:
        """Whether the engine, which is ready then, has its memory where it was."""
        return self.simulation.engine.handle(self.steps) is self._handle

    def run(self, stack: Stack, seed: int, phase: int, numbers: Sequence[int], learning: bool) -> Iterator[int]:
        """Run trials; yields after each part of them, when Python may have a look, how many are done."""
        self.show(stack, seed, phase, numbers)
        program, done = self._train if learning else self._test, 0
        while done < len(numbers):
            count = program.run(done, len(numbers) - done, CHUNK)
            if count < 0:
                raise RuntimeError("the compiled network failed")
            done += count
            yield done

    def show(self, stack: Stack, seed: int, phase: int, numbers: Sequence[int]) -> None:
        """What the next trials are."""
        inputs = list(self._inputs(stack))
        self._simulated.show(seed, phase, np.array(numbers, np.int64), inputs)
        self._expect(stack.targets)
        for tally in (*self._spikes, *self._operations, *self._learning):
            tally.expect(len(numbers))
        for signal in self._signals:
            if signal.refresh is not None:
                signal.refresh()

    def _expect(self, targets: Sequence[np.ndarray]) -> None:
        """What is wanted in the next trials, at every step and at the end."""
        assert self.simulation.objective is not None
        whole = [np.ascontiguousarray(target, dtype=float) for target in targets]
        last = [target if target.ndim == 1 else target[-1] for target in whole]
        self._judged.expect(last if self._once else whole)
        self._last = last, addresses(last)
        self._shown_by[self.simulation.objective.readout].values = _at(self._last[1])

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
            self._shown_by[name].values = _at(table)
            yield Input(number, population.size, peak, values[0].ndim == 1, sources.index(name), _at(table), None, None)
        for name, source in self.simulation.backgrounds.items():
            ones = np.ones(source.size)
            table = addresses([ones] * len(stack.targets))
            self._shown += [ones, table]
            peak, number = (source.rate or 0.0) * network.dt, self._handle.sources[name]
            yield Input(number, source.size, peak, 1, sources.index(name), _at(table), None, None)

    @property
    def follows(self) -> bool:
        """Whether a signal follows weights from call to call."""
        return any(signal.follows for signal in self._signals)

    @property
    def losses(self) -> np.ndarray:
        """Where those of the trials are."""
        return self._judged.losses

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """Where those of the present trial are, if each is a chunk of its own."""
        return {name: array for summed in self._summed for name, array in summed.latest.items()}

    def fits(self, stack: Stack, learning: bool) -> bool:
        """Whether a stack is what the loop would take without a word; the loop says what is wrong with another."""
        if learning and not all(signal.takes is None or signal.takes(stack) for signal in self._signals):
            return False
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
        gradients = {name: total for summed in self._summed for name, total in summed.gathered(trials).items()}
        spikes, operations, learning = (_total(t, trials) for t in (self._spikes, self._operations, self._learning))
        return Outcome(gradients, self._judged.losses, wanted, answered, spikes, operations, learning + self._visits)


class Unfit(Exception):
    """Some part has no compiled form: which."""


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
