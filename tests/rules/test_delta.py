"""Delta rule: a readout follows its target by gradient descent, and nothing else learns."""

from __future__ import annotations

import numpy as np
import pytest
from readout_runs import SAMPLES, loss, regression, weights
from reference import readout_rules as oracle
from small_runs import matrices, trainer

from snnplast.rules.delta import Delta
from snnplast.testing import check_rule, small_network


def test_the_trajectory_is_that_of_the_rule_in_numpy():
    run = regression(Delta(optimizer={"name": "sgd", "learning_rate": 0.1, "schedule": "linear"}), iterations=20)
    expected = weights(run)
    for k in range(20):
        run.update()
        u, target = run.task.u[k % SAMPLES], run.task.targets[k % SAMPLES]
        expected = oracle.delta(expected, u, target, oracle.linear_decay(0.1, k / 20))
        np.testing.assert_allclose(weights(run), expected, rtol=1e-10, atol=1e-14)
    assert np.any(expected)


def test_it_learns_what_is_linear_in_the_features():
    run = regression(Delta(optimizer={"name": "sgd", "learning_rate": 0.1}), iterations=400)
    before = loss(run)
    for _ in run:
        pass
    assert loss(run) < 1e-3 * before


def test_a_bias_is_learned_where_there_is_one():
    run = regression(Delta(), iterations=1, biased=True)
    (record,) = run.update().trials
    np.testing.assert_allclose(run.simulation.values["output.bias"], -0.01 * record.series["output.error"][0])


@pytest.mark.parametrize("readout", ["leaky", "rate"])
def test_hidden_layers_keep_every_bit(readout):
    run = trainer(Delta(), small_network(readout), iterations=3)
    before = matrices(run.simulation)
    for step in run:
        assert step.trials[0].counts("second").sum()
    after = matrices(run.simulation)
    for name in before:
        assert np.array_equal(before[name], after[name]) == (name != "second_to_output")


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["leaky", "rate"])
def test_delta_keeps_the_contract_of_rules(readout):
    check_rule(Delta, network=small_network(readout))
