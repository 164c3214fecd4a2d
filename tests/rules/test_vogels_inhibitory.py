"""Inhibitory plasticity: both ways to write inhibition, against sums over pairs; the rate that it settles at."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import NUMPY
from snnplast.network import UniformDelay
from tests.reference.vogels_inhibitory import magnitudes
from tests.rules.relays import Shown, at, learned, network

ENGINES = (NUMPY, "compiled")
WAYS = {"positive": (1, (0.0, 1.0)), "negative": (-1, (-1.0, 0.0))}


CASES = [
    pytest.param(way, delay, engine, marks=pytest.mark.slow if engine == "compiled" else ())
    for way in WAYS
    for delay in ("0 ms", "2 ms", UniformDelay(low="0 ms", high="3 ms"))
    for engine in ENGINES
]


@pytest.mark.parametrize(("way", "delay", "engine"), CASES)
def test_trains_change_weights_as_the_sums_say(way, delay, engine):
    rng = np.random.default_rng(3)
    steps, size = 900, (6, 4)
    pre, post = (np.nonzero(rng.random((steps, n)) < p) for n, p in zip(size, (0.02, 0.006), strict=True))
    sign, bounds = WAYS[way]
    first = rng.uniform(0.1, 0.9, size)
    rule = snn.VogelsInhibitory(eta=0.03, rho_0="60 Hz", tau="15 ms")
    net = network(*size, delay=delay, weights=sign * first, bounds=bounds)
    with snn.open(snn.Experiment(net, Shown(steps, pre, post), rule, epochs=1, engine=engine)) as sim:
        delays = sim._simulation.plan.wiring["input_to_relay"].delays
        sim.update()
        found = sim.weights["input_to_relay"].reshape(size)
    delays = 0 if delays is None else delays.reshape(size)
    wanted = magnitudes(first, pre, post, steps, delays, 1e-4, eta=0.03, rho_0=60, tau=0.015, largest=1.0)
    assert np.any(wanted > first + 0.05) and np.any(wanted < first - 0.05)
    np.testing.assert_allclose(found, sign * wanted, rtol=0, atol=1e-12)


def test_bounds_on_both_sides_of_0_are_refused():
    with pytest.raises(snn.UserError, match=r"bounds = \(None, None\): its weights lie on both sides of 0; sign='inhi"):
        learned(Shown(10, at(), at()), snn.VogelsInhibitory(), NUMPY, bounds=(None, None))


class Constant(snn.Task):
    epoch = 1

    def trial(self, index):
        yield snn.Segment(40_000, {"excitation": [1.0] * 40, "inhibition": [1.0] * 10})


@pytest.mark.parametrize("target", ["8 Hz", "20 Hz"])
def test_neurons_settle_at_the_target_rate(target):
    net = snn.Network(dt="1 ms")
    net.add("excitation", snn.PoissonSource(40, peak_rate="20 Hz"))
    net.add("inhibition", snn.PoissonSource(10, peak_rate="20 Hz"))
    net.add("hidden", snn.LIF(8, reset=0.0))
    net.connect("excitation", "hidden", weights=0.12)
    net.connect("inhibition", "hidden", weights=0.0, sign="inhibitory", plastic=True)
    rule = snn.VogelsInhibitory(eta=0.01, rho_0=target)
    with snn.open(snn.Experiment(net, Constant(), rule, epochs=1, engine="compiled")) as sim:
        steps, _ = sim.update().trials[0].spikes["hidden"]
    early, late = ((steps < 1000).sum() / 8, (steps >= 20_000).sum() / 8 / 20)
    wanted = float(target.split()[0])
    assert early > 25 and abs(late / wanted - 1) < 0.4  # it settles above, as benchmarks/README.md says
