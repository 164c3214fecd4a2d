"""Reward-modulated Hebbian learning: exploration, one reward for all, and a readout that finds its target with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from readout_runs import OUTPUTS, SAMPLES, loss, regression, weights
from reference import readout_rules as oracle
from small_runs import matrices, trainer

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.learning.signals import Signal
from snnplast.random_streams import SOURCES, TRAINING, stream
from snnplast.rules.e_prop import EProp
from snnplast.rules.reward_hebbian import RewardHebbian
from snnplast.rules.third_factors.reward import Reward
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy
from snnplast.testing import check_rule, small_network, small_task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

SGD = {"name": "sgd", "learning_rate": 0.1}


def noise_of(run, index, steps=10):
    """The exploration of a training trial, drawn again."""
    rng = stream(run.task.seed, SOURCES, TRAINING, index)
    rng.bit_generator.random_raw(2)  # the key of the sources
    return 0.5 * rng.standard_normal((steps, OUTPUTS))


def test_the_trajectory_is_that_of_the_rule_in_numpy():
    run = regression(RewardHebbian(optimizer={**SGD, "schedule": "linear"}), iterations=20)
    expected = weights(run)
    for k in range(20):
        run.update()
        u, target = run.task.u[k % SAMPLES], run.task.targets[k % SAMPLES]
        expected = oracle.reward_hebbian(expected, u, target, noise_of(run, k), oracle.linear_decay(0.1, k / 20))
        np.testing.assert_allclose(weights(run), expected, rtol=1e-9, atol=1e-12)
    assert np.any(expected)


def test_a_reward_alone_moves_the_readout_to_its_target():
    run = regression(RewardHebbian(optimizer={**SGD, "schedule": "linear"}), iterations=600)
    before = loss(run)
    for _ in run:
        pass
    assert loss(run) < 0.1 * before


def changes(run, *modulations):
    """Gradient of one trial for each of several signals (n,) in place of the reward."""
    (plasticity,), record = run.simulation.plasticities, run.run(TRAINING, 0)
    for modulation in modulations:
        signals = {"output": [Signal(np.full(OUTPUTS, modulation), "trial")]}
        yield plasticity.rule.gradient(record, plasticity.projections, signals)["features_to_output"]


def test_without_modulation_nothing_changes_and_the_opposite_modulation_changes_the_opposite():
    none, one, opposite, twice = changes(regression(RewardHebbian(), 1), 0.0, 1.0, -1.0, 2.0)
    assert not np.any(none)
    assert np.any(one)
    assert np.array_equal(opposite, -one)
    np.testing.assert_allclose(twice, 2 * one, rtol=1e-12)


def test_the_target_acts_through_the_reward_only():
    run = regression(RewardHebbian(), 1)
    (plasticity,), record = run.simulation.plasticities, run.run(TRAINING, 0)
    signals = plasticity.signals(record, run.task.objective)
    assert set(signals) == {"output"}
    values = signals["output"][0].values
    assert values.shape == (10, OUTPUTS)
    assert set(np.unique(values)) == {0.0, 1.0}
    assert np.all(values == values[:, :1]), "one number for all"


def test_it_explores_in_training_and_not_in_tests():
    run = regression(RewardHebbian(), 1)
    record = run.run(TRAINING, 0)
    answered = record.during("response").ends["output.y"]
    np.testing.assert_allclose(record.activity("output"), answered + noise_of(run, 0))
    assert record.during("explore").steps == 10
    for record in run.evaluate():
        assert record.during("explore").steps == 0
        assert record.activity("output").shape == (1, OUTPUTS)


def test_hidden_layers_keep_every_bit():
    run = trainer(RewardHebbian(), small_network("rate"), iterations=3)
    before = matrices(run.simulation)
    list(run)
    after = matrices(run.simulation)
    for name in before:
        assert np.array_equal(before[name], after[name]) == (name != "second_to_output")


def test_a_readout_that_acts_step_by_step_is_refused():
    with pytest.raises(UserError, match=r"'output' acts step by step; a readout that acts once per trial, RateReadout"):
        design(small_network("leaky"), CrossEntropy(), RewardHebbian(), 1)


@pytest.mark.slow
def test_reward_hebbian_keeps_the_contract_of_rules():
    check_rule(RewardHebbian, network=small_network("rate"), timings=("trial",))


# The reward


def modulations(reward, errors):
    """What a reward makes of trials with these errors (T, n), for two neurons."""
    run = trainer(RewardHebbian(), small_network("rate"))
    record, state = run.run(TRAINING, 0), {"expected": np.full((), np.nan)}
    given, heard = [], run.simulation.plasticities[0].sources[0].context
    for error in errors:
        record.judgement = replace(record.judgement, error=np.asarray(error, dtype=float))
        given.append(reward.signal(record, heard, state)["output"])
    return given


def test_the_average_reward_begins_anew_where_a_trial_has_several_steps():
    errors = [[2.0], [1.0], [1.5], [3.0]]  # rewards -4, -1, -2.25, -9; averages -4, -4, -3.4, -3.17
    for given in modulations(Reward(), [errors, errors]):
        assert given[:, 0].tolist() == [0, 1, 1, 0]
        assert np.all(given == given[:, :1])


def test_the_average_reward_runs_across_trials_that_have_one_step():
    given = modulations(Reward(modulation="graded", memory=0.5), [[[2.0]], [[1.0]], [[1.0]]])
    assert [values[0] for values in given] == [0.0, 3.0, 1.5]


@pytest.mark.parametrize("modulation", ["binary", "graded"])
def test_online_every_neuron_works_out_the_same_reward_at_every_step(modulation):
    rule = EProp(third_factor={"name": "reward", "modulation": modulation}, evaluation="online")
    task = small_task(1)
    recorded = ["first.reward", "second.reward"]
    simulation = open_simulation(small_network(), task.objective, rule, 1, NUMPY, recorded=recorded)
    run = Trainer(simulation, task, 3)
    for trial in range(3):  # the average begins anew in each
        record = run.run(TRAINING, trial)
        heard = simulation.plasticities[0].sources[0].context
        expected = rule.third_factor.signal(record, heard, rule.third_factor.init(heard))
        assert np.ptp(expected["first"]) > 0
        for name in ("first", "second"):
            np.testing.assert_allclose(record.history[f"{name}.reward"], expected[name], rtol=0, atol=1e-14)
