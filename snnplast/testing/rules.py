"""Promises of rules of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snnplast.engine import NUMPY, EngineChoice
from snnplast.learning.rule import AfterTrial, Rule, WithinTrial, hears
from snnplast.learning.signals import Timing
from snnplast.network.network import Network
from snnplast.task.task import Task
from snnplast.testing.bench import Bench, Given, Handing, promise, small_network, small_samples, small_task
from snnplast.testing.declarations import check_declarations
from snnplast.testing.described import check_described, check_refusal
from snnplast.testing.gradients import check_gradients, check_gradients_of_engines
from snnplast.testing.training import Make, check_bounds, check_engines, check_gate, check_training, trained
from snnplast.training.trainer import Trainer


def check_rule(
    rule: type[Rule],
    *,
    network: Network | None = None,
    task: Task | None = None,
    timings: Sequence[Timing] = ("step", "trial"),
    trials: int = 6,
    engine: str | EngineChoice | None = None,
    workers: Sequence[int] = (2, 8),
    **settings: Any,
) -> None:
    """Whether a rule keeps its contract.

    Every kind: parameters are fields with a description; what it declares exists; code is the same each time; training
    changes all that it names as its own and nothing else, within bounds; tests, and projections that are not plastic,
    change nothing; training is bitwise repeatable, also with tests in between, resumed, and by any number of workers;
    both engines agree to 1e-9.
    One that learns after trials: its evaluations agree to 1e-10; an "independent" rule makes of a trial what it makes
    of it alone. With a signal handed over: no signal, no hidden change; each timing alone makes one; the opposite
    signal, the opposite change; the change is linear in the signal; a missing one raises.
    One that changes weights within the trial: they are within bounds at every step; a step signal handed over counts.

    network, task: what it is tried on, by default `small_network()` and `small_task()`; of a rule that changes weights
    within the trial, `small_network("none")` and `small_samples()`. timings: of the signals that it takes, () for none.
    trials: how many are compared; the third factor must be ready before the last.
    engine: what runs it, "compiled", "runtime" or an `EngineChoice`; None (default) is the runtime engine, and where
    there is a compiler both are compared. workers: numbers of threads that are compared with one.
    settings: the rule's. Raises `AssertionError`.

    >>> from snnplast import STDP
    >>> from snnplast.engine import NUMPY
    >>> check_rule(STDP, trials=2, engine=NUMPY)
    """
    place = f"rule {getattr(rule, 'name', rule.__name__)!r}"
    check_described(place, rule)
    check_refusal(place, rule, **settings)
    within = issubclass(rule, WithinTrial)
    network = network or small_network("none" if within else "leaky")
    task = task or (small_samples() if within else small_task())
    bench = Bench(network, task, NUMPY if engine is None else EngineChoice.of(engine, "check_rule: engine"))

    def make(**others: Any) -> Any:
        return rule(**{**settings, **others})

    if issubclass(rule, AfterTrial):
        check_gradients(place, bench, make, timings, trials)
    else:
        with bench.open(make()) as simulation:
            check_declarations(place, simulation)
            bench.record(simulation, 0)
        check_bounds(place, bench, make())
        if within and hears(rule) is not None and "step" in timings:
            _check_heard(place, bench, make)
    check_gate(place, bench, make())
    _check_frozen(place, bench, make)
    check_training(place, bench, make, trials, workers)
    if engine is None:
        (check_gradients_of_engines if issubclass(rule, AfterTrial) else check_engines)(place, bench, make)


def _check_frozen(place: str, bench: Bench, make: Make) -> None:
    """A projection that is not plastic keeps its weights while the others learn."""
    with bench.open(make()) as simulation:
        (plasticity, *_) = simulation.plasticities
        learnt = [p.name for p in plasticity.projections if p.target == plasticity.projections[0].target]
    if len(learnt) < 2:
        return
    with bench.frozen(learnt[0]).open(make()) as simulation:
        before = simulation.values[learnt[0]].copy()
        Trainer(simulation, bench.task, 1).update()
        same = (simulation.values[learnt[0]] == before).all()
        promise(same, f"{place}: {learnt[0]!r} changes although it is not plastic")


def _check_heard(place: str, bench: Bench, make: Make) -> None:
    """Another step signal, other weights."""
    given, found = Given(variable="given", timing="step"), []
    for scale in (1.0, -1.0):
        rule = make(third_factor=given)
        with bench.open(rule) as simulation:
            (plasticity,) = simulation.plasticities
            sizes = {name: simulation.network.population(name).size for name in plasticity.targets}
            handing = Bench(bench.network, Handing(bench.task, sizes, {"given": scale}), bench.engine)
        found.append(trained(handing, rule, 1))
    heard = any((found[0][name] != found[1][name]).any() for name in found[0])
    promise(heard, f"{place}: a step signal and its opposite leave the same: it does not hear its third factor")
