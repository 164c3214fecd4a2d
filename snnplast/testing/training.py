"""Promises about training, of rules of every kind: what changes, within which bounds, and that it can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from snnplast.engine import COMPILED, compiler_available
from snnplast.learning.capabilities import Assigns, Prepares
from snnplast.learning.rule import Rule
from snnplast.network.network import Network
from snnplast.random_streams import SOURCES, TRAINING, stream
from snnplast.simulation.run_trial import simulate
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Task, Trial
from snnplast.task.trial import Segment
from snnplast.testing.bench import Bench, Gradients, promise
from snnplast.training.trainer import Trainer

Make = Callable[..., Any]
"""Makes the rule anew, with further settings."""
ENGINES_APART = 1e-9
"""Of the largest entry: how far what two engines compute may be apart."""


def check_training(
    place: str, bench: Bench, make: Make, updates: int, workers: Sequence[int], must_change: bool = True
) -> None:
    """All promises about training but those between engines. must_change: whether every parameter must."""
    whole = _check_changes(place, bench, make, updates, must_change)
    _check_same(place, whole, trained(bench, make(), updates, tested=True), "one of them with tests in between")
    resumed = _resumed(bench, make, updates)
    _check_same(place, whole, resumed, "one of them resumed from a checkpoint; a rule keeps nothing to itself")
    if not workers:
        return
    batch = {"batch": 4} if takes_batches(make()) else {}
    alone = trained(bench, make(**batch), 2)
    for count in workers:
        _check_same(place, alone, trained(bench, make(**batch), 2, workers=count), f"with 1 and with {count} workers")


def takes_batches(rule: Rule) -> bool:
    """Whether it may learn from several trials at once."""
    sequential = isinstance(rule, Prepares | Assigns) or rule.batch_mode == "sequential"
    return "batch" in type(rule).model_fields and not sequential


def check_gate(place: str, bench: Bench, rule: Rule, trials: int = 2) -> None:
    """Where nothing is learned, nothing that outlives a trial changes."""
    with bench.open(rule) as simulation:
        before, task = lasting(simulation), bench.task.on(simulation.network)
        for index in range(trials):
            rng = stream(task.seed, SOURCES, TRAINING, index)
            simulate(simulation, task.trial(index), index, task.seed, rng, learning=False)
            for name, values in lasting(simulation).items():
                promise(_equal(values, before[name]), f"{place}: a test changes {name!r}; only training may")
        trainer = Trainer(simulation, bench.task, 1)
        before |= {name: values.copy() for name, values in simulation.persistent().items()}
        for _ in trainer.evaluate():
            pass
        for name, values in {**lasting(simulation), **simulation.persistent()}.items():
            promise(_equal(values, before[name]), f"{place}: an evaluation changes {name!r}; only training may")


def check_bounds(place: str, bench: Bench, rule: Rule, trials: int = 2) -> None:
    """Weights stay within bounds and signs at every step of training, however strongly the network is driven."""
    with bench.open(rule) as simulation:
        watched = Watched(bench.task, lambda when: _refuse_beyond(f"{place}: {when}", simulation))
        trainer = Trainer(simulation, watched, trials)
        for step in trainer:
            _refuse_beyond(f"{place}: after trial {step.iteration - 1}", simulation)


def check_engines(place: str, bench: Bench, make: Make, updates: int = 2) -> None:
    """Both engines train to the same values, where there is a compiler."""
    if not compiler_available():
        return
    one, other = (trained(where, make(), updates) for where in (bench, bench.on(COMPILED)))
    check_agreement(place, one, other)


def check_agreement(place: str, one: Gradients, other: Gradients) -> None:
    """What two engines have computed is the same."""
    for name, values in one.items():
        found = apart(other[name], values)
        said = f"{name!r} of the compiled engine is {found:.1e} of its largest entry away from that of the runtime one"
        promise(found < ENGINES_APART, f"{place}: {said}")


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, relative to the largest entry of b."""
    difference = np.abs(a - b).max(initial=0.0)
    return float(difference / np.abs(b).max()) if difference else 0.0


def lasting(simulation: Simulation) -> Gradients:
    """A copy of everything that outlives trials and is learned."""
    return {name: values.copy() for name, values in simulation.values.items()}


