"""Promises of rules that learn after trials: their gradients, by each evaluation and for any third factor's signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from snnplast.engine import COMPILED, compiler_available
from snnplast.errors import UserError
from snnplast.learning.rule import AfterTrial, hears
from snnplast.learning.signals import Timing
from snnplast.network.network import Network
from snnplast.simulation.design import design
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Task
from snnplast.testing.bench import Bench, Given, Gradients, Handing, promise
from snnplast.testing.declarations import check_declarations
from snnplast.testing.training import Make, apart, check_agreement

TOLERANCE = 1e-10
"""Of the largest entry: how far the two evaluations of a rule may be apart."""


def check_gradients(place: str, bench: Bench, make: Make, timings: Sequence[Timing], trials: int) -> None:
    """Every evaluation has the same gradients, which follow each signal, and hold alone where trials do."""
    rule = make()
    given = [Given(variable=f"given_{n}", timing=t, tau=tau) for n, (t, tau) in enumerate(_kinds(timings))]
    found: dict[str, list[Gradients]] = {}
    for face in faces(type(rule)):
        at = f"{place}, {face}"
        with bench.open(make(evaluation=face)) as simulation:
            check_declarations(at, simulation)
            found[face] = [bench.gradients(simulation, k) for k in range(trials)]
        if hears(type(rule)) is None or not given:
            continue
        handed = {"third_factor": given[0], "regularisers": tuple(given[1:]), "evaluation": face}
        with bench.open(make(**handed)) as simulation:
            _check_modulation(at, bench, simulation, given)
    check_same(place, found)
    face, compared = next(iter(found.items()))
    check_alone(place, bench, make(evaluation=face), compared)
    if rule.batch_mode == "sequential":
        _check_batch_refusal(place, bench.network, bench.task, make(batch=2))


def check_gradients_of_engines(place: str, bench: Bench, make: Make, trials: int = 2) -> None:
    """Both engines have the same gradients, where there is a compiler."""
    for face in faces(type(make())) if compiler_available() else ():
        found = []
        for where in (bench, bench.on(COMPILED)):
            with where.open(make(evaluation=face)) as simulation:
                found.append([where.gradients(simulation, k) for k in range(trials)])
        for one, other in zip(*found, strict=True):
            check_agreement(f"{place}, {face}: the gradient of", one, other)


def check_alone(place: str, bench: Bench, rule: AfterTrial, found: list[Gradients]) -> None:
    """Where rule and sources say so, a trial stands for itself. found: gradients of trials one after another."""
    with bench.open(rule) as simulation:
        factors = [source.factor for plasticity in simulation.plasticities for source in plasticity.sources]
        if any(part.batch_mode == "sequential" for part in (rule, *factors)):
            return
        alone = bench.gradients(simulation, len(found) - 1)
        for name, gradient in found[-1].items():
            same = np.array_equal(alone[name], gradient)
            said = "depends on the trials before, though it is 'independent'"
            promise(same, f"{place}: the gradient of {name!r} {said}")


def faces(rule: type[AfterTrial]) -> tuple[str, ...]:
    """The evaluations a rule offers."""
    return get_args(rule.model_fields["evaluation"].annotation)


def _kinds(timings: Sequence[Timing]) -> list[tuple[Timing, float | None]]:
    """Timing and filter of the signals to hand over: a step signal once with and once without a filter."""
    return [(timing, tau) for timing in timings for tau in ((0.025, None) if timing == "step" else (None,))]


def _check_modulation(place: str, bench: Bench, simulation: Simulation, given: Sequence[Given]) -> None:
    (plasticity,) = simulation.plasticities
    learnt = plasticity.rule.parameters(simulation.network, plasticity.projections)
    hidden = [p.name for p in plasticity.projections if p.target in plasticity.targets and p.name in learnt]
    sizes = {name: simulation.network.population(name).size for name in plasticity.targets}

    def change(*scales: float) -> Gradients:
        scaled = dict(zip([factor.variable for factor in given], scales, strict=True))
        found = bench.gradients(simulation, 0, Handing(bench.task, sizes, scaled))
        lost = [name for name in hidden if name not in found]
        promise(not lost, f"{place}: the signal is ready, but there is no gradient of {', '.join(lost)}")
        return {name: found[name] for name in hidden}

    n = len(given)
    none, one, opposite = change(*[0.0] * n), change(*[1.0] * n), change(*[-1.0] * n)
    weights = np.array([2.0, -3.0, 0.5])[:n]
    alone = [change(*np.eye(n)[k]) for k in range(n)]
    together = change(*weights)
    for name in hidden:
        for factor, changed in zip(given, alone, strict=True):
            promise(np.any(changed[name]), f"{place}: a {_told(factor)} alone leaves {name!r} unchanged")
        promise(not np.any(none[name]), f"{place}: with a signal of zero {name!r} still changes")
        flipped = apart(opposite[name], -one[name]) < 1e-12
        promise(flipped, f"{place}: the opposite signal does not change {name!r} by the opposite")
        sums = np.sum([w * changed[name] for w, changed in zip(weights, alone, strict=True)], axis=0)
        linear = apart(together[name], sums) < TOLERANCE
        promise(linear, f"{place}: the change of {name!r} is not linear in the signal")
    task = Handing(bench.task, sizes, {factor.variable: 1.0 for factor in given})
    _check_absent_signals(place, bench, simulation, hidden, task)


def _told(given: Given) -> str:
    """A signal in words."""
    filtered = f", filtered with {1e3 * given.tau:g} ms," if given.tau else ""
    return f"{given.timing} signal{filtered}"


def _check_absent_signals(place: str, bench: Bench, simulation: Simulation, hidden: Sequence[str], task: Task) -> None:
    """A missing signal raises, and one that is not ready leaves hidden weights alone."""
    (plasticity,) = simulation.plasticities
    rule: Any = plasticity.rule
    record = bench.record(simulation, 0, task)
    signals = plasticity.signals(record, simulation.objective)
    unready = {name: None if name in plasticity.targets else given for name, given in signals.items()}
    changed = set(rule.gradient(record, plasticity.projections, unready)) & set(hidden)
    promise(not changed, f"{place}: {', '.join(sorted(changed))} changes before the signal is ready")
    readout_only = {name: given for name, given in signals.items() if name not in plasticity.targets}
    try:
        rule.gradient(record, plasticity.projections, readout_only)
    except (KeyError, UserError):
        return
    promise(not hidden, f"{place}: a missing signal is taken for zero; it must raise")


def check_same(place: str, found: Mapping[str, list[Gradients]], whole: bool = True) -> None:
    """Both evaluations have the same gradients in every trial. whole: each is nonzero in some trial."""
    first, *others = found.values()
    for trial, gradients in enumerate(first):
        for other in others:
            names = ", ".join(sorted(gradients.keys() ^ other[trial].keys()))
            promise(not names, f"{place}: trial {trial}: only one evaluation has a gradient of {names}")
            for name, gradient in gradients.items():
                found_apart = apart(other[trial][name], gradient)
                said = f"online and factored {name!r} are {found_apart:.1e} of the largest entry apart"
                promise(found_apart < TOLERANCE, f"{place}: trial {trial}: {said}")
    for name in first[-1] if whole else ():
        moving = any(np.any(gradients.get(name, 0)) for gradients in first)
        promise(moving, f"{place}: the gradient of {name!r} is zero in every trial")


def _check_batch_refusal(place: str, network: Network, task: Task, rule: AfterTrial) -> None:
    try:
        design(network, task.objective, rule, 1)
    except UserError:
        return
    promise(False, f"{place}: it is 'sequential' but takes a batch of 2")
