"""Constants and initial values: quantities, expressions of what is known, and draws that a seed and names decide."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.random_streams import stream
from snnplast.rules.e_prop import EProp
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
SIZE = 40


def neurons(**settings) -> CustomNeurons:
    code = {
        "equations": "dv/dt = (E - v)/tau : volt\ndu/dt = -u/tau : volt",
        "threshold": "v > -40*mV",
        "reset": "v = E",
        "constants": {"E": "-70 mV", "tau": "20*ms*exp(0.3*randn())", "half": "tau/2"},
        "initial": {"v": "E + 5*mV*randn() + 1*mV*randn()", "u": "0.1*v"},
    }
    return CustomNeurons(SIZE, **{**code, **settings})


def network(population, **others) -> Network:
    net = Network()
    for name, other in {**others, "hidden": population}.items():
        net.add(name, other)
    net.add("input", PoissonSource(12))
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", weights=1.0, unit="mV", plastic=True)
    net.connect("hidden", "output", plastic=True)
    return net


def begun(net, seed=1, engine=NUMPY, names=("tau", "half", "v", "u")):
    with open_simulation(net, small_task().objective, EProp(), seed, engine).engine as running:
        running.reset()
        return {name: running[f"hidden.{name}"].copy() for name in names}


def test_a_draw_is_a_function_of_the_seed_and_of_names():
    found = begun(network(neurons()))
    rng = stream(1, "constants", "hidden", "tau")
    np.testing.assert_allclose(found["tau"], 0.02 * np.exp(0.3 * rng.standard_normal(SIZE)), rtol=1e-14)
    np.testing.assert_array_equal(found["half"], found["tau"] / 2)
    rng = stream(1, "initial", "hidden", "v")
    first, second = rng.standard_normal(SIZE), rng.standard_normal(SIZE)
    np.testing.assert_allclose(found["v"], -0.07 + 5e-3 * first + 1e-3 * second, rtol=1e-14)
    np.testing.assert_allclose(found["u"], 0.1 * found["v"])
    more = begun(
        network(neurons(initial={"u": "1*mV*rand()", "v": "E + 5*mV*randn() + 1*mV*randn()"}), other=neurons())
    )
    np.testing.assert_array_equal(more["v"], found["v"])
    assert not np.any(begun(network(neurons()), seed=2)["v"] == found["v"])


@needs_compiler
def test_both_engines_begin_with_the_same_draws():
    for name, values in begun(network(neurons()), engine=COMPILED).items():
        np.testing.assert_array_equal(values, begun(network(neurons()))[name])


def test_what_is_derived_is_so_from_the_means():
    population = neurons()
    assert population.own.constants["tau"] == pytest.approx(0.02)
    assert population.threshold_scale_value == pytest.approx(0.03)
    drawn = population.drawn(3, "hidden")
    assert drawn.threshold_scale_value == pytest.approx(0.03) and np.ptp(drawn.own.constants["tau"]) > 1e-3
    same = neurons(constants={"E": "-70 mV", "tau": "20 ms"}, initial={"v": "E"})
    assert same.drawn(3, "hidden") is same


@pytest.mark.parametrize("given", ["100 Mohm", "100*Mohm", ["100 Mohm"] * SIZE, "1/(10*nS)"])
def test_a_constant_that_no_equation_declares_has_the_unit_it_is_given_in(given):
    own = neurons(constants={"E": -70 * mV, "tau": 20 * ms, "R": given}).own
    np.testing.assert_allclose(own.constants["R"], 1e8)
    assert own.units["R"] == "ohm"


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"constants": {"tau": "2*tua", "E": "-70 mV"}}, "constants['tau'] = '2*tua': 'tua' has no value there"),
        ({"constants": {"tau": "20*t", "E": "-70 mV"}}, "constants['tau'] = '20*t': 't' has no value there"),
        ({"constants": {"tau": "2 + 3*ms", "E": "-70 mV"}}, "constants['tau'] = '2 + 3*ms': "),
        ({"constants": {"tau": "20 banana", "E": "-70 mV"}}, "constants['tau']: unknown unit 'banana'"),
        ({"constants": {"tau": "1*ms/0", "E": "-70 mV"}}, "constants['tau'] = '1*ms/0' is inf; finite"),
        ({"initial": {"v": "0.5*randn()"}}, "initial['v'] = '0.5*randn()' is a number; it must be in volt"),
        ({"initial": {"u": "0.1*v", "v": "E"}}, "initial['u'] = '0.1*v': 'v' has no value there"),
        ({"initial": {"v": "E*poisson(3)"}}, "initial['v'] = 'E*poisson(3)': unknown function 'poisson'"),
        ({"initial": {"v": "E*randn(3)"}}, "initial['v'] = 'E*randn(3)': randn() takes no arguments"),
    ],
)  # fmt: skip
def test_what_has_no_value_is_one_sentence(settings, sentence):
    with pytest.raises(UserError) as caught:
        neurons(**settings)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
