"""Batches that run in one call of compiled code, and what a training loop gets of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from snnplast.learning.optimizing import Updates
from snnplast.random_streams import TRAINING
from snnplast.simulation.loops import loops
from snnplast.simulation.one_call import OneCall, Outcome, Unfit
from snnplast.simulation.simulation import Simulation
from snnplast.simulation.stretch import Stretch
from snnplast.task.objective import Judgement
from snnplast.task.stack import OneSegment, Stack, known_beforehand
from snnplast.task.task import Measures, Task
from snnplast.task.trial import Record
from snnplast.training.chunk import LENGTH, Chunk, chunks


class AtOnce:
    """Runs trials of a task in one call, on any engine of a simulation. Those that take the loop are handed back."""

    def __init__(self, simulation: Simulation, task: Task) -> None:
        self.task = task
        fits = known_beforehand(task) and not task.continuous and not isinstance(task, Measures)
        self.reason = loops(simulation) if fits else "the task does not say that its trials are known beforehand"
        self._calls: dict[tuple[int, int], OneCall | None] = {}
        self._stretches: dict[int, Stretch | None] = {}

    def stack(self, phase: int, numbers: Sequence[int]) -> Stack | None:
        """Trials in one piece; None where they take the loop."""
        task = self.task
        return task.stack(phase, numbers) if not self.reason and isinstance(task, OneSegment) else None

    def run(self, simulation: Simulation, stack: Stack, phase: int, numbers: Sequence[int]) -> Outcome | None:
        """What trials have left, gradients of training trials too, which are views; None where they take the loop."""
        call = self._call(simulation, stack.steps)
        if call is None or not call.fits(stack, learning=phase == TRAINING):
            return None
        for _ in call.run(stack, self.task.seed, phase, numbers, learning=phase == TRAINING):
            simulation.engine.steps(0)  # heeds a wish to stop
        return call.outcome()

    def stretched(
        self, simulation: Simulation, stack: Stack, numbers: Sequence[int], updates: Mapping[str, Updates], run: range
    ) -> tuple[Outcome, int] | None:
        """What training trials have left that change parameters one by one, and how many could; None: the loop's.

        run: the updates of the whole run from the first of these on.
        """
        stretch = self._stretch(simulation, stack.steps, updates)
        if stretch is None or not stretch.call.fits(stack, learning=True):
            return None
        done = stretch.run(stack, self.task.seed, numbers, run.start, run.stop)
        return stretch.call.outcome(), done

    def _stretch(self, simulation: Simulation, steps: int, updates: Mapping[str, Updates]) -> Stretch | None:
        stretch = self._stretches.get(steps)
        if steps not in self._stretches or (stretch is not None and not stretch.call.valid()):
            try:
                stretch = Stretch(simulation, steps, updates)
            except Unfit:
                stretch = None
            self._stretches[steps] = stretch
        return stretch

    def _call(self, simulation: Simulation, steps: int) -> OneCall | None:
        key = id(simulation), steps
        call = self._calls.get(key)
        if key not in self._calls or (call is not None and not call.valid()):
            try:
                call = OneCall(simulation, steps, LENGTH)
            except Unfit as error:
                call, self.reason = None, str(error)
            self._calls[key] = call
        return call


def summed(outcome: Outcome, units: int, copy: bool) -> Chunk:
    """Trials together, as the loop sums them. units: plasticities. copy: gradients, which are views, will change."""
    gradients = {name: total.copy() if copy else total for name, total in outcome.gradients.items()}
    batch = Chunk([gradients, *({} for _ in range(units))])
    rows = [measured(outcome, k) for k in range(len(outcome.losses))]
    for trials in chunks(range(len(rows))):
        chunk = Chunk([{} for _ in range(1 + units)])
        for k in trials:
            chunk.add(chunk.gradients, rows[k])
        batch.join(chunk)
    return batch


def measured(outcome: Outcome, k: int) -> dict[str, float]:
    """Metrics of one trial."""
    found = {"loss": float(outcome.losses[k])}
    if outcome.answered is not None and outcome.wanted is not None:
        found["accuracy"] = float(outcome.answered[k] == outcome.wanted[k])
    return found | {
        "spikes_per_trial": float(outcome.spikes[k]),
        "synaptic_operations": float(outcome.operations[k]),
        "learning_operations": float(outcome.learning[k]),
    }


def tested(outcome: Outcome, simulation: Simulation, seed: int, numbers: Sequence[int], steps: int) -> list[Record]:
    """Records of test trials that hold how well each went, and nothing else."""
    found = []
    for k, number in enumerate(numbers):
        choice = (None, None)
        if outcome.wanted is not None and outcome.answered is not None:
            choice = outcome.wanted[k : k + 1], outcome.answered[k : k + 1]
        record = Record(simulation.network, simulation.plan.wiring, simulation.values, number, seed, True, steps)
        record.judgement = Judgement(np.empty((0, 0)), float(outcome.losses[k]), *choice)
        found.append(record)
    return found
