"""Frozen: hidden layers keep every bit, readouts learn exactly as under e-prop."""

from __future__ import annotations

import numpy as np
import pytest
from small_runs import matrices, trainer

from snnplast.random_streams import TRAINING
from snnplast.rules.e_prop import EProp
from snnplast.rules.frozen import Frozen
from snnplast.testing import check_rule, small_network


@pytest.mark.parametrize("evaluation", ["online", "factored"])
@pytest.mark.parametrize("readout", ["leaky", "rate"])
def test_only_the_readout_learns(readout, evaluation):
    run = trainer(Frozen(evaluation=evaluation), small_network(readout), iterations=3)
    before, bias = matrices(run.simulation), run.simulation.values.get("output.bias", np.zeros(1)).copy()
    steps = list(run)
    assert all(step.trials[0].counts("second").sum() for step in steps)
    after = matrices(run.simulation)
    for name in before:
        assert np.array_equal(before[name], after[name]) == (name != "second_to_output")
    if readout == "rate":
        assert np.any(run.simulation.values["output.bias"] != bias)


def test_its_readout_gradient_is_that_of_e_prop():
    found = []
    for rule in (Frozen(), EProp()):
        run = trainer(rule)
        (plasticity,) = run.simulation.plasticities
        found.append(plasticity.gradient(run.run(TRAINING, 0), run.task.objective))
    assert set(found[0]) == {"second_to_output"}
    assert np.any(found[0]["second_to_output"])
    assert np.array_equal(found[0]["second_to_output"], found[1]["second_to_output"])


def test_hidden_projections_get_no_code():
    run = trainer(Frozen(evaluation="online"))
    assert "psi" not in run.simulation.plan.populations["first"].names()
    assert not run.simulation.plan.synapses["input_to_first"].names()


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["leaky", "rate"])
def test_frozen_keeps_the_contract_of_rules(readout):
    check_rule(Frozen, network=small_network(readout))
