"""Rules, sources, objective and network that do not agree are refused before anything runs."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.learning.optimizer import SGD
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.backprop import Backprop
from snnplast.rules.third_factors.readout_error import ReadoutError
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


def network(**outputs):
    """Two hidden layers side by side, the second with a rule of its own."""
    net = Network()
    net.add("input", PoissonSource(12, peak_rate="300 Hz"))
    net.add("output", LeakyReadout(3))
    for name, rule in (("left", None), ("right", "other")):
        net.add(name, LIF(6, v_threshold=0.3, representation=LayerNorm()))
        net.connect("input", name, plastic=True, rule=rule)
        net.connect(name, "output", plastic=True, rule=rule, name=outputs.get(name))
    return net


def feedback(kind, **settings):
    return EProp(third_factor=ReadoutError(feedback=kind, **settings), optimizer=SGD(learning_rate=0.05))


def trained(rule, other, net=None, updates=3):
    task = small_task()
    simulation = open_simulation(net or network(), task.objective, rule, 1, NUMPY, others={"other": other})
    before = {name: values.copy() for name, values in simulation.values.items()}
    list(Trainer(simulation, task, updates))
    return simulation, before


def test_rules_of_one_network_take_one_number_of_trials():
    with pytest.raises(UserError, match=r"rules\.ib-hebbian\.batch = 1, but rules\.e-prop\.batch = 8"):
        design(network(), CrossEntropy(), EProp(batch=8), 1, {"other": IBHebbian(third_factor="zero")})


def test_a_second_readout_that_nothing_is_said_of_is_named():
    net = network()
    net.add("second", LeakyReadout(3))
    net.connect("left", "second", plastic=True)
    sentence = r"network\.left_to_second: nothing says what the readout 'second' should do: .* for 'output'"
    with pytest.raises(UserError, match=sentence):
        design(net, CrossEntropy(), EProp(), 1, {"other": EProp()})
    net.change("left_to_second", plastic=False)
    design(net, CrossEntropy(), EProp(), 1, {"other": EProp()})


@pytest.mark.parametrize("evaluation", ["online", "factored"])
@pytest.mark.parametrize("one, two", [("symmetric", "random"), ("random", "symmetric")])
def test_each_rule_feeds_back_to_its_own_populations(evaluation, one, two):
    rules = [feedback(kind).model_copy(update={"evaluation": evaluation}) for kind in (one, two)]
    simulation, before = trained(*rules)
    for name, kind in (("left", one), ("right", two)):
        wiring = simulation.plan.wiring
        back = wiring[f"feedback_{name}"].matrix(simulation.values[f"feedback_{name}"])
        if kind == "random":
            assert (
                np.array_equal(simulation.values[f"feedback_{name}"], before[f"feedback_{name}"]) and np.std(back) > 0.5
            )
        else:
            simulation.tie()
            back = wiring[f"feedback_{name}"].matrix(simulation.values[f"feedback_{name}"])
            forward = wiring[f"{name}_to_output"].matrix(simulation.values[f"{name}_to_output"])
            assert np.array_equal(back, forward.T)


def test_adaptive_feedback_beside_random_learns_only_its_own():
    simulation, before = trained(feedback("adaptive"), feedback("random"))
    assert not np.array_equal(simulation.values["feedback_left"], before["feedback_left"])
    assert np.array_equal(simulation.values["feedback_right"], before["feedback_right"])
    assert "feedback_left" in simulation.parameters and "feedback_right" not in simulation.parameters


def test_two_rules_of_one_population_hear_one_signal():
    net = network()
    net.connect("left", "right", plastic=True)
    sentence = r"rules\.e-prop: its third factor 'readout-error' and that of 'e-prop' reach 'right' with different"
    with pytest.raises(UserError, match=sentence):
        design(net, CrossEntropy(), feedback("random"), 1, {"other": feedback("symmetric")})
    design(net, CrossEntropy(), feedback("random"), 1, {"other": feedback("random")})


@pytest.mark.parametrize("kind", ["symmetric", "adaptive"])
def test_feedback_finds_the_readouts_weights_whatever_they_are_called(kind):
    named, before = trained(feedback(kind), feedback(kind), network(left="wout", right="out2"))
    assert not np.array_equal(named.values["feedback_left"], before["feedback_left"])
    if kind == "symmetric":
        named.tie()
        back, forward = (named.plan.wiring[name].matrix(named.values[name]) for name in ("feedback_left", "wout"))
        assert np.array_equal(back, forward.T)


def test_backprop_finds_them_too_and_two_of_them_are_refused():
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", LIF(6, representation=LayerNorm()))
    net.add("output", RateReadout(3))
    net.connect("input", "hidden", plastic=True)
    read = {"kind": "analog", "variable": "z", "every": "trial", "plastic": True}
    net.connect("hidden", "output", name="wout", **read)
    design(net, CrossEntropy(), IBHebbian(third_factor=Backprop()), 1)
    net.connect("hidden", "output", name="again", **read)
    with pytest.raises(UserError, match="'hidden' needs one projection to 'output'"):
        design(net, CrossEntropy(), IBHebbian(third_factor=Backprop()), 1)
    with pytest.raises(UserError, match="needs one projection from 'hidden' to 'output'; found: wout, again"):
        design(net, CrossEntropy(), feedback("symmetric"), 1)
