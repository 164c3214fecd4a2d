"""Neurons do what their docstrings' equations say, step by step, and wrong values are named."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms
from brian_runs import raster, running

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Update
from snnplast.network.network import Network
from snnplast.network.neurons import ALIF, LIF
from snnplast.network.population import PoissonSource, SpikeSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation

STEPS, INPUTS, N = 80, 6, 4
TAU = np.array([20.0, 12.0, 30.0, 7.0])  # ms, one per neuron
THETA = np.array([1.0, 0.8, 1.2, 0.6])
REFRACTORY = np.array([0, 1, 3, 5])  # steps
BIAS = np.array([0.1, 0.0, -0.05, 0.02])


def driven():
    """Input spikes, a network with a source, and weights that make neurons of these constants spike."""
    rng = np.random.default_rng(2)
    spikes, net = np.nonzero(rng.random((STEPS, INPUTS)) < 0.2), Network()
    net.add("input", SpikeSource(INPUTS))
    return spikes, net, rng.normal(0.25, 0.6, (INPUTS, N))


def lif(x, w, reset, floor, normalise, beta=0.0, tau_adapt=1.0):
    """Membranes at the end of each step, spikes and adaptations, (STEPS, N) each: the docstring in numpy."""
    alpha, rho = np.exp(-1 / TAU), np.exp(-1 / tau_adapt)
    gain = 1 - alpha if normalise else 1.0
    v, a, z, rest = np.zeros(N), np.zeros(N), np.zeros(N), np.zeros(N, int)
    membranes, spikes, adaptations = (np.zeros((STEPS, N)) for _ in range(3))
    for t in range(STEPS):
        rest = np.maximum(rest - 1, 0)
        a = rho * a + z
        v = alpha * v + gain * (x[t] @ w) - (THETA * z if reset == "subtract-next" else 0)
        v = np.maximum(v + BIAS, -np.inf if floor is None else floor)
        z = (v >= THETA + beta * a) & (rest == 0)
        rest = np.where(z, REFRACTORY, rest)
        if reset == "subtract":
            v = v - THETA * z
        elif reset != "subtract-next":
            v = np.where(z, reset, v)
        membranes[t], spikes[t], adaptations[t] = v, z, a
    return membranes, spikes, adaptations


@pytest.mark.parametrize(
    "reset, floor, normalise", [("subtract", -0.1, False), ("subtract-next", None, True), (-0.2, None, False)]
)
def test_lif_neurons_follow_their_equations_with_constants_of_their_own(reset, floor, normalise):
    spikes, net, w = driven()
    w = w * 12 if normalise else w
    settings = {"reset": reset, "v_min": floor, "normalise_input": normalise, "bias": BIAS}
    net.add("hidden", LIF(N, tau_m=TAU * ms, v_threshold=THETA, refractory=REFRACTORY * ms, **settings))
    net.connect("input", "hidden", weights=w)
    expected, fired, _ = lif(raster(spikes, STEPS, INPUTS), w, reset, floor, normalise)
    with running(net, ["hidden.v"]) as engine:
        engine.set_spikes("input", *spikes)
        engine.steps(STEPS)
        assert fired.sum(axis=0).min() > 2
        assert np.array_equal(raster(engine.spikes("hidden"), STEPS, N), fired)
        found = engine.history["hidden.v"]
        if reset == "subtract-next":  # the loss of the coming step is already in v
            found = found + fired * THETA * np.exp(1 / TAU)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    if floor is not None:
        assert np.any(expected == floor)


def test_alif_neurons_raise_their_threshold_after_every_spike():
    spikes, net, w = driven()
    beta, tau = np.array([0.0, 0.1, 0.5, 0.3]), np.array([100.0, 100.0, 30.0, 10.0])
    settings = {"tau_m": TAU * ms, "v_threshold": THETA, "refractory": REFRACTORY * ms, "reset": "subtract-next"}
    net.add("hidden", ALIF(N, beta=beta, tau_adapt=tau * ms, bias=BIAS, **settings))
    net.connect("input", "hidden", weights=w)
    _, fired, expected = lif(raster(spikes, STEPS, INPUTS), w, "subtract-next", None, False, beta, tau)
    _, plain, _ = lif(raster(spikes, STEPS, INPUTS), w, "subtract-next", None, False)
    assert np.array_equal(fired[:, 0], plain[:, 0]) and np.any(fired[:, 1:] != plain[:, 1:])
    with running(net, ["hidden.a"]) as engine:
        engine.set_spikes("input", *spikes)
        engine.steps(STEPS)
        assert np.array_equal(raster(engine.spikes("hidden"), STEPS, N), fired)
        found = engine.history["hidden.a"] - fired * np.exp(1 / tau)  # the rise of the coming step is already in a
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


OWN = """
    dv/dt = -v/tau : 1
    tau : second (constant, shared)
    theta : 1 (constant)
