"""What is learned within a trial, wherever it is and whatever code calls it, is written through the gate and kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import NUMPY
from snnplast.learning import Prepares, WithinTrial
from snnplast.network import Fragment, Injection
from snnplast.random_streams import SOURCES, TRAINING, stream
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_network, small_samples, small_task
from snnplast.training.pretrain import open_simulation


class Within(WithinTrial):
    """A rule made of code."""

    name, learns = "within", "hidden"
    source: str = ""
    code: dict = {}

    def inject(self, network, projection, kinds):
        if projection.source != (self.source or projection.source):
            return Injection()
        return Injection(**self.code)

    def parameters(self, network, projections):
        return {}


THETA = Fragment(("theta : 1",), learned=("theta",))
RULES = {
    "first.theta": Within(code={"post": THETA, "synapse": Fragment(on_post=("theta_post += 0.1",))}),
    "first.theta ": Within(code={"post": THETA, "synapse": Fragment(on_post=("theta += 0.1",))}),
    "first.bias": Within(code={"synapse": Fragment(on_arrival=("bias_post += 0.001",))}),
    "first.bias ": Within(code={"synapse": Fragment(on_arrival=("bias += 0.001",))}),
    "first.bias  ": Within(code={"post": Fragment(on_spike=("bias -= 0.001",))}),
    "input_traces.theta": Within(
        source="input",
        code={"pre": THETA, "synapse": Fragment(on_arrival=("theta_pre += 0.1",)), "beside": True},
    ),
}
"""What each learns -> the rule, under every name that its code may have for it."""


@pytest.mark.parametrize("name", RULES)
def test_what_is_learned_of_neurons_moves_in_training_only(name):
    learned, task = name.strip(), small_samples()
    simulation = open_simulation(small_network("none"), None, RULES[name], 1, NUMPY)
    with simulation.engine:
        for learning in (False, True):
            before, rng = simulation.values[learned].copy(), stream(1, SOURCES, TRAINING, 0)
            simulate(simulation, task.on(simulation.network).trial(0), 0, 1, rng, learning=learning)
            assert np.array_equal(simulation.values[learned], before) != learning


def test_the_file_of_a_run_holds_the_biases_that_code_learns(tmp_path):
    rule = RULES["first.bias"]
    experiment = snn.Experiment(small_network("none"), small_samples(), rule, epochs=1, engine=NUMPY)
    run = snn.train(experiment.changed(record=snn.Recording(path=str(tmp_path / "run.h5"))))
    assert set(run.learned) == {"first.bias", "second.bias"}


class Shrinking(Prepares, EProp):
    """It makes weights smaller before each training trial."""

    name = "shrinking"

    def prepare(self, projection, weights, wiring):
        weights *= 0.9


@pytest.mark.parametrize("rule", [Shrinking(), snn.STDP()], ids=lambda rule: rule.name)
def test_a_trial_by_itself_leaves_weights_alone(rule):
    within = isinstance(rule, snn.STDP)
    net, task = (small_network("none"), small_samples()) if within else (small_network(), small_task())
    with snn.open(snn.Experiment(net, task, rule, epochs=1, engine=NUMPY)) as sim:
        before = sim.snapshot()
        sim.trial(0)
        assert all(np.array_equal(sim.weights[name], before[name]) for name in before)
        sim.update()
        assert not np.array_equal(sim.weights["input_to_first"], before["input_to_first"])


def test_a_name_that_one_rule_learns_and_another_does_not_is_two_variables():
    counted = Fragment(("theta : 1",), on_spike=("theta += 1",))
    rule, other = (Within(code={"post": code}) for code in (replace(counted, learned=("theta",)), counted))
    net = small_network("none")
    net.projections["first_to_first"] = net.projections["first_to_first"].model_copy(update={"rule": "other"})
    simulation = open_simulation(net, None, rule, 1, NUMPY, others={"other": other})
    with simulation.engine:
        assert [name for name in simulation.plan.learned if name.startswith("first.")] == ["first.theta"]
        assert "first.theta_first_to_first" in {f"first.{n}" for n in simulation.plan.populations["first"].names()}


class Claiming(snn.STDP):
    """Its trials follow each other, whatever it says of them."""

    name = "claiming"
    batch_mode = "independent"


def test_weights_that_change_within_trials_do_so_on_one_engine():
    found = []
    for workers in (1, 2):
        experiment = snn.Experiment(
            small_network("none"), small_samples(), Claiming(), epochs=1, engine=NUMPY, workers=workers
        )
        with snn.open(experiment) as sim:
            for _ in range(3):
                sim.update()
            found.append(sim.weights["input_to_first"].copy())
    assert np.array_equal(*found)
