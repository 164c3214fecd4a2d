"""Triplet STDP: trains, pairings at every frequency and the published constants, against sums over times."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import NUMPY
from snnplast.network import UniformDelay
from tests.reference.triplet_stdp import TripletOracle, pairings
from tests.rules.relays import Shown, at, learned, network

ENGINES = (NUMPY, "compiled")
SLOW = pytest.mark.slow  # each is compiled by itself
CASES = [
    pytest.param(model, pairing, delay, engine, marks=() if engine is NUMPY and pairing == "all" else SLOW)
    for model in ("minimal", "full")
    for pairing in ("all", "nearest")
    for delay in ("0 ms", UniformDelay(low="0 ms", high="3 ms"))
    for engine in ENGINES
]


@pytest.mark.parametrize(
    ("model", "pairing", "delay", "engine"), [*CASES, pytest.param("full", "nearest", "2 ms", "compiled", marks=SLOW)]
)
@pytest.mark.parametrize("preset", ["visual-cortex", "hippocampus"])
def test_trains_change_weights_as_the_sums_say(preset, model, pairing, delay, engine):
    rng = np.random.default_rng(3)
    steps, size = 1500, (4, 3)
    pre, post = (np.nonzero(rng.random((steps, n)) < 0.02) for n in size)
    first = rng.uniform(0.3, 0.7, size)
    rule = snn.TripletSTDP(preset=preset, model=model, pairing=pairing)
    net = network(*size, delay=delay, weights=first, bounds=(0, None))
    with snn.open(snn.Experiment(net, Shown(steps, pre, post), rule, epochs=1, engine=engine)) as sim:
        delays = sim._simulation.plan.wiring["input_to_relay"].delays
        sim.update()
        found = sim.weights["input_to_relay"].reshape(size)
    oracle = TripletOracle(dt=1e-4, pairing=pairing, **rule.constants)
    wanted = oracle.run(first, pre, post, steps, 0 if delays is None else delays.reshape(size))
    assert np.abs(found - first).max() > 0.1 and np.mean(found > 0) > 0.5
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("frequency", [5, 20, 50])
@pytest.mark.parametrize("delta", [-100, 100])
@pytest.mark.parametrize(
    ("model", "pairing"), [("minimal", "all"), *(pytest.param("full", p, marks=SLOW) for p in ("all", "nearest"))]
)
def test_pairings_change_a_weight_as_geometric_sums_say(frequency, delta, model, pairing):
    rule = snn.TripletSTDP(model=model, pairing=pairing)
    first = 1000 + 10_000 // frequency * np.arange(60)
    pre, post = ([(t, 0) for t in spikes] for spikes in (first, first + delta))
    task = Shown(int(first[-1]) + 1000, at(*pre), at(*post))
    found = learned(task, rule, "compiled", bounds=(0, None), weights=1.0)[0] - 1
    wanted = pairings(**rule.constants, pairing=pairing, frequency=frequency, delta=delta * 1e-4)
    assert abs(found - wanted) < 1e-12 and abs(found) > 1e-3


def test_low_frequencies_depress_and_high_ones_potentiate():
    def change(frequency, delta):
        return pairings(**snn.TripletSTDP().constants, pairing="all", frequency=frequency, delta=delta)

    assert change(10, -0.01) < -0.2 < 0.3 < change(50, -0.01)
    assert abs(change(0.1, 0.01)) < 0.05 < 0.3 < change(50, 0.01)


@pytest.mark.parametrize("preset", ["visual-cortex", "hippocampus"])
@pytest.mark.parametrize("model", ["minimal", "full"])
def test_a_constant_may_be_another(preset, model):
    rule = snn.TripletSTDP(preset=preset, model=model, a2_plus=0.25, tau_y="50 ms")
    published = snn.TripletSTDP(preset=preset, model=model).constants
    assert rule.constants == {**published, "a2_plus": 0.25, "tau_y": 0.05}


def test_a_triplet_without_its_time_is_refused():
    rule = snn.TripletSTDP(a3_minus=1e-3)
    with pytest.raises(snn.UserError, match=r"a3_minus = 0\.001: the minimal model has no tau_x; a time, such as"):
        learned(Shown(10, at(), at()), rule, NUMPY)


def test_weights_of_any_sign_are_refused():
    with pytest.raises(snn.UserError, match=r"rule 'triplet-stdp': .*its weights lie at least 0; bounds=\(0, None\)"):
        learned(Shown(10, at(), at()), snn.TripletSTDP(), NUMPY, bounds=(None, None))
