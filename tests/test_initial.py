"""Every trial begins where the description says, on both engines and in both faces."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import mV

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Update
from snnplast.network.network import Network
from snnplast.network.own_equations import Analog
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
REST = np.array([-65.0, -64.0, -66.0, -65.5])


def neurons(**values):
    """Neurons in millivolts, whose threshold lies below 0."""
    code = {"equations": "dv/dt = (-65 - v)/(20*ms) : 1", "threshold": "v >= -50", "reset": "v = -65"}
    facts = {"distance": "v + 50", "threshold_scale": "15", "initial": {"v": REST}}
    return CustomNeurons(4, **{**code, **facts, **values})


def described(population):
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", population)
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", weights=5.0, plastic=True)
    net.connect("hidden", "output", plastic=True)
    return net


@pytest.mark.parametrize("engine", [NUMPY, pytest.param(COMPILED, marks=needs_compiler)])
@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_every_trial_begins_at_the_initial_values(engine, evaluation):
    task = small_task()
    recorded = ("hidden.v",)
    simulation = open_simulation(
        described(neurons()), task.objective, EProp(evaluation=evaluation), 1, engine, recorded=recorded
    )
    with simulation.engine:
        for assembled in (simulation, simulation.clone()):
            for index in (0, 1):
                record = simulate(assembled, task.trial(index), index, 1, np.random.default_rng(0))
                (first,) = {tuple(row) for row in record.history["hidden.v"][:1]}
                steps, _ = record.spikes["input"]
                arrived = 5.0 * np.sum(steps == 0)
                np.testing.assert_allclose(first, -65 + (REST + 65) * np.exp(-1 / 20) + arrived, rtol=1e-12)
                assert not np.any(record.spikes["hidden"][0] == 0) and record.spikes["hidden"][0].size
                (plasticity,) = assembled.plasticities
                assert np.any(plasticity.gradient(record, task.objective)["input_to_hidden"])


def test_a_value_has_the_unit_that_is_declared():
    units = Analog(2, equations="drive : 1\nu : volt\nn : integer", initial={"u": [-65 * mV, "-70 mV"], "n": 2})
    np.testing.assert_allclose(units.initial_values["u"], [-0.065, -0.07])
    assert units.initial_values["n"] == 2


@pytest.mark.parametrize(
    "values, sentence",
    [
        (
            {"initial": {}},
            "network.hidden: threshold = 'v >= -50' holds where a trial begins (v = 0), so 4 of 4 neurons",
        ),
        (
            {"initial": {"v": np.array([-65, -40, -65, -40])}},
            "so 2 of 4 neurons would spike at once; initial={...} says",
        ),
        ({"initial": {"u": -65}}, "CustomNeurons.initial: 'u' is no variable of the equations; Known: v"),
        ({"initial": {"v": [-65, -65]}}, "CustomNeurons.initial: initial['v'] has shape (2,); allowed are () and (4,)"),
        (
            {"initial": {"v": "-65 + 5*rnd()"}},
            "initial['v'] = '-65 + 5*rnd()': unknown function 'rnd'",
        ),
        ({"initial": {"v": "-65"}}, "initial['v'] = '-65': a number or an array (4,) is needed"),
        ({"initial": {"v": "vv"}}, "initial['v'] = 'vv': 'vv' has no value there: constants, and"),
        ({"initial": {"v": -65 * mV}}, "initial['v']: numbers without a unit are needed"),
        ({"initial": {"v": np.nan}}, "initial['v']: finite numbers are needed"),
        ({"initial": {"v": None}}, "initial['v']: numbers are needed"),
    ],
)
def test_what_cannot_be_a_beginning_is_refused(values, sentence):
    with pytest.raises(UserError) as caught:
        described(neurons(**values))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_threshold_that_an_update_sets_before_it_is_asked_is_no_mistake():
    moving = {"equations": "dv/dt = -v/(20*ms) : 1\nlimit : 1", "updates": (Update("limit = 1 + 0*v"),)}
    facts = {"threshold": "v >= limit", "reset": "v = 0", "distance": "v - 1", "initial": {}}
    described(neurons(**moving, **facts))
    with pytest.raises(UserError, match=r"holds where a trial begins .limit = 0, v = 0., so 4 of 4"):
        described(neurons(**{**moving, "updates": (Update("limit = 1 + 0*v", "end"),)}, **facts))


def test_driven_neurons_that_reach_their_threshold_at_once_are_no_mistake():
    described(neurons(updates=(Update("v = v + 20"),)))


def test_expressions_begin_with_constants_and_with_draws_of_their_own_for_each_seed():
    start = {"v": "rest + 5*rand()", "u": "0.1*v"}
    lines = "dv/dt = (rest - v)/(20*ms) : 1\ndu/dt = -u/(30*ms) : 1"
    population = neurons(equations=lines, constants={"rest": -65.0}, initial=start)
    begun = {}
    for seed in (1, 1, 2):
        with open_simulation(described(population), small_task().objective, EProp(), seed, NUMPY).engine as engine:
            engine.reset()
            v, u = (engine[f"hidden.{name}"].copy() for name in ("v", "u"))
        assert np.all((v >= -65) & (v <= -60)) and np.unique(v).size == 4
        np.testing.assert_allclose(u, 0.1 * v)
        assert np.array_equal(begun.setdefault(seed, v), v)
    assert not np.any(begun[1] == begun[2])


def test_noise_has_the_variance_of_its_process_and_is_that_of_its_trial():
    """dv = -v/tau dt + sigma sqrt(2/tau) dW, in Euler's steps, has variance sigma^2 / (1 - dt/(2 tau))."""
    line, size = "dv/dt = -v/(5*ms) + 2*(2/(5*ms))**0.5*xi : 1", 400
    net = Network()
    net.add("input", PoissonSource(12))
    noisy = {"method": "euler", "threshold": "v > 100", "reset": "v = 0"}
    net.add("hidden", CustomNeurons(size, equations=line, **noisy))
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", weights=0.0, plastic=True)
    task, found = small_task(), []
    simulation = open_simulation(net, task.objective, EProp(), 1, NUMPY, recorded=("hidden.v",))
    with simulation.engine:
        for seed in (0, 0, 1):
            record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(seed))
            found.append(record.history["hidden.v"].copy())
    assert np.array_equal(found[0], found[1]) and not np.any(found[0][0] == found[2][0])
    assert np.var(found[0][30:]) == pytest.approx(4 / (1 - 0.1), rel=0.05)
