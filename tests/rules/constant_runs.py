"""Neurons with learnable constants, and what one trial says of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from brian2 import ms, ohm, second, volt

from snnplast.engine import NUMPY, EngineChoice
from snnplast.learning.surrogate import Surrogate
from snnplast.network import slots
from snnplast.network.adex import AdEx
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Fragment, Update
from snnplast.network.network import Network
from snnplast.network.neurons import ALIF, LIF, SpikingPopulation
from snnplast.network.population import PoissonSource, SpikeSource
from snnplast.network.readouts import LeakyReadout
from snnplast.network.weights import Normal, Uniform
from snnplast.random_streams import TRAINING
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.task.trial import Segment
from snnplast.testing import small_task
from snnplast.testing.bench import Given
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

N = 5
CUBA = "dv/dt = (ge - gi - v)/tau : 1\ndge/dt = -ge/te : 1\ndgi/dt = -gi/ti : 1"
ADEX = """
dv/dt = (gL*(El - v) + gL*DT*exp((v - VT)/DT) - wad + ge - gi)/Cm : 1
dwad/dt = (aw*(v - El) - wad)/tw : 1
dge/dt = -ge/te : 1
dgi/dt = -gi/ti : 1
"""
TIMES = {"te": 5 * ms, "ti": 10 * ms}
OF_CUBA = {"tau": 20 * ms, **TIMES, "theta": 1.0}
OF_ADEX = {
    "gL": 1.0, "DT": 0.2, "VT": 1.0, "El": 0.02, "Cm": 20 * ms, "aw": 0.1, "tw": 100 * ms, "Vr": 0.05, "bw": 0.3,
    "Vc": 1.3, **TIMES,
}  # fmt: skip
VOLTS = """
dv/dt = (R*i_syn - v)/tau : volt (unless refractory)
di_syn/dt = -i_syn/te : amp
tau : second (constant)
te : second (constant)
R : ohm (constant)
Vt : volt (constant)
Vr : volt (constant)
"""


def cuba(n: int = N, **fields: Any) -> CustomNeurons:
    fields = {"threshold": "v >= theta", "reset": "v = v - theta", "initial": {"v": 0.1}, **fields}
    return CustomNeurons(n, equations=CUBA, into="ge", **{"constants": OF_CUBA, **fields})


def adex(n: int = N, **fields: Any) -> CustomNeurons:
    fields = {"threshold": "v >= Vc", "reset": "v = Vr\nwad += bw", "initial": {"wad": 0.05}, **fields}
    return CustomNeurons(n, equations=ADEX, method="euler", into="ge", **{"constants": OF_ADEX, **fields})


SPIKING: dict[str, tuple[Callable[..., SpikingPopulation], tuple[str, ...]]] = {
    "lif": (lambda **f: LIF(N, bias=0.01, **f), ("tau_m", "v_threshold", "bias")),
    "lif with its reset a step later": (
        lambda **f: LIF(N, bias=0.01, reset="subtract-next", refractory="3 ms", v_min=-0.2, **f),
        ("tau_m", "v_threshold", "bias"),
    ),
    "lif with a hard reset": (lambda **f: LIF(N, reset=0.05, **f), ("tau_m", "v_threshold", "v_reset")),
    "alif": (
        lambda **f: ALIF(N, beta=0.2, bias=0.01, tau_adapt="100 ms", **f),
        ("tau_m", "v_threshold", "bias", "beta", "tau_adapt"),
    ),
    "cuba": (cuba, (*OF_CUBA, "v")),
    "adex": (lambda **f: adex(refractory="2 ms", **f), (*OF_ADEX, "wad")),
    "adex off the shelf": (
        lambda **f: AdEx(N, refractory="2 ms", method="exponential_euler", **f),
        ("C", "g_L", "E_L", "V_T", "Delta_T", "tau_w", "a", "b", "V_r", "tau_e", "tau_i", "v"),
    ),
}
"""Neurons that spike, and all that is learnable of them."""


def network(neurons: SpikingPopulation, plastic: bool = True) -> Network:
    """Poisson sources -> neurons, recurrent -> three readouts."""
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", neurons)
    net.add("output", LeakyReadout(3))
    own, scale = neurons.input_variable_name == "ge", 1.0 if neurons.distance_unit == "1" else 500.0  # pA
    net.connect("input", "hidden", plastic=plastic, weights=Uniform(low=0, high=scale * (2.0 if own else 1.2)))
    if own:
        net.connect(
            "input", "hidden", plastic=plastic, weights=Uniform(low=0, high=0.4 * scale), into="gi", name="inhibition"
        )
    weights = Normal(gain=0.3) if scale == 1 else Uniform(low=0, high=100.0)
    net.connect("hidden", "hidden", plastic=plastic, weights=weights)
    net.connect("hidden", "output", plastic=True)
    return net


def gradients(neurons: SpikingPopulation, rule: EProp, engine: EngineChoice = NUMPY) -> dict[str, np.ndarray]:
    """Of one trial, by parameter; the neurons have spiked in it."""
    task = small_task()
    simulation = open_simulation(network(neurons), task.objective, rule, 1, engine)
    try:
        record = Trainer(simulation, task, 1).run(TRAINING, 0)
        assert record.counts("hidden").sum() > N
        (plasticity,) = simulation.plasticities
        found = plasticity.gradient(record, simulation.objective)
        return {name: gradient.copy() for name, gradient in found.items()}
    finally:
        simulation.engine.close()


class Constant(Surrogate):
    """psi = 1, whatever the membrane."""

    name: ClassVar[str] = "constant"

    def expression(self, distance: str, scale: str, unit: str = "1") -> str:
        return "1" if unit == "1" else f"1/{unit}"


class Unmoved(ALIF):
    """No trace of its adaptation through the surrogate derivative: psi = 1 leaves spikes where they are."""

    @property
    def through(self):
        return ()


STEPS, STEP = 80, 1e-6


def slopes(
    make: Callable[..., SpikingPopulation], values: dict[str, float], into: tuple[str, ...], evaluation: str
) -> tuple[dict[str, tuple[float, float]], int]:
    """{constant: derivative of sum_t L^t distance^t by the rule, by central differences}, and the number of spikes.

    psi = 1 but while a neuron is refractory, when its distance does not count, and spikes stay where they are. One
    population holds a pair of neurons for each constant, which differ in that constant alone.
    make: of n neurons from constants (n,). values: constant -> its value, in SI units.
    """
    rng, n = np.random.default_rng(3), 1 + 2 * len(values)
    moved = {name: np.full(n, value) for name, value in values.items()}
    steps = {name: STEP * (abs(value) or 1.0) for name, value in values.items()}
    for k, (name, step) in enumerate(steps.items()):
        moved[name][1 + 2 * k : 3 + 2 * k] += step, -step
    signal, neurons, net, spikes = rng.standard_normal(STEPS), make(n, moved), Network(), {}
    net.add("hidden", neurons)
    seen = Update(f"seen = ({neurons.distance})*{neurons.active or 1}", *slots.SURROGATE)
    net.attach("hidden", Fragment((f"seen : {neurons.distance_unit}",), updates=(seen,)))
    for variable in into:
        net.add(f"to_{variable}", SpikeSource(3))
        weights = np.repeat(rng.uniform(0.3, 0.8, (3, 1)), n, axis=1) * {"ge": 2.5, "gi": 0.1}.get(variable, 1.0)
        unit = None if neurons.distance_unit == "1" else "namp"
        net.connect(f"to_{variable}", "hidden", into=variable, weights=weights, unit=unit, plastic=True)
        spikes[f"to_{variable}"] = np.nonzero(rng.random((STEPS, 3)) < 0.15)
    taught = Given(variable="given", timing="step")
    rule = EProp(evaluation=evaluation, third_factor=taught, surrogate=Constant())
    simulation = open_simulation(net, None, rule, 1, NUMPY, recorded=("hidden.seen",))
    try:
        segment = Segment(STEPS, spikes, {"hidden.given": np.repeat(signal[:, None], n, axis=1)})
        record = simulate(simulation, (s for s in [segment]), 0, 0, np.random.default_rng(0))
        by_rule = simulation.plasticities[0].gradient(record, None)
        total = signal @ record.history["hidden.seen"]
        raster = np.zeros((STEPS, n))
        raster[record.spikes["hidden"]] = 1
    finally:
        simulation.engine.close()
    assert not np.any(np.ptp(raster, axis=1))
    pairs = {}
    for k, (name, step) in enumerate(steps.items()):
        own = f"hidden.{name}" if f"hidden.{name}" in by_rule else f"hidden.initial_{name}"
        pairs[name] = float(by_rule[own][0]), float((total[1 + 2 * k] - total[2 + 2 * k]) / (2 * step))
    return pairs, int(raster[:, 0].sum())


def _si(constants: dict[str, Any]) -> dict[str, float]:
    """Values in SI units."""
    return {name: float(np.asarray(value)) for name, value in constants.items()}


def _lif(n: int, moved: dict[str, np.ndarray], reset: Any = "subtract", **fields: Any) -> LIF:
    kept = {name: value for name, value in moved.items() if name not in ("tau_m", "tau_adapt", "v_reset")}
    times = {name: moved[name] * second for name in ("tau_m", "tau_adapt") if name in moved}
    kind = Unmoved if "beta" in moved else LIF
    return kind(n, reset=reset, learnable=tuple(moved), **kept, **times, **fields)


def _own(make: Callable[..., CustomNeurons], units: dict[str, Any], start: str, **fields: Any) -> Any:
    """A maker of neurons of one's own; the first value of the variable `start` is learned, too."""

    def neurons(n: int, moved: dict[str, np.ndarray]) -> CustomNeurons:
        constants = {name: value * units.get(name, 1) for name, value in moved.items() if name != start}
        initial = {start: moved[start] * units.get(start, 1)}
        return make(n, constants=constants, initial=initial, learnable=tuple(moved), through=(), **fields)

    return neurons


