"""Refractoriness as Brian2 has it: a time, one per neuron, an expression of a time, or a condition."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
EACH = np.array([2, 5, 9])


def neurons(refractory, **settings) -> CustomNeurons:
    """Neurons that would spike at every step: what keeps them from it is that they are refractory."""
    code = {"equations": "dv/dt = (100 - v)/(20*ms) : 1\ndx/dt = -x/(3*ms) : 1", "reset": "v = 0; x = 1"}
    constants = {"ref": EACH * ms, "half": "4.5 ms", "level": "10 mV"}
    fields = {"threshold": "v > 1", "constants": constants, "refractory": refractory, **settings}
    return CustomNeurons(3, **{**code, **fields})


def intervals(population, engine=NUMPY):
    """Steps from spike to spike of each neuron."""
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", population)
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", weights=0.0, plastic=True)
    net.connect("hidden", "output", plastic=True)
    task = small_task()
    with (simulation := open_simulation(net, task.objective, EProp(), 1, engine)).engine:
        record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
        steps, indices = record.spikes["hidden"]
        each = [np.unique(np.diff(steps[indices == k])) for k in range(3)]
        return [int(apart[0]) for apart in each if apart.size == 1]


@pytest.mark.parametrize("engine", [NUMPY, pytest.param(COMPILED, marks=[needs_compiler, pytest.mark.slow])])
@pytest.mark.parametrize(
    "refractory, expected",
    [
        ("3 ms", [3, 3, 3]),
        (EACH * ms, [2, 5, 9]),
        (["2 ms", "5 ms", "9 ms"], [2, 5, 9]),
        ("ref", [2, 5, 9]),
        ("2*ref - half + 0.5*ms", [1, 6, 14]),
        ("x > exp(-7.5/3)", [9, 9, 9]),  # asked before the equations are solved: x is that of the step before
    ],
)
def test_neurons_are_silent_as_long_as_it_says(refractory, expected, engine):
    assert intervals(neurons(refractory), engine) == expected


@pytest.mark.parametrize(
    "refractory, sentence",
    [
        ("reff", "CustomNeurons.refractory: 'reff': unknown name 'reff': did you mean 'ref'"),
        ("level", "CustomNeurons.refractory: 'level' is in volt; a time or condition is needed"),
        ("2*x", "CustomNeurons.refractory: '2*x' is a number; a time or condition is needed"),
        ("x > 2*mV", "CustomNeurons.refractory: 'x > 2*mV': "),
        ("-1 ms", "CustomNeurons.refractory: "),
        (5, "CustomNeurons.refractory: 5 has no unit"),
    ],
)
def test_what_is_neither_a_time_nor_a_condition_is_refused(refractory, sentence):
    with pytest.raises(UserError) as caught:
        neurons(refractory)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
