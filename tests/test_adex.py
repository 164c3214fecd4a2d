"""AdEx neurons fire in the patterns of Naud et al. (2008), as a numpy transcription of the equations does."""

from __future__ import annotations

import numpy as np
import pytest
from brian_runs import running
from reference.published_neurons import adex

from snnplast import AdEx, Network
from snnplast.errors import UserError

FIELDS = "C g_L E_L V_T Delta_T a tau_w b V_r".split()
TABLE = {  # as in Brian2's example of Naud et al. (2008): those in pF, nS, mV and ms, then the current step in pA
    "tonic": (200, 10, -70, -50, 2, 2, 30, 0, -58, 500),
    "adapting": (200, 12, -70, -50, 2, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, -50, 2, 4, 150, 120, -50, 400),
    "regular bursting": (200, 10, -58, -50, 2, 2, 120, 100, -46, 210),
    "delayed accelerating": (200, 12, -70, -50, 2, -10, 300, 0, -58, 300),
    "delayed bursting": (100, 10, -65, -50, 2, -10, 90, 30, -47, 110),
    "transient": (100, 10, -65, -50, 2, 10, 90, 100, -47, 180),
    "irregular": (100, 12, -60, -50, 2, -11, 130, 30, -48, 160),
}
PATTERNS, DT, STEPS = list(TABLE), 0.05, 8000


@pytest.fixture(scope="module")
def spikes():
    """Pattern -> steps of spikes; one population, one neuron for each pattern."""
    values = {field: [AdEx.patterns[name][field] for name in TABLE] for field in [*FIELDS, "I_ext"]}
    net = Network(dt="0.05 ms")
    net.add("hidden", AdEx(len(TABLE), V_cut="0 mV", **values))
    with running(net) as engine:
        engine.steps(STEPS)
        steps, neurons = engine.spikes("hidden")
        return {name: steps[neurons == k] for k, name in enumerate(TABLE)}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_is_the_published_equations(spikes, pattern):
    constants = dict(zip([*FIELDS, "current"], TABLE[pattern], strict=True)) | {"V_cut": 0.0}
    current = constants.pop("current")
    expected = adex(constants, current, DT, STEPS)
    assert expected.size >= (1 if pattern == "transient" else 5)
    if pattern == "irregular":  # chaotic: rounding decides what comes late
        expected, spikes = expected[:8], {pattern: spikes[pattern][:8]}
    assert np.array_equal(spikes[pattern], expected)


def intervals(steps):
    return np.diff(steps) * DT


def test_a_tonic_neuron_keeps_its_rate(spikes):
    found = intervals(spikes["tonic"])
    assert found.size > 20 and found[2:].std() < 0.02 * found.mean()


def test_an_adapting_neuron_slows_down(spikes):
    found = intervals(spikes["adapting"])
    assert np.all(np.diff(found) > -2 * DT) and found[-1] > 2 * found[0]


def test_a_burst_is_followed_by_slower_spikes(spikes):
    found = intervals(spikes["initial burst"])
    assert found[0] < 0.3 * found[-1] and found[-4:].std() < 0.05 * found[-1]


@pytest.mark.parametrize("pattern", ["regular bursting", "delayed bursting"])
def test_bursts_recur(spikes, pattern):
    found = intervals(spikes[pattern])
    long = found > found.max() / 2
    assert 1 < long.sum() < found.size and found[~long].max() < 0.5 * found[long].min()


def test_a_delayed_neuron_starts_late_and_speeds_up(spikes):
    found = intervals(spikes["delayed accelerating"])
    assert spikes["delayed accelerating"][0] * DT > 15 and found[-1] < 0.9 * found[0]


def test_a_transient_neuron_falls_silent(spikes):
    assert 1 <= spikes["transient"].size < 10 and spikes["transient"][-1] < STEPS / 4


def test_an_irregular_neuron_keeps_no_interval(spikes):
    found = intervals(spikes["irregular"])[3:]
    assert np.unique(found.round(1)).size > 0.5 * found.size and found.std() > 0.2 * found.mean()


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"E_L": "-50 mV"}, "AdEx.E_L: the neuron must rest below V_T"),
        ({"V_r": "0 mV"}, "AdEx.V_r: the neuron must be reset below V_cut"),
        ({"E_e": "0 mV"}, "AdEx.E_e: it has no part in the equations with synapses = 'current'"),
        ({"C": "281 nS"}, "AdEx.C: '281 nS' has the unit 'nS': a quantity in pF is needed, such as '20 pF'"),
        ({"tau_w": ["1 ms"] * 3}, r"AdEx: tau_w has shape \(3,\); allowed is a number or shape \(2,\)"),
        ({"method": "exact"}, "AdEx.method = 'exact': "),
        ({"learnable": ("gL",)}, "AdEx.learnable: unknown constant 'gL': did you mean 'g_L'"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(values, sentence):
    with pytest.raises(UserError, match=sentence):
        AdEx(2, **values)
