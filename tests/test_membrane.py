"""Eligibility traces of one exponential are only taken for membranes that are one."""

from __future__ import annotations

import pytest
from brian2 import ms

from snnplast.errors import UserError
from snnplast.network.fragments import Update
from snnplast.network.network import Network
from snnplast.network.neurons import ALIF, LIF, CustomNeurons
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.delta import Delta
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.simulation.design import design
from snnplast.testing import small_task

EQUATIONS = "dv/dt = -v/tau : 1\ntau : second (constant, shared)"


def custom(equations=EQUATIONS, **settings):
    facts = {"threshold": "v >= 1", "reset": "v = 0", "distance": "v - 1", "threshold_scale": "1", "tau_m": "20 ms"}
    return CustomNeurons(6, equations=equations, **{**facts, "constants": {"tau": 20 * ms}, **settings})


def designed(hidden, rule=None, into=None, **settings):
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", hidden)
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", plastic=True, into=into, **settings)
    net.connect("hidden", "output", plastic=True)
    return design(net, small_task().objective, rule or EProp(), 1)


@pytest.mark.parametrize(
    "hidden",
    [
        LIF(6, v_min=-1, bias=0.1, normalise_input=True, refractory="2 ms"),
        ALIF(6),
        custom(),
        custom("dv/dt = (drive - v)/(20*ms) : 1\ndrive : 1", constants={}),
        custom("dv/dt = leak*v + 0.1/tau : 1\nleak = -1/tau : hertz\ntau : second (constant)"),
        custom("dv/dt = -v/tau : 1\ntau : second (constant)\nda/dt = -a/tau : 1", reset="v = 0\na = a + 1"),
        custom(tau_m=["20 ms"] * 6),
    ],
)
@pytest.mark.parametrize("rule", [EProp(), EProp(evaluation="online")])
def test_one_exponential_is_taken_however_it_is_written(hidden, rule):
    designed(hidden, rule)


@pytest.mark.parametrize(
    "hidden, into, sentence",
    [
        (
            custom("dv/dt = (ge - v)/tau : 1\ndge/dt = -ge/(5*ms) : 1\ntau : second (constant)"),
            "ge",
            "adds to 'ge', and its traces are those of the membrane 'v'; they cannot be derived from",
        ),
        (custom("dv/dt = (ge - v)/tau : 1\ndge/dt = -ge/(5*ms) : 1\ntau : second (constant)"), None, "depends on ge"),
        (custom("dv/dt = (-v + exp(v))/tau : 1\ntau : second (constant)"), None, "is not linear in it"),
        (custom("dv/dt = -v*(1 + a)/tau : 1\nda/dt = -a/tau : 1\ntau : second (constant)"), None, "depends on a"),
        (custom("v : 1\ndu/dt = -u/tau : 1\ntau : second (constant)"), None, "and its equations have no such line"),
        (custom(tau_m="200 ms"), None, "exponential of tau_m = 200 ms, but its equation decays with 20 ms"),
        (custom(updates=(Update("v = clip(v, -1, 1)"),)), None, "but 'v = clip(v, -1, 1)' changes it, too"),
        (
            custom(EQUATIONS + "\ndvt/dt = -vt/tau : 1", distance="v - vt"),
            None,
            "distance = 'v - vt': it must be 'v' less a constant, and vt changes; ALIF has an adaptive threshold",
        ),
        (custom(distance="2*v - 1"), None, "distance = '2*v - 1': it must be 'v' less a constant"),
        (LIF(6, bias=0.0), "bias", "adds to 'bias', and its traces are those of the membrane 'v'"),
    ],
)
def test_any_other_membrane_is_refused_with_what_differs(hidden, into, sentence):
    for rule in (EProp(), EProp(evaluation="online"), IBHebbian(third_factor="zero")):
        with pytest.raises(UserError) as caught:
            designed(hidden, rule, into)
        assert sentence in str(caught.value) and "network.input_to_hidden" in str(caught.value)


def test_a_hidden_layer_that_does_not_learn_may_have_any_equations():
    designed(custom("dv/dt = (ge - v)/tau : 1\ndge/dt = -ge/(5*ms) : 1\ntau : second (constant)"), Delta(), "ge")


def test_analog_projections_do_not_learn_from_spikes():
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", LIF(6))
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden")
    net.connect("hidden", "output", kind="analog", variable="v", plastic=True)
    with pytest.raises(UserError, match="readouts of this kind learn from spiking ones, into 'y'"):
        design(net, small_task().objective, EProp(), 1)
    net.change("hidden_to_output", plastic=False)
    net.connect("hidden", "hidden", name="gap", kind="analog", variable="v", plastic=True)
    with pytest.raises(UserError, match=r"network\.gap is analog, and its traces are those of spikes"):
        design(net, small_task().objective, EProp(), 1)
