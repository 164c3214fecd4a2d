"""The conformance kit: whether a rule or a third factor keeps the promises of its contract.

    def test_my_rule_keeps_the_contract():
        check_rule(MyRule, optimizer={"name": "sgd", "learning_rate": 1e-3})

    def test_my_source_keeps_the_contract():
        check_third_factor(MySource, window=3)

Both run a small network (a Poisson source, two layers, one of them recurrent, a readout) on a small classification,
and raise `AssertionError` with a sentence that says which promise is broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from snnplast import registry
from snnplast.engine import NUMPY, EngineChoice
from snnplast.errors import UserError
from snnplast.learning.capabilities import Speaks
from snnplast.learning.rule import Rule
from snnplast.learning.signals import Broadcast, SignalKind, Timing
from snnplast.learning.third_factor import Context, ThirdFactor
from snnplast.network.network import Network
from snnplast.network.projection import Projection
from snnplast.simulation.design import design
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Task
from snnplast.testing.bench import Bench, Given, Gradients, Handing, promise, small_network, small_task
from snnplast.training.trainer import Trainer

__all__ = ["check_rule", "check_third_factor", "small_network", "small_task"]

TOLERANCE = 1e-10
"""Of the largest entry: how far the two evaluations of a rule may be apart."""


def check_rule(
    rule: type[Rule],
    *,
    network: Network | None = None,
    task: Task | None = None,
    timings: Sequence[Timing] = ("step", "trial"),
    trials: int = 6,
    engine: str | EngineChoice = NUMPY,
    **settings: Any,
) -> None:
    """Whether a rule keeps its contract.

    With the third factor it is set to: everything it declares exists and has the right shape, its equations can be
    printed, its evaluations agree to 1e-10 in every trial, training changes weights and is bitwise repeatable, and an
    "independent" rule makes of a trial what it makes of it alone. With a signal handed over: no signal, no hidden
    change; the opposite signal, the opposite change; the change is linear in the signal; a missing one raises.

    network, task: what it is tried on, by default `small_network()` and `small_task()`. timings: those of the signals
    the rule takes. trials: how many are compared; the third factor must be ready before the last.
    engine: what runs it, "compiled", "runtime" or an `EngineChoice`. settings: the rule's.
    """
    network, task = network or small_network(), task or small_task()
    bench, place = Bench(network, task, EngineChoice.of(engine, "check_rule: engine")), f"rule {rule.name!r}"
    given = [Given(variable=f"given_{n}", timing=t, tau=tau) for n, (t, tau) in enumerate(_kinds(timings))]
    found: dict[str, list[Gradients]] = {}
    for face in _faces(rule):
        with bench.open(rule(**{**settings, "evaluation": face})) as simulation:
            _check_declarations(f"{place}, {face}", simulation)
            found[face] = [bench.gradients(simulation, k) for k in range(trials)]
        if rule.model_fields["third_factor"].annotation is type(None):
            continue  # it hears none
        handed = {"third_factor": given[0], "regularisers": tuple(given[1:]), "evaluation": face}
        with bench.open(rule(**{**settings, **handed})) as simulation:
            _check_modulation(f"{place}, {face}", bench, simulation, given)
    _check_same(place, found)
    face, compared = next(iter(found.items()))
    _check_training(place, bench, rule(**{**settings, "evaluation": face}), compared)
    if rule.batch_mode == "sequential":
        _check_batch_refusal(place, network, task, rule(**{**settings, "batch": 2}))


def check_third_factor(
    third_factor: type[ThirdFactor],
    *,
    rule: str = "e-prop",
    network: Network | None = None,
    task: Task | None = None,
    trials: int = 6,
    engine: str | EngineChoice = NUMPY,
    **settings: Any,
) -> None:
    """Whether a third factor keeps its contract.

    `extend` leaves the network it is given alone; every target population gets a finite signal in the shape of its
    kind, or None until it is ready; online and factored evaluation of `rule` make the same of it; training with it is
    bitwise repeatable and is not changed by an evaluation in between; an "independent" one says of a trial what it
    says of it alone.

    The other parameters are those of `check_rule`. settings: the third factor's.
    """
    network, task = network or small_network(), task or small_task()
    bench = Bench(network, task, EngineChoice.of(engine, "check_third_factor: engine"))
    place = f"third factor {third_factor.name!r}"
    factor, kind = third_factor(**settings), registry.load("rule", rule)
    found: dict[str, list[Gradients]] = {}
    for face in _faces(kind):
        _check_extend(place, factor, network, task, face == "online")
        with bench.open(kind(third_factor=factor, evaluation=face)) as simulation:
            found[face] = [bench.gradients(simulation, k) for k in range(trials)]
        with bench.open(kind(third_factor=factor, evaluation=face)) as simulation:
            _check_signals(f"{place}, {face}", bench, simulation, trials)
    _check_same(f"{place} with rule {rule!r}", found, whole=False)
    face, compared = next(iter(found.items()))
    _check_training(place, bench, kind(third_factor=factor, evaluation=face), compared, must_change=False)


def _faces(rule: type[Rule]) -> tuple[str, ...]:
    """The evaluations a rule offers."""
    return get_args(rule.model_fields["evaluation"].annotation)


def _kinds(timings: Sequence[Timing]) -> list[tuple[Timing, float | None]]:
    """Timing and filter of the signals to hand over: a step signal once with and once without a filter."""
    return [(timing, tau) for timing in timings for tau in ((0.025, None) if timing == "step" else (None,))]


def _check_declarations(place: str, simulation: Simulation) -> None:
    for plasticity in simulation.plasticities:
        rule = plasticity.rule
        for name, field in type(rule).model_fields.items():
            promise(field.description, f"{place}: the parameter {name!r} has no description")
        for p in plasticity.projections:
            kinds = plasticity.kinds(p)
            texts = [_printed(rule, simulation.network, p, kinds) for _ in range(2)]
            promise(texts[0] == texts[1], f"{place}: inject() gives something else the second time for {p.name!r}")
            size = simulation.plan.wiring[p.name].pre.size
            for called, name in simulation.plan.names[p.name].items():
                if not called.startswith("synapse."):
                    promise(name in simulation.engine.history, f"{place}: {name!r}, which it records, is no variable")
                    continue
                found = simulation.engine[name].shape
                promise(found == (size,), f"{place}: {name!r}, which it reads, has shape {found}, not ({size},)")
        for name in rule.parameters(simulation.network, plasticity.projections):
            promise(name in simulation.values, f"{place}: the network has no parameter {name!r}")


def _printed(rule: Rule, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> str:
    injection = rule.inject(network, projection, kinds)
    return "\n".join(fragment.text() for fragment in (injection.pre, injection.post, injection.synapse))


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
        promise(np.any(one[name]), f"{place}: a signal leaves {name!r} unchanged")
        promise(not np.any(none[name]), f"{place}: with a signal of zero {name!r} still changes")
        flipped = _apart(opposite[name], -one[name]) < 1e-12
        promise(flipped, f"{place}: the opposite signal does not change {name!r} by the opposite")
        sums = np.sum([w * changed[name] for w, changed in zip(weights, alone, strict=True)], axis=0)
        linear = _apart(together[name], sums) < TOLERANCE
        promise(linear, f"{place}: the change of {name!r} is not linear in the signal")
    task = Handing(bench.task, sizes, {factor.variable: 1.0 for factor in given})
    _check_absent_signals(place, bench, simulation, hidden, task)


def _check_absent_signals(place: str, bench: Bench, simulation: Simulation, hidden: Sequence[str], task: Task) -> None:
    """A missing signal raises, and one that is not ready leaves hidden weights alone."""
    (plasticity,) = simulation.plasticities
    record = bench.record(simulation, 0, task)
    signals = plasticity.signals(record, simulation.objective)
    unready = {name: None if name in plasticity.targets else given for name, given in signals.items()}
    changed = set(plasticity.rule.gradient(record, plasticity.projections, unready)) & set(hidden)
    promise(not changed, f"{place}: {', '.join(sorted(changed))} changes before the signal is ready")
    readout_only = {name: given for name, given in signals.items() if name not in plasticity.targets}
    try:
        plasticity.rule.gradient(record, plasticity.projections, readout_only)
    except (KeyError, UserError):
        return
    promise(not hidden, f"{place}: a missing signal is taken for zero; it must raise")


def _check_same(place: str, found: Mapping[str, list[Gradients]], whole: bool = True) -> None:
    """Both evaluations have the same gradients in every trial. whole: each is nonzero in some trial."""
    first, *others = found.values()
    for trial, gradients in enumerate(first):
        for other in others:
            names = ", ".join(sorted(gradients.keys() ^ other[trial].keys()))
            promise(not names, f"{place}: trial {trial}: only one evaluation has a gradient of {names}")
            for name, gradient in gradients.items():
                apart = _apart(other[trial][name], gradient)
                promise(
                    apart < TOLERANCE,
                    f"{place}: trial {trial}: online and factored {name!r} are {apart:.1e} of the largest entry apart",
                )
    for name in first[-1] if whole else ():
        moving = any(np.any(gradients.get(name, 0)) for gradients in first)
        promise(moving, f"{place}: the gradient of {name!r} is zero in every trial")


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, relative to the largest entry of b."""
    difference = np.abs(a - b).max(initial=0.0)
    return float(difference / np.abs(b).max()) if difference else 0.0


