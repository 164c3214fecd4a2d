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
from contextlib import closing
from dataclasses import replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from snnplast import registry
from snnplast.assemble import Assembly, assemble
from snnplast.connectivity import Probability
from snnplast.errors import UserError
from snnplast.fragments import Fragment
from snnplast.gradient import Timing
from snnplast.network import Network
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
    place = f"rule {rule.name!r}"
    bench = _Bench(network, task, engine, target)
    faces = get_args(rule.model_fields["evaluation"].annotation)
    _promise(set(faces) <= {"online", "factored"} and faces, f"{place}: evaluation must be 'online', 'factored' or both")
    given = [Given(variable=f"given_{n}", timing=t, tau=tau) for n, (t, tau) in enumerate(_kinds(timings))]
    found: dict[str, list[Gradients]] = {}
    for face in faces:
        with closing(bench.open(rule(**{**settings, "evaluation": face}))) as assembly:
            _check_declarations(f"{place}, {face}", assembly)
            found[face] = [bench.gradients(assembly, k)[1] for k in range(trials)]
        handed = {"third_factor": given[0], "regularisers": tuple(given[1:]), "evaluation": face}
        with closing(bench.open(rule(**{**settings, **handed}))) as assembly:
            _check_modulation(f"{place}, {face}", bench, assembly, given)
    _check_same(place, found)
    _check_training(place, bench, rule(**settings), trials)


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
    bench = _Bench(network, task, engine, target)
    factor, place = third_factor(**settings), f"third factor {third_factor.name!r}"
    kind = registry.load("rule", rule)
    found = {}
    for face in get_args(kind.model_fields["evaluation"].annotation):
        _check_extend(place, factor, network, task, face == "online")
        with closing(bench.open(kind(third_factor=factor, evaluation=face))) as assembly:
            found[face] = [bench.gradients(assembly, k)[1] for k in range(trials)]
        with closing(bench.open(kind(third_factor=factor, evaluation=face))) as assembly:
            _check_signals(f"{place}, {face}", bench, assembly, trials)
    _check_same(f"{place} with rule {rule!r}", found, whole=False)
    _check_training(place, bench, kind(third_factor=factor), trials, must_change=False)


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

    def open(self, rule: Rule) -> _Open:
        return _Open(assemble(self.network, self.task.objective, rule, 1, self.engine, self.target))

    def gradients(self, assembly: Assembly, index: int, task: Task | None = None) -> tuple[Record, Gradients]:
        """Record and gradients of training trial `index`."""
        task = task or self.task
        for factor, _ in _factors(assembly):
            factor.prepare(assembly.network, assembly.values, assembly.plan.wiring)
        rng = stream(task.seed, SOURCES, TRAINING, index)
        record = simulate(assembly, task.trial(index), index, task.seed, rng)
        found: Gradients = {}
        for teacher in assembly.teachers:
            found |= teacher.gradient(record, assembly.objective)
        return record, {name: np.array(gradient) for name, gradient in found.items()}
