"""GLIF neurons of each level follow a numpy transcription of the paper's equations and reset rules."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV, nS, pA, pF
from brian_runs import running
from reference.published_neurons import glif

from snnplast import GLIF, Network
from snnplast.errors import UserError

DT, STEPS, CURRENT = 0.5, 400, 400.0
SHARED = {"C": 58.72, "g": 9.43, "E_L": -78.85, "v_threshold": -51.68, "refractory": 4.0}
RULES = {"f_v": 0.2, "delta_v": 18.51, "delta_theta": 2.5, "b_s": 0.009}
AFTER = {"delta_1": -9.18, "delta_2": -198.94, "f_1": 1.0, "f_2": 0.8, "k_1": 0.003, "k_2": 0.1}
FOLLOWS = {"a_v": 0.005, "b_v": 0.09}
LEVELS = {1: {}, 2: RULES, 3: AFTER, 4: RULES | AFTER, 5: RULES | AFTER | FOLLOWS}
UNITS = {"C": pF, "g": nS, "refractory": ms, "f_v": 1, "f_1": 1, "f_2": 1, "delta_1": pA, "delta_2": pA}
UNITS |= dict.fromkeys(("E_L", "v_threshold", "delta_v", "delta_theta"), mV)
UNITS |= dict.fromkeys(("b_s", "k_1", "k_2", "a_v", "b_v"), 1 / ms)


def trial(level):
    """Membrane (mV) and spikes of one neuron."""
    values = {name: value * UNITS[name] for name, value in (SHARED | LEVELS[level]).items()}
    net = Network(dt="0.5 ms")
    net.add("hidden", GLIF(1, level=level, I_ext=CURRENT * pA, **values))
    with running(net, ["hidden.v"]) as engine:
        engine.steps(STEPS)
        return np.array(engine.history["hidden.v"][:, 0]) * 1e3, engine.spikes("hidden")[0].copy()


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_is_the_published_equations(level):
    membrane, spikes = trial(level)
    expected, fired = glif(SHARED | RULES | AFTER | FOLLOWS, level, CURRENT, DT, STEPS)
    assert fired.size > 4 and np.array_equal(spikes, fired)
    np.testing.assert_allclose(membrane, expected, rtol=1e-10)


def test_each_mechanism_slows_the_neuron_down():
    counts = {level: trial(level)[1].size for level in LEVELS}
    assert counts[1] > counts[3] and counts[2] > counts[4] > counts[5]


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"level": 6}, "GLIF.level = 6: "),
        ({"level": 2, "k_1": "1/ms"}, "GLIF.k_1: it has no part in the equations with synapses = 'current', level = 2"),
        ({"synapses": "conductance", "method": "exact"}, "GLIF.method: 'exact' is for linear equations"),
        (
            {"method": "exact", "C": "50 pF", "g": "10 nS"},
            "GLIF.method: the exact solution divides by the difference of C/g and tau_e, which are equal",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(values, sentence):
    with pytest.raises(UserError, match=sentence):
        GLIF(2, **values)