def _check_training(place: str, bench: Bench, rule: Rule, found: list[Gradients], must_change: bool = True) -> None:
    """Two runs end with the same bits although one is interrupted by an evaluation; each trial stands for itself."""
    with bench.open(rule) as simulation:
        factors = [source.factor for plasticity in simulation.plasticities for source in plasticity.sources]
        if all(part.batch_mode == "independent" for part in (rule, *factors)):
            alone = bench.gradients(simulation, len(found) - 1)
            for name, gradient in found[-1].items():
                promise(
                    np.array_equal(alone[name], gradient),
                    f"{place}: the gradient of {name!r} depends on the trials before, though it is 'independent'",
                )
        before = {name: simulation.values[name].copy() for name in simulation.parameters}
        after = _trained(bench, simulation, len(found), interrupted=True)
    with bench.open(rule) as simulation:
        again = _trained(bench, simulation, len(found), interrupted=False)
    for name, values in after.items():
        promise(
            np.array_equal(values, again[name]),
            f"{place}: {name!r} differs between two runs of the same experiment, one with an evaluation in between",
        )
        promise(not must_change or np.any(values != before[name]), f"{place}: training leaves {name!r} as it was")


def _trained(bench: Bench, simulation: Simulation, iterations: int, interrupted: bool) -> Gradients:
    trainer = Trainer(simulation, bench.task, iterations)
    for _ in trainer:
        if interrupted:
            for _record in trainer.evaluate():
                pass
    return {name: simulation.values[name].copy() for name in simulation.parameters}


