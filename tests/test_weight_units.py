"""Weights are numbers in a unit: optimisers see numbers of order 1, neurons volts, amps or siemens."""

from __future__ import annotations

from collections.abc import Mapping

import h5py
import numpy as np
import pytest

import snnplast
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.network import Network
from snnplast.network.own_equations import Analog
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.record.reading import read_run
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation

EQUATIONS = """
    dv/dt = (-v + ge*R)/(20*ms) : volt
    dge/dt = -ge/(5*ms) : amp
    w : 1
"""


class InAmps(CustomNeurons):
    """Neurons that say what their weights are in."""

    @property
    def weight_units(self) -> Mapping[str, str]:
        return {"ge": "pA"}


def neurons(kind=CustomNeurons, **settings):
    code = {"equations": EQUATIONS, "constants": {"R": "100 Mohm"}, "threshold": "v > 10*mV", "reset": "v = 0*mV"}
    return kind(4, **{**code, "into": "ge", **settings})


def network(population, **settings) -> Network:
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", population)
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", plastic=True, **{"weights": 50.0, **settings})
    net.connect("hidden", "output", plastic=True)
    return net


def run(net, *recorded):
    task = small_task()
    with (simulation := open_simulation(net, task.objective, EProp(), 1, NUMPY, recorded=recorded)).engine:
        record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
        gradients = simulation.plasticities[0].gradient(record, task.objective)
        history = {name: rows.copy() for name, rows in record.history.items()}
        return history, gradients["input_to_hidden"].copy(), simulation.values["input_to_hidden"].copy()


def test_the_same_weights_in_other_units_are_other_numbers_and_one_network():
    pico, of_pico, weights = run(network(neurons(), unit="pA"), "hidden.ge", "hidden.v")
    nano, of_nano, smaller = run(network(neurons(), unit="nA", weights=0.05), "hidden.ge", "hidden.v")
    default, of_default, _ = run(network(neurons(InAmps)), "hidden.ge", "hidden.v")
    assert set(weights) == {50.0} and set(smaller) == {0.05}
    assert 1e-11 < pico["hidden.ge"].max() < 1e-8
    np.testing.assert_allclose(nano["hidden.v"], pico["hidden.v"], rtol=1e-12)
    np.testing.assert_array_equal(default["hidden.v"], pico["hidden.v"])
    assert np.abs(of_pico).max() > 0
    np.testing.assert_allclose(of_nano, 1e3 * of_pico, rtol=1e-9)
    np.testing.assert_array_equal(of_default, of_pico)


def test_units_may_be_products():
    dense = neurons(equations=EQUATIONS.replace("amp", "amp/meter**2"), constants={"R": "1 ohm*meter**2"})
    history, *_ = run(network(dense, unit="uA/cm**2", weights=0.5), "hidden.ge")
    assert 1e-3 < history["hidden.ge"].max() < 1


def test_a_neurons_own_w_is_not_the_weight():
    net = network(neurons(reset="v = 0*mV; w += 1"), unit="pA")
    history, _, weights = run(net, "hidden.w", "hidden.v")
    assert history["hidden.w"].max() >= 1 and set(weights) == {50.0}


@pytest.mark.parametrize("every", ["step", "trial"])
def test_analog_weights_turn_what_they_carry_into_what_they_add_to(every):
    net = network(neurons(threshold="v > 1*volt"), unit="pA")
    net.add("rates", Analog(2, equations="drive : amp\ndr/dt = (drive*R - r)/(10*ms) : volt", constants={"R": "1 ohm"}))
    net.connect("hidden", "rates", kind="analog", variable="v", every=every, weights=2.0, unit="nS")
    history, *_ = run(net, "hidden.v", "rates.drive")
    drive = history["rates.drive"]
    if every == "step":
        np.testing.assert_allclose(drive[:, 0], 2e-9 * history["hidden.v"].sum(axis=1), rtol=1e-9)
    with pytest.raises(UserError, match="weights add to 'drive', in siemens; a unit of them is needed, such as 'nS'"):
        net.copy().connect("hidden", "rates", name="more", kind="analog", variable="v", every=every)


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({}, "network.input_to_hidden.unit: weights add to 'ge', in amp; a unit of them is needed, such as 'pA'"),
        ({"unit": "mV"}, "input_to_hidden.unit = 'mV': weights add to 'ge', in amp; one such as 'pA' is needed"),
        ({"unit": "pico"}, "network.input_to_hidden.unit: unknown unit 'pico'"),
        ({"unit": "pA", "into": "w"}, "unit = 'pA': weights add to 'w', a number; unit=None is needed"),
        ({"into": "gx"}, "network.input_to_hidden.into = 'gx': 'hidden' has no such variable; did you mean 'ge'?"),
    ],
)  # fmt: skip
def test_a_unit_that_does_not_fit_is_one_sentence(settings, sentence):
    with pytest.raises(UserError) as caught:
        network(neurons(), **settings)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_runs_file_says_what_its_weights_are_in(tmp_path):
    net, path = network(neurons(InAmps)), tmp_path / "run.h5"
    snnplast.train(snnplast.Experiment(net, small_task(), EProp(), iterations=1, engine="runtime", record=path))
    with h5py.File(path) as file:
        assert file["weights/input_to_hidden"].attrs["unit"] == "pA"
        assert file["weights/hidden_to_output"].attrs["unit"] == ""
    assert read_run(path).weights["input_to_hidden"].shape == (48,)
