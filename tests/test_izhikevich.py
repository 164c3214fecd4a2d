"""Izhikevich neurons fire in the patterns of the paper of 2003, as a numpy transcription of the equations does."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import mV
from brian_runs import running
from reference.published_neurons import izhikevich

from snnplast import Izhikevich, Network
from snnplast.errors import UserError

TABLE = {  # figure 2 of the paper: a, b, c, d
    "regular spiking": (0.02, 0.2, -65, 8),
    "intrinsically bursting": (0.02, 0.2, -55, 4),
    "chattering": (0.02, 0.2, -50, 2),
    "fast spiking": (0.1, 0.2, -65, 2),
    "low-threshold spiking": (0.02, 0.25, -65, 2),
}
DT, STEPS, CURRENT = 0.25, 2000, 10.0


@pytest.fixture(scope="module")
def spikes():
    """Pattern -> times of spikes (ms)."""
    values = {field: [Izhikevich.patterns[name][field] for name in TABLE] for field in "abcd"}
    net = Network(dt="0.25 ms")
    net.add("hidden", Izhikevich(len(TABLE), I_ext=CURRENT * mV, **values))
    with running(net) as engine:
        engine.steps(STEPS)
        steps, neurons = engine.spikes("hidden")
        return {name: steps[neurons == k] * DT for k, name in enumerate(TABLE)}


@pytest.mark.parametrize("pattern", TABLE)
def test_it_is_the_published_equations(spikes, pattern):
    constants = dict(zip("abcd", TABLE[pattern], strict=True))
    expected = DT * izhikevich(constants, CURRENT, DT, STEPS)
    first = min(20, expected.size)  # every upstroke amplifies rounding
    assert first > 8 and np.array_equal(spikes[pattern][:first], expected[:first])


def test_regular_spiking_adapts_to_a_steady_rate(spikes):
    found = np.diff(spikes["regular spiking"])
    assert found[0] < 0.6 * found[-1] and found[3:].std() < 0.02 * found[-1]


def test_intrinsic_bursting_is_one_burst_then_single_spikes(spikes):
    found = np.diff(spikes["intrinsically bursting"])
    assert found[0] < 6 and found[0] < 0.3 * found[5] and found[6:].min() > 3 * found[0]


def test_chattering_is_bursts_of_closely_spaced_spikes(spikes):
    found = np.diff(spikes["chattering"])
    assert np.sum(found > 20) > 4 and np.median(found[found < 20]) < 6


def test_fast_spiking_is_fast_and_does_not_adapt(spikes):
    found = np.diff(spikes["fast spiking"])
    assert len(found) > 2 * len(spikes["regular spiking"]) and found[1:].std() < 0.05 * found.mean()


def test_low_threshold_spiking_fires_at_high_rates_that_fall(spikes):
    found = np.diff(spikes["low-threshold spiking"])
    assert len(found) > len(spikes["regular spiking"]) and found[0] < 0.7 * found[-1]


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"c": "30 mV"}, "Izhikevich.c: the neuron must be reset below v_peak"),
        ({"surrogate_width": "0 mV"}, "Izhikevich.surrogate_width: '0 mV' is out of range: greater than 0 is allowed"),
        ({"synapses": "delta", "tau_e": "3 ms"}, "Izhikevich.tau_e: it has no part .* with synapses = 'delta'"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(values, sentence):
    with pytest.raises(UserError, match=sentence):
        Izhikevich(2, **values)