def _check_batch_refusal(place: str, network: Network, task: Task, rule: Rule) -> None:
    try:
        design(network, task.objective, rule, 1)
    except UserError:
        return
    promise(False, f"{place}: it is 'sequential' but takes a batch of 2")


def _check_extend(place: str, factor: ThirdFactor, network: Network, task: Task, online: bool) -> None:
    """`extend` adds to a copy."""
    plastic = [p.target for p in network.projections.values() if p.plastic]
    targets = tuple(dict.fromkeys(name for name in plastic if not network.populations[name].readout))
    before = [dict(part) for part in (network.populations, network.projections, network.attachments)]
    factor.extend(Context(network, targets, task.objective, online))
    after = [network.populations, network.projections, network.attachments]
    promise(before == after, f"{place}: extend() changes the network it is given; it must extend a copy()")


def _check_signals(place: str, bench: Bench, simulation: Simulation, trials: int) -> None:
    """Each target's signal has the shape of its kind, is finite, and is ready in the last trial."""
    (plasticity,) = simulation.plasticities
    source = plasticity.sources[0]
    factor, context, state = source.factor, source.context, source.state
    for index in range(trials):
        record = bench.record(simulation, index)
        given = factor.signal(record, context, state)
        for name in plasticity.targets:
            promise(name in given, f"{place}: no signal for the population {name!r}")
            signal, kind = given[name], factor.kind(context, name)
            if signal is None:
                promise(index < trials - 1, f"{place}: the signal for {name!r} is not ready after {trials} trials")
                continue
            values = signal.values @ signal.feedback if isinstance(signal, Broadcast) else signal
            size = context.network.population(name).size
            shape, wanted = np.shape(values), (size,) if kind.timing == "trial" else (record.steps, size)
            promise(shape == wanted, f"{place}: the signal for {name!r} has shape {shape}, not {wanted}")
            promise(np.all(np.isfinite(values)), f"{place}: the signal for {name!r} is not finite in trial {index}")
        for key, number in factor.report(state).items() if isinstance(factor, Speaks) else ():
            promise(isinstance(number, float), f"{place}: report() gives {number!r} for {key!r}, not a float")
