"""The conformance kit: whether a rule or a third factor keeps the promises of its contract.

    def test_my_rule_keeps_the_contract():
        check_rule(MyRule, optimizer={"name": "sgd", "learning_rate": 1e-3})

    def test_my_source_keeps_the_contract():
        check_third_factor(MySource, window=3)

Both run a small network (a Poisson source, two layers, one of them recurrent, a readout) on a small classification,
and raise `AssertionError` with a sentence that says which promise is broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from snnplast import registry
from snnplast.assemble import Assembly, assemble
from snnplast.connectivity import Probability
from snnplast.errors import UserError
from snnplast.fragments import Fragment
from snnplast.gradient import Timing
from snnplast.network import Network, Projection
from snnplast.neurons import LIF, LayerNorm, LeakyReadout, PoissonSource, RateReadout
from snnplast.rule import Rule
from snnplast.simulate import simulate
from snnplast.task import SOURCES, TRAINING, Classification, Task, Trial, stream
from snnplast.third_factor import Broadcast, Context, SignalKind, State, ThirdFactor
from snnplast.train import Trainer
from snnplast.trial import Record
from snnplast.weights import Normal

TOLERANCE = 1e-10
"""Of the largest entry: how far the two evaluations of a rule may be apart."""

Gradients = dict[str, np.ndarray]


def small_network(readout: Literal["leaky", "rate"] = "leaky") -> Network:
    """12 Poisson sources -> 8 recurrent LIF neurons -> 7 LIF neurons -> 3 readouts, everything plastic."""
    net = Network()
    net.add("input", PoissonSource(12, peak_rate="300 Hz"))
    for name, size, tau in (("first", 8, "20 ms"), ("second", 7, "15 ms")):
        net.add(name, LIF(size, tau_m=tau, refractory="2 ms", reset="subtract-next", bias=0.02, representation=LayerNorm()))
    net.connect("input", "first", weights=Normal(gain=2.5), plastic=True)
    net.connect("first", "first", weights=Normal(gain=1.0), plastic=True, self_connections=False)
    net.connect("first", "second", weights=Normal(gain=4.0), connectivity=Probability(0.7), plastic=True)
    if readout == "leaky":
        net.add("output", LeakyReadout(3, tau_m="25 ms"))
        net.connect("second", "output", weights=Normal(gain=1.0), plastic=True)
    else:
        net.add("output", RateReadout(3))
        settings = {"kind": "analog", "variable": "z", "every": "trial"}
        net.connect("second", "output", weights=Normal(gain=1.0), plastic=True, **settings)
    return net


def small_task(seed: int = 1) -> Classification:
    """24 random samples of 12 values in 3 classes, 4 of them for testing, each shown for 60 steps."""
    rng = stream(seed, SOURCES, 6)
    x, labels = rng.random((24, 12)), rng.integers(3, size=24)
    labels[:3] = 0, 1, 2
    return Classification(x[:20], labels[:20], x[20:], labels[20:], steps=60, seed=seed)


def check_rule(
    rule: type[Rule],
    *,
    network: Network | None = None,
    task: Task | None = None,
    timings: Sequence[Timing] = ("step", "trial"),
    trials: int = 6,
    engine: str = "runtime",
    target: str = "numpy",
    **settings: Any,
) -> None:
    """Whether a rule keeps its contract.

    With the third factor it is set to: everything it declares exists and has the right shape, its equations can be
    printed, its evaluations agree to 1e-10 in every trial, training changes weights and is bitwise repeatable, and an
    "independent" rule makes of a trial what it makes of it alone. With a signal handed over: no signal, no hidden
    change; the opposite signal, the opposite change; the change is linear in the signal; a missing one raises.

    network, task: what it is tried on, by default `small_network()` and `small_task()`. timings: those of the signals
    the rule takes. trials: how many are compared; the third factor must be ready before the last. settings: the rule's.
    """
    network, task = network or small_network(), task or small_task()
    bench, place = _Bench(network, task, engine, target), f"rule {rule.name!r}"
    given = [Given(variable=f"given_{n}", timing=t, tau=tau) for n, (t, tau) in enumerate(_kinds(timings))]
    found: dict[str, list[Gradients]] = {}
    for face in _faces(rule):
        with bench.open(rule(**{**settings, "evaluation": face})) as assembly:
            _check_declarations(f"{place}, {face}", assembly)
            found[face] = [bench.gradients(assembly, k) for k in range(trials)]
        handed = {"third_factor": given[0], "regularisers": tuple(given[1:]), "evaluation": face}
        with bench.open(rule(**{**settings, **handed})) as assembly:
            _check_modulation(f"{place}, {face}", bench, assembly, given)
    _check_same(place, found)
    face, compared = next(iter(found.items()))
    _check_training(place, bench, rule(**{**settings, "evaluation": face}), compared)


def check_third_factor(
    third_factor: type[ThirdFactor],
    *,
    rule: str = "e-prop",
    network: Network | None = None,
    task: Task | None = None,
    trials: int = 6,
    engine: str = "runtime",
    target: str = "numpy",
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
    bench, place = _Bench(network, task, engine, target), f"third factor {third_factor.name!r}"
    factor, kind = third_factor(**settings), registry.load("rule", rule)
    found: dict[str, list[Gradients]] = {}
    for face in _faces(kind):
        _check_extend(place, factor, network, task, face == "online")
        with bench.open(kind(third_factor=factor, evaluation=face)) as assembly:
            found[face] = [bench.gradients(assembly, k) for k in range(trials)]
        with bench.open(kind(third_factor=factor, evaluation=face)) as assembly:
            _check_signals(f"{place}, {face}", bench, assembly, trials)
    _check_same(f"{place} with rule {rule!r}", found, whole=False)
    face, compared = next(iter(found.items()))
    _check_training(place, bench, kind(third_factor=factor, evaluation=face), compared, must_change=False)


def _faces(rule: type[Rule]) -> tuple[str, ...]:
    """The evaluations a rule offers."""
    return get_args(rule.model_fields["evaluation"].annotation)


class Given(ThirdFactor):
    """A signal that the task hands over as the series '<population>.<variable>'; a step signal is simulated online."""

    name: ClassVar[str] = "given"

    variable: str
    timing: Timing
    tau: float | None = None

    def kind(self, context: Context, population: str) -> SignalKind:
        return SignalKind(self.variable, self.timing, self.tau)

    def extend(self, context: Context) -> Network:
        network = context.network.copy()
        for target in context.targets if self.timing == "step" else ():
            network.attach(target, Fragment((f"{self.variable} : 1",)))
        return network

    def signal(self, record: Record, targets: Sequence[str], state: State) -> dict[str, np.ndarray | None]:
        series = {name: record.series[f"{name}.{self.variable}"] for name in targets}
        return {name: values if self.timing == "step" else values[-1] for name, values in series.items()}


class _Handing(Task):
    """Trials of another task, with series for `Given` factors added: random, times one number per factor."""

    def __init__(self, task: Task, sizes: Mapping[str, int], scales: Mapping[str, float]) -> None:
        self.task, self.sizes, self.scales = task, sizes, scales
        self.objective, self.seed = task.objective, task.seed

    def trial(self, index: int) -> Trial:
        inner, rng = self.task.trial(index), stream(self.seed, SOURCES, 7, index)
        segment = next(inner, None)
        while segment is not None:
            series = {
                f"{name}.{variable}": scale * rng.standard_normal((segment.steps, size))
                for name, size in self.sizes.items()
                for variable, scale in self.scales.items()
            }
            record = yield replace(segment, series={**segment.series, **series})
            try:
                segment = inner.send(record)
            except StopIteration:
                return


class _Bench:
    """Where experiments are put together the same way for every check."""

    def __init__(self, network: Network, task: Task, engine: str, target: str) -> None:
        self.network, self.task, self.engine, self.target = network, task, engine, target

    @contextmanager
    def open(self, rule: Rule) -> Iterator[Assembly]:
        """The experiment with a rule, closed afterwards."""
        assembly = assemble(self.network, self.task.objective, rule, 1, self.engine, self.target)
        try:
            yield assembly
        finally:
            assembly.engine.close()

    def record(self, assembly: Assembly, index: int, task: Task | None = None) -> Record:
        """Training trial `index`."""
        task = task or self.task
        for teacher in assembly.teachers:
            for factor, _ in teacher.factors:
                factor.prepare(assembly.network, assembly.values, assembly.plan.wiring)
        record = simulate(assembly, task.trial(index), index, task.seed, stream(task.seed, SOURCES, TRAINING, index))
        silent = [name for name in _hidden(assembly) if not record.spikes[name][0].size]
        _promise(not silent, f"trial {index}: no neuron of {', '.join(silent)} spikes; nothing can be checked")
        return record

    def gradients(self, assembly: Assembly, index: int, task: Task | None = None) -> Gradients:
        """Gradients of training trial `index`."""
        record, before = self.record(assembly, index, task), {n: v.copy() for n, v in assembly.values.items()}
        found: Gradients = {}
        for teacher in assembly.teachers:
            found |= teacher.gradient(record, assembly.objective)
        for name, gradient in found.items():
            _promise(name in assembly.parameters, f"a gradient of {name!r}, which parameters() does not name")
            shape = assembly.values[name].shape
            _promise(np.shape(gradient) == shape, f"the gradient of {name!r} has shape {np.shape(gradient)}, not {shape}")
            _promise(np.all(np.isfinite(gradient)), f"the gradient of {name!r} is not finite in trial {index}")
        for name, values in before.items():
            _promise(np.array_equal(values, assembly.values[name]), f"gradient() changes the parameter {name!r}")
        return {name: np.array(gradient) for name, gradient in found.items()}


def _promise(kept: Any, sentence: str) -> None:
    if not kept:
        raise AssertionError(sentence)


def _hidden(assembly: Assembly) -> list[str]:
    return [target for teacher in assembly.teachers for target in teacher.targets]


def _kinds(timings: Sequence[Timing]) -> list[tuple[Timing, float | None]]:
    """Timing and filter of the signals to hand over: a step signal once with and once without a filter."""
    return [(timing, tau) for timing in timings for tau in ((0.025, None) if timing == "step" else (None,))]


def _check_declarations(place: str, assembly: Assembly) -> None:
    for teacher in assembly.teachers:
        rule = teacher.rule
        for name, field in type(rule).model_fields.items():
            _promise(field.description, f"{place}: the parameter {name!r} has no description")
        for p in teacher.projections:
            kinds = [f.kind(context, p.target) for f, context in teacher.factors if p.target in teacher.targets]
            texts = [_printed(rule, assembly.network, p, kinds) for _ in range(2)]
            _promise(texts[0] == texts[1], f"{place}: inject() gives something else the second time for {p.name!r}")
            size = assembly.plan.wiring[p.name].pre.size
            for name in rule.accumulators(assembly.network, p, kinds):
                found = assembly.engine[name].shape
                _promise(found == (size,), f"{place}: the accumulator {name!r} has shape {found}, not ({size},)")
            for name in rule.needs(assembly.network, p):
                _promise(name in assembly.engine.history, f"{place}: {name!r}, which it needs, is not recorded")
        for name in rule.parameters(assembly.network, teacher.projections):
            _promise(name in assembly.values, f"{place}: the network has no parameter {name!r}")


def _printed(rule: Rule, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> str:
    injection = rule.inject(network, projection, kinds)
    return "\n".join(fragment.text() for fragment in (injection.pre, injection.post, injection.synapse))


def _check_modulation(place: str, bench: _Bench, assembly: Assembly, given: Sequence[Given]) -> None:
    (teacher,) = assembly.teachers
    learnt = teacher.rule.parameters(assembly.network, teacher.projections)
    hidden = [p.name for p in teacher.projections if p.target in teacher.targets and p.name in learnt]
    sizes = {name: assembly.network.population(name).size for name in teacher.targets}

    def change(*scales: float) -> Gradients:
        scaled = dict(zip([factor.variable for factor in given], scales, strict=True))
        found = bench.gradients(assembly, 0, _Handing(bench.task, sizes, scaled))
        lost = [name for name in hidden if name not in found]
        _promise(not lost, f"{place}: the signal is ready, but there is no gradient of {', '.join(lost)}")
        return {name: found[name] for name in hidden}

    n = len(given)
    none, one, opposite = change(*[0.0] * n), change(*[1.0] * n), change(*[-1.0] * n)
    weights = np.array([2.0, -3.0, 0.5])[:n]
    alone = [change(*np.eye(n)[k]) for k in range(n)]
    together = change(*weights)
    for name in hidden:
        _promise(np.any(one[name]), f"{place}: a signal leaves {name!r} unchanged")
        _promise(not np.any(none[name]), f"{place}: with a signal of zero {name!r} still changes")
        _promise(_apart(opposite[name], -one[name]) < 1e-12, f"{place}: the opposite signal is no opposite change of {name!r}")
        sums = sum(w * changed[name] for w, changed in zip(weights, alone, strict=True))
        _promise(_apart(together[name], sums) < TOLERANCE, f"{place}: the change of {name!r} is not linear in the signal")
    _check_absent_signals(place, bench, assembly, hidden, _Handing(bench.task, sizes, {f.variable: 1.0 for f in given}))


def _check_absent_signals(place: str, bench: _Bench, assembly: Assembly, hidden: Sequence[str], task: Task) -> None:
    """A missing signal raises, and one that is not ready leaves hidden weights alone."""
    (teacher,) = assembly.teachers
    record = bench.record(assembly, 0, task)
    signals = teacher.signals(record, assembly.objective)
    unready = {name: None if name in teacher.targets else given for name, given in signals.items()}
    changed = set(teacher.rule.gradient(record, teacher.projections, unready)) & set(hidden)
    _promise(not changed, f"{place}: {', '.join(sorted(changed))} changes before the signal is ready")
    readout_only = {name: given for name, given in signals.items() if name not in teacher.targets}
    try:
        teacher.rule.gradient(record, teacher.projections, readout_only)
    except (KeyError, UserError):
        return
    _promise(not hidden, f"{place}: a missing signal is taken for zero; it must raise")


def _check_same(place: str, found: Mapping[str, list[Gradients]], whole: bool = True) -> None:
    """Both evaluations have the same gradients in every trial. whole: each is nonzero in some trial."""
    first, *others = found.values()
    for trial, gradients in enumerate(first):
        for other in others:
            names = gradients.keys() ^ other[trial].keys()
            _promise(not names, f"{place}: trial {trial}: only one evaluation has a gradient of {', '.join(sorted(names))}")
            for name, gradient in gradients.items():
                apart = _apart(other[trial][name], gradient)
                _promise(
                    apart < TOLERANCE,
                    f"{place}: trial {trial}: online and factored gradients of {name!r} are {apart:.1e} of the largest apart",
                )
    for name in first[-1] if whole else ():
        _promise(any(np.any(g.get(name, 0)) for g in first), f"{place}: the gradient of {name!r} is zero in every trial")


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, relative to the largest entry of b."""
    difference = np.abs(a - b).max(initial=0.0)
    return float(difference / np.abs(b).max()) if difference else 0.0


