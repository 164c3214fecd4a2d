"""One spike makes the postsynaptic potentials of closed forms; trials begin at rest."""

from __future__ import annotations

import numpy as np
import pytest
from brian_runs import running

from snnplast import COBA, CUBA, Network, SpikeSource
from snnplast.errors import UserError

STEPS = 300


def response(population, weight, into, dt="0.1 ms"):
    """Membrane (mV) at the end of each step; one spike arrives at step 10, after that step's flow."""
    net = Network(dt=dt)
    net.add("input", SpikeSource(1))
    net.add("hidden", population)
    net.connect("input", "hidden", weights=weight, into=into)
    with running(net, ["hidden.v"]) as engine:
        engine.set_spikes("input", np.array([10]), np.array([0]))
        engine.steps(STEPS)
        return np.array(engine.history["hidden.v"][:, 0]) * 1e3


@pytest.mark.parametrize("into, sign, tau", [("ge", 1, 5.0), ("gi", -1, 10.0)])
def test_a_current_makes_a_difference_of_exponentials(into, sign, tau):
    found = response(CUBA(1), 6.0, into)
    t = np.maximum(np.arange(STEPS) - 10, 0) * 0.1
    expected = -60 + sign * 6.0 * tau / (20 - tau) * (np.exp(-t / 20) - np.exp(-t / tau))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.abs(found + 60).max() > 0.9


@pytest.mark.parametrize("into, reversal, tau", [("ge", 0.0, 5.0), ("gi", -80.0, 10.0)])
def test_a_conductance_follows_the_integral_of_its_equation(into, reversal, tau):
    """v - E = (E_L - E) (1/mu(t) + int_0^t mu(s)/mu(t) ds/tau_m) with mu = exp(t/tau_m + w/C tau (1 - exp(-t/tau)))."""
    found = response(COBA(1), 3.0, into, "0.02 ms")
    t = np.arange(STEPS - 10) * 0.02
    fine = np.linspace(0, t[-1], 64 * (len(t) - 1) + 1)
    mu = np.exp(fine / 20 + 3.0 / 200 * tau * (1 - np.exp(-fine / tau)))
    integral = np.concatenate([[0], np.cumsum((mu[1:] + mu[:-1]) / 2)]) * (fine[1] - fine[0]) / 20
    expected = reversal + (-60 - reversal) * ((1 + integral) / mu)[::64]
    np.testing.assert_allclose(found[10:], expected, atol=2e-3 * np.abs(expected + 60).max())
    assert np.all(found[:11] == found[0]) and np.sign(found[-1] + 60) == np.sign(reversal + 60)


@pytest.mark.parametrize("kind", [CUBA, COBA])
def test_a_trial_begins_at_rest_or_as_after_a_spike(kind):
    assert kind(1, E_L="-65 mV").initial_values == {"v": -0.065}
    assert kind(1, E_L="-49 mV").initial_values == {"v": -0.06}
    found = kind(2, E_L=["-65 mV", "-49 mV"]).initial_values["v"]
    assert found.tolist() == [-0.065, -0.06]


def test_above_its_threshold_it_fires_at_the_rate_of_the_closed_form():
    net = Network(dt="0.1 ms")
    net.add("hidden", CUBA(1, E_L="-49 mV"))
    with running(net) as engine:
        engine.steps(3000)
        found = np.diff(engine.spikes("hidden")[0])
    steps = np.ceil(20 * np.log(11) / 0.1)  # from -60 mV to -50 mV
    assert np.all(found == steps + 49)  # of 5 ms of refractoriness the first step is that of the spike


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: CUBA(2, v_reset="-50 mV"), "CUBA.v_reset: the neuron must be reset below v_threshold"),
        (lambda: CUBA(2, tau_m="10 ms"), "CUBA.method: .* of tau_m and tau_i, which are equal"),
        (lambda: CUBA(2, E_e="0 mV"), "CUBA.E_e: unknown key"),
        (lambda: COBA(2, method="exact"), "COBA.method = 'exact': "),
        (lambda: COBA(2, refractory="-1 ms"), "COBA.refractory: '-1 ms' is out of range: at least 0 is allowed"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()


def test_weights_have_the_unit_of_what_they_add_to():
    net = Network()
    net.add("input", SpikeSource(1))
    net.add("hidden", COBA(1))
    with pytest.raises(UserError, match="unit = 'mV': weights add to 'gi', in siemens"):
        net.connect("input", "hidden", into="gi", unit="mV")
