"""The network of the classification models: one hidden layer or several, both readouts, and how layers learn."""

from __future__ import annotations

import data_files
import numpy as np
import pytest
from rich.console import Console

from snnplast.cli.run import run
from snnplast.config.experiment import Experiment
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.models.feed_forward import FeedForward
from snnplast.models.linear import Linear
from snnplast.network.population import LayerNorm
from snnplast.record.reading import read_run
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


@pytest.mark.parametrize("hidden", [30, [30], (30,)])
def test_one_layer_is_called_hidden_however_it_is_given(hidden):
    model = FeedForward(hidden=hidden)
    network = model.layers(inputs=6, classes=3)
    assert model.hidden == 30
    assert {name: p.size for name, p in network.populations.items()} == {"input": 6, "hidden": 30, "output": 3}
    assert list(network.projections) == ["input_to_hidden", "hidden_to_output"]


@pytest.mark.parametrize("readout", ["leaky", "rate"])
def test_several_layers_are_a_chain_and_the_last_feeds_the_readout(readout):
    network = FeedForward(hidden=[5, 4, 3], readout=readout).layers(inputs=6, classes=2)
    assert list(network.populations) == ["input", "hidden1", "hidden2", "hidden3", "output"]
    pairs = ("input", "hidden1"), ("hidden1", "hidden2"), ("hidden2", "hidden3"), ("hidden3", "output")
    assert [(p.source, p.target) for p in network.projections.values()] == list(pairs)
    assert all(projection.plastic for projection in network.projections.values())
    for name, size in (("hidden1", 5), ("hidden2", 4), ("hidden3", 3)):
        assert network.populations[name].size == size
        assert isinstance(network.populations[name].representation, LayerNorm)


@pytest.mark.parametrize("hidden", [0, -1, 2.5, True, "many", [], [5, 0], [5, "4"], [[5]], None])
def test_a_wrong_size_of_a_layer_is_one_sentence(hidden):
    with pytest.raises(UserError, match=r"^FeedForward\.hidden = .*: a number of neurons, at least 1, or a list"):
        FeedForward(hidden=hidden)


def test_the_command_line_takes_a_list_and_names_the_option_that_is_wrong():
    experiment = Experiment.of("xor", "model.hidden=[6, 4]")
    assert experiment.model.hidden == (6, 4)
    assert "hidden = [6, 4]\n" in experiment.text()
    with pytest.raises(UserError, match=r"^--set model\.hidden = \[6, 0\]: a number of neurons"):
        Experiment.of("xor", "model.hidden=[6, 0]")


@pytest.mark.parametrize("rule", ["ib-hebbian", "e-prop", "frozen"])
def test_every_rule_takes_two_layers(rule):
    experiment = Experiment.of("xor", f"rule={rule}", "model.hidden=[6, 4]")
    (plasticity,) = design(experiment.network, CrossEntropy(), experiment.rule, seed=1).plasticities
    assert plasticity.targets == (() if rule == "frozen" else ("hidden1", "hidden2"))
    assert len(plasticity.projections) == (1 if rule == "frozen" else 3)


def test_a_run_keeps_the_spikes_of_all_layers(tmp_path):
    data = data_files.write_arrays(tmp_path / "data.npz")
    sets = [f"model.path={data}", f"record.path={tmp_path / 'run.h5'}", "train.epochs=1", "engine=runtime"]
    experiment = Experiment.of("arrays", *sets, "engine.target=numpy", "model.hidden=[6, 4]", "model.gain=4")
    run(experiment, Console(), quiet=True)
    found = read_run(tmp_path / "run.h5")
    assert list(found.populations) == ["hidden1", "hidden2"]
    assert all(len(found.spikes(layer)[0]) for layer in found.populations)


SEED = 1


def learnt(model, rule, samples=12):
    """The trainer after some samples, weights before, and the signals that the layers were given."""
    task, given = model.task(SEED), []
    simulation = open_simulation(model.network(), task.objective, rule, SEED, NUMPY)
    before = {name: values.copy() for name, values in simulation.values.items()}
    signals = simulation.plasticities[0].signals

    def watched(*arguments):
        given.append(signals(*arguments))
        return given[-1]

    simulation.plasticities[0].signals = watched
    trainer = Trainer(simulation, task, samples)
    for step in trainer:
        for layer in ("hidden1", "hidden2"):
            assert step.trials[0].counts(layer).any(), f"{layer} is silent: the test is vacuous"
    return simulation.values, before, given


def test_two_layers_learn_by_ib_hebbian_at_once_each_from_a_signal_of_its_own():
    model = Linear(hidden=[6, 5], readout="rate", copies=5, gain=4)
    after, before, given = learnt(model, IBHebbian(third_factor={"name": "hsic", "window": 4}))
    assert [signals["hidden1"] is None for signals in given] == [True] * 3 + [False] * 9
    assert [signals["hidden2"] is None for signals in given] == [True] * 3 + [False] * 9
    for signals in given[3:]:
        first, second = (signals[layer][0].values for layer in ("hidden1", "hidden2"))
        assert (first.shape, second.shape) == ((6,), (5,))
        assert np.any(first) and np.any(second)
    for name in ("input_to_hidden1", "hidden1_to_hidden2", "hidden2_to_output", "hidden1.bias", "hidden2.bias"):
        assert np.any(after[name] != before[name]), name


def test_two_layers_learn_by_e_prop_at_once_each_from_feedback_of_its_own():
    model = Linear(hidden=[6, 5], copies=5, gain=4)
    after, before, given = learnt(model, EProp())
    assert not np.array_equal(given[-1]["hidden1"][0].feedback[:5], given[-1]["hidden2"][0].feedback)
    for name in ("input_to_hidden1", "hidden1_to_hidden2", "hidden2_to_output"):
        assert np.any(after[name] != before[name]), name


def test_a_zero_signal_leaves_the_weights_of_both_layers_as_they_are():
    model = Linear(hidden=[6, 5], readout="rate", copies=5, gain=4)
    after, before, _ = learnt(model, IBHebbian(third_factor="zero"))
    for name in ("input_to_hidden1", "hidden1_to_hidden2"):
        assert np.array_equal(after[name], before[name])
    assert np.any(after["hidden2_to_output"])