def _volts(n: int, **fields: Any) -> CustomNeurons:
    return CustomNeurons(n, equations=VOLTS, threshold="v > Vt", reset="v = Vr", into="i_syn", **fields)


IN_SECONDS = dict.fromkeys(("tau", "te", "ti", "Cm", "tw"), second)
IN_VOLTS = {"tau": second, "te": second, "R": ohm, "Vt": volt, "Vr": volt, "v": volt}
PLAIN = {"tau_m": 0.02, "v_threshold": 1.0, "bias": 0.02}
SLOPES: dict[str, tuple[Callable[..., SpikingPopulation], dict[str, float], tuple[str, ...]]] = {
    "lif": (_lif, PLAIN, ("v",)),
    "lif with its reset a step later and a floor": (
        functools.partial(_lif, reset="subtract-next", v_min=-0.1, refractory="2 ms"), PLAIN, ("v",),
    ),
    "alif": (_lif, {**PLAIN, "beta": 0.1, "tau_adapt": 0.1}, ("v",)),
    "cuba": (_own(cuba, IN_SECONDS, "v"), {**_si(OF_CUBA), "v": 0.1}, ("ge", "gi")),
    "cuba rk4": (_own(cuba, IN_SECONDS, "v", method="rk4"), {**_si(OF_CUBA), "v": 0.1}, ("ge", "gi")),
    "adex": (
        _own(adex, IN_SECONDS, "wad", refractory="2 ms"), {**_si(OF_ADEX), "wad": 0.05}, ("ge", "gi"),
    ),
    "in volt": (
        _own(_volts, IN_VOLTS, "v", refractory="3 ms", method="exponential_euler"),
        {"tau": 0.02, "te": 0.005, "R": 1e8, "Vt": 0.03, "Vr": 0.002, "v": 0.001},
        ("i_syn",),
    ),
}  # fmt: skip
"""Makers of neurons, the values of their constants, and the variables that spikes add to."""
