"""Readouts follow their equations: through time, or once per trial in the response step."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms
from brian_runs import raster, running

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.network.population import SpikeSource
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_network, small_task
from snnplast.training.pretrain import open_simulation

STEPS, INPUTS = 80, 6


def test_a_leaky_readout_filters_the_spikes_of_the_same_step():
    rng, net = np.random.default_rng(2), Network()
    net.add("input", SpikeSource(INPUTS))
    spikes = np.nonzero(rng.random((STEPS, INPUTS)) < 0.2)
    tau = np.array([5.0, 25.0])
    w = np.random.default_rng(0).standard_normal((INPUTS, 2))
    net.add("output", LeakyReadout(2, tau_m=tau * ms))
    net.connect("input", "output", weights=w)
    kappa, y, expected = np.exp(-1 / tau), np.zeros(2), np.zeros((STEPS, 2))
    for t, x in enumerate(raster(spikes, STEPS, INPUTS)):
        expected[t] = y = kappa * y + (1 - kappa) * (x @ w)
    with running(net, ["output.y"]) as engine:
        engine.set_spikes("input", *spikes)
        engine.steps(STEPS)
        np.testing.assert_allclose(engine.history["output.y"], expected, rtol=1e-10, atol=1e-13)


def test_a_leaky_readout_with_a_rise_filters_twice():
    rng, net, rise, tau = np.random.default_rng(2), Network(), 7.0, np.array([5.0, 25.0])
    net.add("input", SpikeSource(INPUTS))
    spikes = np.nonzero(rng.random((STEPS, INPUTS)) < 0.2)
    w = rng.standard_normal((INPUTS, 2))
    net.add("output", LeakyReadout(2, tau_m=tau * ms, tau_rise=rise * ms))
    net.connect("input", "output", weights=w)
    rho, kappa, r, y, expected = np.exp(-1 / rise), np.exp(-1 / tau), np.zeros(2), np.zeros(2), np.zeros((STEPS, 2))
    for t, x in enumerate(raster(spikes, STEPS, INPUTS)):
        r = rho * r + (1 - rho) * (x @ w)
        expected[t] = y = kappa * y + (1 - kappa) * r
    with running(net, ["output.y"]) as engine:
        engine.set_spikes("input", *spikes)
        engine.steps(STEPS)
        np.testing.assert_allclose(engine.history["output.y"], expected, rtol=1e-10, atol=1e-13)


def test_a_rate_readout_weighs_the_layers_representation_once_per_trial():
    task = small_task()
    simulation = open_simulation(small_network("rate"), task.objective, IBHebbian(), 1, NUMPY)
    simulation.values["output.bias"][:] = [0.5, -1.0, 2.0]
    record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
    z = record.representation("second")
    counts = np.bincount(record.spikes["second"][1], minlength=7)
    rates = counts / 0.060
    assert counts.any()
    np.testing.assert_allclose(z, (rates - rates.mean()) / np.sqrt(rates.var() + 1), rtol=1e-12)
    weights = simulation.values["second_to_output"].reshape(7, 3)
    np.testing.assert_allclose(record.during("response").ends["output.y"], z @ weights + [0.5, -1.0, 2.0], rtol=1e-10)
    assert record.steps == 60 and record.activity("output").shape == record.judgement.error.shape == (1, 3)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: LeakyReadout(2, tau_m="2 Hz"), "LeakyReadout.tau_m: '2 Hz' has the unit 'Hz': a time is needed"),
        (lambda: RateReadout(3, tau_m="20 ms"), "RateReadout.tau_m: unknown key"),
        (
            lambda: LeakyReadout(2, tau_m="0 ms"),
            "LeakyReadout.tau_m: '0 ms' is out of range: greater than 0",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
