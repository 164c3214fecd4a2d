"""Populations: quantities in, one value or one per neuron, and every wrong value named."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from brian_runs import running

from snnplast.errors import UserError
from snnplast.network.fragments import Update
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.own_equations import Analog
from snnplast.network.population import LayerNorm, PoissonSource


def test_times_are_quantities_texts_or_one_per_neuron():
    for tau in (20 * ms, "20 ms", "0.02 second"):
        assert LIF(3, tau_m=tau).tau_m == 0.02
    for tau in ([20, 10] * ms, ["20 ms", "10 ms"], (20 * ms, 10 * ms)):
        assert LIF(2, tau_m=tau).tau_m.tolist() == [0.02, 0.01]
    assert PoissonSource(1, peak_rate=50 * Hz).peak_rate == 50
    assert LIF(3, bias=[0, 1, 2]).bias.tolist() == [0, 1, 2]


def test_layer_norm_subtracts_the_mean_and_divides_by_the_regularised_deviation():
    rates = np.array([0.0, 10.0, 20.0, 50.0])
    z = LayerNorm(offset=4.0)(rates)
    np.testing.assert_allclose(z, (rates - 20.0) / np.sqrt(350.0 + 4.0), rtol=1e-12)
    assert np.all(np.isfinite(LayerNorm()(np.zeros(3))))


def test_analog_units_run_their_updates_in_their_slot():
    net = Network()
    net.add("units", Analog(2, equations="x : 1\ndrive : 1", updates=(Update("x = x + 2", "end"),), persistent=("x",)))
    with running(net, ["units.x"]) as engine:
        engine.steps(3)
        assert engine["units.x"].tolist() == [6.0, 6.0]
        engine.reset()
        assert engine["units.x"].tolist() == [6.0, 6.0], "persistent state outlives a reset"


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: LIF(0), "LIF.size = 0: input should be greater than or equal to 1"),
        (lambda: LIF(2.5), "LIF.size = 2.5: "),
        (lambda: LIF(3, tau_m=20), "LIF.tau_m: 20 has no unit: a time is needed, write '20 ms' if ms is meant"),
        (lambda: LIF(3, tau_m="-20 ms"), "LIF.tau_m: '-20 ms' is out of range: greater than 0 is allowed"),
        (lambda: LIF(3, tau_m=0 * ms), "LIF.tau_m"),
        (lambda: LIF(3, tau_m="20 mV"), "LIF.tau_m: '20 mV' has the unit 'mV': a time is needed"),
        (lambda: LIF(3, tau_m=20 * mV), "a time is needed"),
        (lambda: LIF(3, tau_m="20 mms"), "LIF.tau_m: '20 mms' has the unknown unit 'mms': did you mean 'ms'?"),
        (lambda: LIF(3, tau_m=[20, 10] * ms), "tau_m has shape (2,); allowed is a number or shape (3,)"),
        (lambda: LIF(3, tau_m=[20, -1, 5] * ms), "is out of range: greater than 0 is allowed"),
        (lambda: PoissonSource(2, peak_rate="0 Hz"), "PoissonSource.peak_rate: '0 Hz' is out of range"),
        (lambda: PoissonSource(2, peak_rate=200), "PoissonSource.peak_rate: 200 has no unit: a rate is needed"),
        (lambda: LayerNorm(offset=0), "LayerNorm.offset = 0: input should be greater than 0"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: LIF(2, tau_m=20), "LIF.tau_m: 20 has no unit: a time is needed, write '20 ms' if ms is meant"),
        (lambda: LIF(2, refractory=2.5), "LIF.refractory: 2.5 has no unit: a time is needed, write '2.5 ms' if ms"),
        (
            lambda: LIF(2, tau_m=np.array([0.02, 0.03])),
            "LIF.tau_m = array([0.02, 0.03]): an array has a unit, or is a list such as ['20 ms', '30 ms']",
        ),
        (lambda: LIF(2, tau_m=[20, 30]), "LIF.tau_m = [20, 30]: 20 has no unit: a time is needed, write '20 ms'"),
        (lambda: LIF(2, tau_m=20 * mV), "LIF.tau_m = 20. * mvolt: 20. mV is in V: a time is needed, such as '20 ms'"),
        (lambda: LIF(2, v_threshold=20 * mV), "LIF.v_threshold"),
        (lambda: LIF(2, v_threshold=[True, "a"]), "LIF.v_threshold"),
        (lambda: LIF(2, v_threshold=np.ma.masked_array([1.0, 2.0], mask=[True, False])), "LIF.v_threshold"),
    ],
)
def test_a_value_with_the_wrong_unit_says_the_one_people_mean(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).startswith(sentence)


def test_times_of_every_neuron_are_a_list_or_an_array_with_a_unit():
    for tau_m in (["20 ms", "30 ms"], np.array([20, 30]) * ms, [20 * ms, "30 ms"]):
        np.testing.assert_allclose(LIF(2, tau_m=tau_m).tau_m, [0.02, 0.03], rtol=1e-12)
