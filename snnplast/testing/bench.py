"""Where the conformance kit tries rules and third factors: a small network, a small task, signals handed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from snnplast.engine import NUMPY, EngineChoice
from snnplast.learning.rule import Rule
from snnplast.learning.signals import SignalKind, Timing
from snnplast.learning.third_factor import Context, State, ThirdFactor
from snnplast.network.connectivity import Probability
from snnplast.network.fragments import Fragment
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.network.weights import Normal, Uniform
from snnplast.random_streams import SOURCES, TRAINING, stream
from snnplast.simulation.run_trial import simulate
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Classification, Samples, Task, Trial
from snnplast.task.trial import Record
from snnplast.training.pretrain import open_simulation

Gradients = dict[str, np.ndarray]


def small_network(readout: Literal["leaky", "rate", "none"] = "leaky") -> Network:
    """12 Poisson sources -> 8 recurrent LIF neurons -> 7 LIF neurons -> 3 readouts, everything plastic.

    With readout "none" there are none, and weights lie between 0 and 1, as rules like STDP need them.
    """
    net = Network()
    net.add("input", PoissonSource(12, peak_rate="300 Hz"))
    settings = {"refractory": "2 ms", "reset": "subtract-next", "bias": 0.02, "representation": LayerNorm()}
    net.add("first", LIF(8, tau_m="20 ms", **settings))
    net.add("second", LIF(7, tau_m="15 ms", **settings))
    if readout == "none":
        bounded = {"weights": Uniform(low=0.1, high=0.9), "bounds": (0, 1), "plastic": True}
        net.connect("input", "first", **bounded)
        net.connect("first", "first", self_connections=False, **bounded)
        net.connect("first", "second", connectivity=Probability(0.7), **bounded)
        return net
    net.connect("input", "first", weights=Normal(gain=2.5), plastic=True)
    net.connect("first", "first", weights=Normal(gain=1.0), plastic=True, self_connections=False)
    net.connect("first", "second", weights=Normal(gain=4.0), connectivity=Probability(0.7), plastic=True)
    if readout == "leaky":
        net.add("output", LeakyReadout(3, tau_m="25 ms"))
        net.connect("second", "output", weights=Normal(gain=1.0), plastic=True)
    else:
        net.add("output", RateReadout(3))
        net.connect(
            "second", "output", weights=Normal(gain=1.0), plastic=True, kind="analog", variable="z", every="trial"
        )
    return net


def small_task(seed: int = 1) -> Classification:
    """24 random samples of 12 values in 3 classes, 4 of them for testing, each shown for 60 steps."""
    rng = stream(seed, "bench samples")
    x, labels = rng.random((24, 12)), rng.integers(3, size=24)
    labels[:3] = 0, 1, 2
    return Classification(x[:20], labels[:20], x[20:], labels[20:], steps=60, seed=seed)


def small_samples(seed: int = 1) -> Samples:
    """The samples of `small_task`, of which nothing is wanted."""
    x = stream(seed, "bench samples").random((24, 12))
    return Samples(x[:20], x[20:], steps=60, seed=seed)


def promise(kept: Any, sentence: str) -> None:
    """Raise `AssertionError` with a sentence unless the promise is kept."""
    if not kept:
        raise AssertionError(sentence)


class Given(ThirdFactor):
    """A signal that the task hands over as the series '<population>.<variable>'; a step signal is simulated online.

    variable: of the populations that hear it. timing: "step" or "trial". tau: of the trace's filter (s), default none.
    """

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

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray]:
        series = {name: record.series[f"{name}.{self.variable}"] for name in context.targets}
        return {name: values if self.timing == "step" else values[-1] for name, values in series.items()}


class Handing(Task):
    """Trials of another task, with series for `Given` factors added: random, times one number per factor."""

    def __init__(self, task: Task, sizes: Mapping[str, int], scales: Mapping[str, float]) -> None:
        self.task, self.sizes, self.scales = task, sizes, scales
        self.objective, self.seed = task.objective, task.seed

    def on(self, network: Network, batch: int = 1) -> Self:
        own = super().on(network, batch)
        own.task = self.task.on(network, batch)
        return own

    def trial(self, index: int) -> Trial:
        inner, rng = self.task.trial(index), stream(self.seed, "bench signals", index)
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
            except StopIteration as end:
                return end.value


class Bench:
    """Where experiments are put together the same way for every check."""

    def __init__(self, network: Network, task: Task, engine: EngineChoice = NUMPY) -> None:
        self.network, self.task, self.engine = network, task, engine

    def on(self, engine: EngineChoice) -> Bench:
        """The same on another engine."""
        return Bench(self.network, self.task, engine)

    def frozen(self, projection: str) -> Bench:
        """The same with a projection that no rule learns."""
        network = self.network.copy()
        network.projections[projection] = network.projections[projection].model_copy(update={"plastic": False})
        return Bench(network, self.task, self.engine)

    @contextmanager
    def open(self, rule: Rule) -> Iterator[Simulation]:
        """The experiment with a rule, closed afterwards."""
        simulation = open_simulation(self.network, self.task.objective, rule, 1, self.engine)
        try:
            yield simulation
        finally:
            simulation.engine.close()

    def record(self, simulation: Simulation, index: int, task: Task | None = None) -> Record:
        """Training trial `index`."""
        task = (task or self.task).on(simulation.network)
        simulation.tie()
        record = simulate(simulation, task.trial(index), index, task.seed, stream(task.seed, SOURCES, TRAINING, index))
        hidden = [name for plasticity in simulation.plasticities for name in plasticity.targets]
        silent = [name for name in hidden if name in record.spikes and not record.spikes[name][0].size]
        promise(not silent, f"trial {index}: no neuron of {', '.join(silent)} spikes; nothing can be checked")
        return record

    def gradients(self, simulation: Simulation, index: int, task: Task | None = None) -> Gradients:
        """Gradients of training trial `index`."""
        record, before = self.record(simulation, index, task), {n: v.copy() for n, v in simulation.values.items()}
        found: Gradients = {}
        for plasticity in simulation.plasticities:
            found |= plasticity.gradient(record, simulation.objective)
        for name, gradient in found.items():
            promise(name in simulation.parameters, f"a gradient of {name!r}, which parameters() does not name")
            shape = simulation.values[name].shape
            found_shape = np.shape(gradient)
            promise(found_shape == shape, f"the gradient of {name!r} has shape {found_shape}, not {shape}")
            promise(np.all(np.isfinite(gradient)), f"the gradient of {name!r} is not finite in trial {index}")
        for name, values in before.items():
            promise(np.array_equal(values, simulation.values[name]), f"gradient() changes the parameter {name!r}")
        return {name: np.array(gradient) for name, gradient in found.items()}