"""


def own_neurons(**settings):
    code = {"equations": OWN, "threshold": "v >= theta", "reset": "v = v - theta"}
    facts = {"distance": "v - theta", "threshold_scale": "theta", "refractory": "2 ms"}
    constants = {"tau": 15 * ms, "theta": np.full(5, 0.7)}
    return CustomNeurons(5, **{**code, **facts, "constants": constants, **settings})


@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_equations_of_your_own_learn_like_the_built_in_neurons_they_repeat(evaluation):
    found = []
    built_in = LIF(5, tau_m="15 ms", v_threshold=np.full(5, 0.7), refractory="2 ms")
    for population in (own_neurons(), built_in):
        net = Network()
        net.add("input", PoissonSource(12, peak_rate="300 Hz"))
        net.add("hidden", population)
        net.add("output", LeakyReadout(3))
        net.connect("input", "hidden", plastic=True)
        net.connect("hidden", "output", plastic=True)
        task = small_task()
        simulation = open_simulation(net, task.objective, EProp(evaluation=evaluation), 1, NUMPY)
        record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
        assert record.counts("hidden").sum() > 5
        (plasticity,) = simulation.plasticities
        found.append(plasticity.gradient(record, task.objective)["input_to_hidden"].copy())
    assert np.any(found[0])
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-12 * np.abs(found[1]).max())


def with_hidden(population):
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", population)
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", plastic=True)
    net.connect("hidden", "output", plastic=True)
    return net


@pytest.mark.parametrize(
    "changed, sentence",
    [
        (
            {"equations": OWN + "dx/dt = -v : 1"},
            "network.hidden: Brian2 refuses its code, with method = 'exact': .*does not have the expected unit hertz",
        ),
        (
            {"equations": OWN + "u : 1", "updates": (Update("u = u + 1*mV"),)},
            "network.hidden: Brian2 refuses 'u = u [+] 1[*]mV': .*units",
        ),
    ],
)
def test_what_does_not_fit_in_your_code_is_one_sentence(changed, sentence):
    net = with_hidden(own_neurons(**changed))
    with pytest.raises(UserError, match=sentence) as caught:
        open_simulation(net, small_task().objective, EProp(), 1, NUMPY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: LIF(3, refractory="-1 ms"), "LIF.refractory: '-1 ms' is out of range: at least 0 is allowed"),
        (lambda: LIF(3, v_threshold=0), "LIF.v_threshold: 0 is out of range: greater than 0 is allowed"),
        (lambda: LIF(3, v_threshold=None), "LIF.v_threshold: numbers are needed"),
        (
            lambda: LIF(3, v_threshold=np.ones((3, 1))),
            "v_threshold has shape (3, 1); allowed is a number or shape (3,)",
        ),
        (lambda: LIF(3, bias=np.nan), "LIF.bias: finite numbers are needed"),
        (lambda: LIF(3, bias="high"), "LIF.bias"),
        (lambda: LIF(3, reset="hard"), "LIF.reset = 'hard': "),
        (lambda: LIF(3, v_treshold=1), "LIF.v_treshold: unknown key; did you mean 'v_threshold'?"),
        (lambda: ALIF(3, beta=-0.1), "ALIF.beta"),
        (lambda: ALIF(3, tau_adapt="0 ms"), "ALIF.tau_adapt: '0 ms' is out of range: greater than 0 is allowed"),
        (
            lambda: own_neurons(equations=OWN.replace("-v/tau", "-v/tua")),
            "CustomNeurons.equations: 'dv/dt = -v/tua : 1': unknown name 'tua': did you mean 'tau'? Known:",
        ),
        (
            lambda: own_neurons(threshold="v >= thta"),
            "CustomNeurons.threshold: 'v >= thta': unknown name 'thta': did you mean 'theta'?",
        ),
        (lambda: own_neurons(reset="v -= theta\nu = 3"), "CustomNeurons.reset: 'u = 3': nothing reads 'u'; unknown"),
        (lambda: own_neurons(distance="v - (theta"), "distance: 'v - (theta' is not in Brian2's language: '(' was"),
        (lambda: own_neurons(equations=OWN + "x : banana"), "equations: 'banana' is no unit of an equation"),
        (lambda: own_neurons(equations=OWN + "new : 1"), "equations: 'new' is a word of C++"),
        (
            lambda: own_neurons(equations=OWN + "dv2/dt = -v2/tau + xi*tau**-0.5 : 1"),
            "method: 'exact': equations with noise are integr",
        ),
        (lambda: own_neurons(updates=(Update("v = v + 0.1*randn()"),)), "updates: 'v = v + 0.1*randn()' draws random"),
        (lambda: own_neurons(updates=(Update("theta = 2"),)), "'theta = 2' writes 'theta', which is not to be changed"),
        (lambda: own_neurons(constants={"tau": 15 * ms}), "'theta' is declared to be constant; constants={'theta'"),
        (lambda: own_neurons(constants={"tau": 15, "theta": 1}), "constants['tau']: 15 has no unit: a time is needed"),
        (lambda: own_neurons(constants={"tau": 15 * ms, "theta": [1, 2]}), "constants['theta'] has shape (2,)"),
        (lambda: own_neurons(constants={"tau": 15 * ms, "theta": 1, "v": 2}), "constants['v']: the equations declare"),
        (lambda: own_neurons(method="eluer"), "CustomNeurons.method: unknown method 'eluer': did you mean 'euler'"),
        (lambda: own_neurons(into="ge"), "CustomNeurons.into: 'ge' is not declared by the equations"),
        (lambda: own_neurons(refractory="v > thta"), "CustomNeurons.refractory: 'v > thta': unknown name 'thta'"),
        (lambda: own_neurons(threshold_scale="-theta"), "threshold_scale: a trial begins -0.7 below the threshold"),
        (lambda: own_neurons(initial={"v": "1*mV"}), "initial['v'] = '1*mV' is in volt; it must be a number"),
        (lambda: own_neurons(through=("x",)), "CustomNeurons.through: 'x' is not declared by the equations"),
        (lambda: own_neurons(learnable=("thet",)), "CustomNeurons.learnable: unknown constant 'thet'"),
        (lambda: own_neurons(refractory="-1 ms"), "CustomNeurons.refractory: '-1 ms' is out of range: at least 0"),
        (
            lambda: own_neurons(constants={"tau": "15 mss", "theta": 1}),
            "constants['tau']: '15 mss' has the unknown unit",
        ),
        (
            lambda: own_neurons(equations=OWN + "du/dt = -u/tau + xi*tau**-0.5 : 1\nnoise_xi : 1", method="euler"),
            "'noise_xi' is what the noise is called here; another name is needed",
        ),
        (lambda: own_neurons(persistent=("u",)), "CustomNeurons.persistent: 'u' is not declared by the equations"),
        (lambda: own_neurons(equation="x : 1"), "CustomNeurons.equation: unknown key; did you mean 'equations'?"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