def _check_training(place: str, bench: _Bench, rule: Rule, found: list[Gradients], must_change: bool = True) -> None:
    """Two runs end with the same bits although one is interrupted by an evaluation; each trial stands for itself."""
    with bench.open(rule) as assembly:
        factors = [factor for teacher in assembly.teachers for factor, _ in teacher.factors]
        if all(part.batch_mode == "independent" for part in (rule, *factors)):
            alone = bench.gradients(assembly, len(found) - 1)
            for name, gradient in found[-1].items():
                apart = not np.array_equal(alone[name], gradient)
                _promise(not apart, f"{place}: the gradient of {name!r} depends on the trials before, though it is 'independent'")
        before = {name: assembly.values[name].copy() for name in assembly.parameters}
        after = _trained(bench, assembly, len(found), interrupted=True)
    with bench.open(rule) as assembly:
        again = _trained(bench, assembly, len(found), interrupted=False)
    for name, values in after.items():
        _promise(
            np.array_equal(values, again[name]),
            f"{place}: {name!r} differs between two runs of the same experiment, one with an evaluation in between",
        )
        _promise(not must_change or np.any(values != before[name]), f"{place}: training leaves {name!r} as it was")


def _trained(bench: _Bench, assembly: Assembly, iterations: int, interrupted: bool) -> Gradients:
    trainer = Trainer(assembly, bench.task, iterations)
    for _ in trainer:
        if interrupted:
            for _record in trainer.evaluate():
                pass
    return {name: assembly.values[name].copy() for name in assembly.parameters}


