"""STDP: the window, the pairing, the bounds and the gate, against an independent transcription; on both engines."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import NUMPY
from snnplast.network import UniformDelay
from tests.reference.stdp import STDPOracle
from tests.rules.relays import Shown, at, learned, network

ENGINES = (NUMPY, "compiled")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("delta", [-500, -200, -1, 0, 1, 37, 500])
def test_the_window_is_the_analytic_curve(engine, delta):
    rule = snn.STDP(a_plus=0.01, a_minus=0.012, tau_plus="17 ms", tau_minus="34 ms")
    task = Shown(1200, at((600, 0)), at((600 + delta, 0)))
    changed = learned(task, rule, engine)[0] - 0.5
    time = delta * 1e-4
    wanted = 0.01 * np.exp(-time / 0.017) if delta >= 0 else -0.012 * np.exp(time / 0.034)
    assert abs(changed - wanted) < 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_a_weight_sees_a_spike_when_it_arrives(engine):
    rule = snn.STDP(a_plus=0.01)
    changed = learned(Shown(1200, at((600, 0)), at((640, 0))), rule, engine, delay="3 ms")[0] - 0.5
    assert abs(changed - 0.01 * np.exp(-1e-3 / 0.02)) < 1e-12


RULES = {
    "additive": {"dependence": "additive"},
    "multiplicative": {"dependence": "multiplicative", "mu": 1.0},
    "guetig": {"dependence": "multiplicative", "mu": 0.3},
    "power-law": {"dependence": "power-law", "mu": 0.4, "w_0": 0.7},
}


SLOW = pytest.mark.slow  # each is compiled by itself
CASES = [
    pytest.param(dependence, pairing, delay, engine, marks=() if engine is NUMPY and pairing == "all" else SLOW)
    for dependence in RULES
    for pairing in ("all", "nearest")
    for delay in ("0 ms", UniformDelay(low="0 ms", high="3 ms"))
    for engine in ENGINES
]


@pytest.mark.parametrize(
    ("dependence", "pairing", "delay", "engine"),
    [*CASES, pytest.param("additive", "nearest", "2 ms", "compiled", marks=SLOW)],
)
def test_trains_change_weights_as_the_transcription_says(dependence, pairing, delay, engine):
    rng = np.random.default_rng(3)
    steps, size = 800, (6, 4)
    pre, post = (np.nonzero(rng.random((steps, n)) < 0.02) for n in size)
    first = rng.uniform(0.1, 0.9, size)
    settings = {"a_plus": 0.05, "a_minus": 0.06, "tau_plus": "15 ms", "tau_minus": "25 ms", "pairing": pairing}
    rule = snn.STDP(**settings, **RULES[dependence])
    net = network(*size, delay=delay, weights=first)
    with snn.open(snn.Experiment(net, Shown(steps, pre, post), rule, epochs=1, engine=engine)) as sim:
        delays = sim._simulation.plan.wiring["input_to_relay"].delays
        sim.update()
        found = sim.weights["input_to_relay"].reshape(size)
    oracle = STDPOracle(dt=1e-4, a_plus=0.05, a_minus=0.06, tau_plus=0.015, tau_minus=0.025, pairing=pairing,
                        **RULES[dependence])  # fmt: skip
    wanted = oracle.run(first, pre, post, steps, 0 if delays is None else delays.reshape(size))
    assert not np.allclose(found, first)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_stay_within_bounds(engine):
    rng = np.random.default_rng(1)
    pre, post = (np.nonzero(rng.random((1000, n)) < 0.1) for n in (20, 5))
    found = learned(Shown(1000, pre, post), snn.STDP(a_plus=0.4, a_minus=0.5), engine, pre=20, post=5)
    assert found.min() == 0 and found.max() == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_learned_where_nothing_may_be(engine):
    spikes = at((100, 0), (300, 0)), at((110, 0), (280, 0))
    experiment = snn.Experiment(network(), Shown(500, *spikes, trials=2), snn.STDP(), epochs=1, engine=engine)
    with snn.open(experiment) as sim:
        first = sim.weights["input_to_relay"].copy()
        sim.evaluate()
        sim.test(0)
        assert np.array_equal(sim.weights["input_to_relay"], first)
        sim.update()
        assert not np.array_equal(sim.weights["input_to_relay"], first)


def test_frozen_projections_stay_as_they_are():
    net = network()
    net.connect("input", "relay", name="frozen", into="plastic_input", weights=0.5)
    task = Shown(500, at((100, 0)), at((110, 0)))
    with snn.open(snn.Experiment(net, task, snn.STDP(), epochs=1, engine=NUMPY)) as sim:
        sim.update()
        assert sim.weights["frozen"][0] == 0.5 != sim.weights["input_to_relay"][0]


@pytest.mark.parametrize(
    ("bounds", "rule", "said"),
    [
        ((None, None), snn.STDP(), r"network.input_to_relay.bounds = \(None, None\): its weights lie between 0 and an"),
        ((-1.0, 1.0), snn.STDP(), r"bounds = \(-1.0, 1.0\): its weights lie between 0 and an upper bound"),
        ((None, 1.0), snn.STDP(dependence="power-law"), r"its weights lie at least 0; bounds=\(0, None\)"),
    ],
)
def test_other_bounds_are_refused(bounds, rule, said):
    with pytest.raises(snn.UserError, match=said):
        snn.open(snn.Experiment(network(bounds=bounds), Shown(10, at(), at()), rule, epochs=1, engine=NUMPY))