def trained(bench: Bench, rule: Rule, updates: int, tested: bool = False, workers: int = 1) -> Gradients:
    """What a training leaves. tested: whether test trials follow each update."""
    with bench.open(rule) as simulation:
        trainer = Trainer(simulation, bench.task, updates, workers)
        try:
            for _ in trainer:
                for _record in trainer.evaluate() if tested else ():
                    pass
        finally:
            trainer.close()
        return lasting(simulation)


def _resumed(bench: Bench, make: Make, updates: int) -> Gradients:
    """What a training leaves that goes on, halfway, with rule and engine made anew."""
    with bench.open(make()) as simulation:
        first = Trainer(simulation, bench.task, updates)
        for _ in range(updates // 2):
            first.update()
        checkpoint = {name: values.copy() for name, values in first.state().items()}
    with bench.open(make()) as simulation:
        second = Trainer(simulation, bench.task, updates)
        second.restore(checkpoint)
        for _ in second:
            pass
        return lasting(simulation)


def _check_changes(place: str, bench: Bench, make: Make, updates: int, must_change: bool) -> Gradients:
    """Training changes everything that the rule names as its own, and nothing else."""
    with bench.open(make()) as simulation:
        before, owned = lasting(simulation), {*simulation.parameters, *simulation.plan.learned}
        mirrors = simulation.plan.tied()
        for name in owned:
            promise(name in before, f"{place}: the network has no parameter {name!r}")
        for step in Trainer(simulation, bench.task, updates):
            _refuse_beyond(f"{place}: after update {step.iteration}", simulation)
        after = lasting(simulation)
    for name, values in after.items():
        promise(np.all(np.isfinite(values)), f"{place}: training leaves {name!r} with values that are not finite")
        changed = not _equal(values, before[name])
        promise(changed or not must_change or name not in owned, f"{place}: training leaves {name!r} as it was")
        promise(
            not changed or name in owned or name in mirrors,
            f"{place}: training changes {name!r}, which parameters() does not name",
        )
    return after


def _check_same(place: str, one: Gradients, other: Gradients, said: str) -> None:
    for name, values in one.items():
        promise(_equal(values, other[name]), f"{place}: {name!r} differs between two runs of one experiment, {said}")


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other)


def _refuse_beyond(place: str, simulation: Simulation) -> None:
    for name, projection in simulation.network.projections.items():
        weights, wiring = simulation.values[name], simulation.plan.wiring[name]
        for limit, beyond in zip(projection.limits(wiring.pre), (np.less, np.greater), strict=True):
            outside = np.zeros(1, bool) if limit is None else beyond(weights, limit)
            if np.any(outside):
                found, allowed = weights[outside][0], np.broadcast_to(limit or 0.0, weights.shape)[outside][0]
                promise(False, f"{place}: a weight of {name!r} is {found:g}, beyond its bound {allowed:g}")


class Watched(Task):
    """Trials of another task, step by step and with every source at its strongest.

    look: called with where it is, before the first step and after each.
    """

    def __init__(self, task: Task, look: Callable[[str], None]) -> None:
        self.task, self.look = task, look
        self.objective, self.seed, self.epoch = task.objective, task.seed, task.epoch

    def on(self, network: Network, batch: int = 1) -> Self:
        own = super().on(network, batch)
        own.task = self.task.on(network, batch)
        return own

    def trial(self, index: int) -> Trial:
        inner, step = self.task.trial(index), 0
        self.look(f"before trial {index}")
        segment = next(inner, None)
        while segment is not None:
            record: Any = None
            for piece in _pieces(segment):
                record = yield piece
                step += 1
                self.look(f"trial {index}, step {step}")
            try:
                segment = inner.send(record)
            except StopIteration as end:
                return end.value


def _pieces(segment: Segment) -> Iterator[Segment]:
    """A segment as segments of one step, values at their highest."""
    if segment.phase != "trial":
        yield segment
        return
    for step in range(segment.steps):
        inputs = {name: _at(given, step, segment.steps) for name, given in segment.inputs.items()}
        series = {name: _row(values, step, segment.steps) for name, values in segment.series.items()}
        yield replace(segment, steps=1, inputs=inputs, series=series)


def _at(given: Any, step: int, steps: int) -> Any:
    if isinstance(given, tuple):
        now = given[0] == step
        return np.zeros(now.sum(), dtype=int), given[1][now]
    return np.ones_like(_row(given, step, steps))


def _row(values: np.ndarray, step: int, steps: int) -> np.ndarray:
    return values[step] if values.ndim == 2 and len(values) == steps else values