def _check_extend(place: str, factor: ThirdFactor, network: Network, task: Task, online: bool) -> None:
    """`extend` adds to a copy."""
    plastic = [p.target for p in network.projections.values() if p.plastic]
    targets = tuple(dict.fromkeys(name for name in plastic if not network.populations[name].readout))
    before = [dict(part) for part in (network.populations, network.projections, network.attachments)]
    factor.extend(Context(network, targets, task.objective, online))
    after = [network.populations, network.projections, network.attachments]
    _promise(before == after, f"{place}: extend() changes the network it is given; it must extend a copy()")


def _check_signals(place: str, bench: _Bench, assembly: Assembly, trials: int) -> None:
    """Each target's signal has the shape of its kind, is finite, and is ready in the last trial."""
    (teacher,) = assembly.teachers
    (factor, context), state = teacher.factors[0], teacher.states[0]
    for index in range(trials):
        record = bench.record(assembly, index)
        given = factor.signal(record, teacher.targets, state)
        for name in teacher.targets:
            _promise(name in given, f"{place}: no signal for the population {name!r}")
            signal, kind = given[name], factor.kind(context, name)
            if signal is None:
                _promise(index < trials - 1, f"{place}: the signal for {name!r} is not ready after {trials} trials")
                continue
            values = signal.values @ signal.feedback if isinstance(signal, Broadcast) else signal
            size = context.network.population(name).size
            shape = (size,) if kind.timing == "trial" else (record.steps, size)
            _promise(np.shape(values) == shape, f"{place}: the signal for {name!r} has shape {np.shape(values)}, not {shape}")
            _promise(np.all(np.isfinite(values)), f"{place}: the signal for {name!r} is not finite in trial {index}")
        for key, number in factor.report(state).items():
            _promise(isinstance(number, float), f"{place}: report() gives {number!r} for {key!r}, not a float")
