"""Cross-entropy in the synapses: the same error as after the trial, whatever the targets and however large y."""

from __future__ import annotations

import numpy as np
import pytest
from small_runs import trainer

from snnplast.engine import COMPILED, NUMPY
from snnplast.network.weights import Gaussian
from snnplast.rules.e_prop import EProp
from snnplast.task.objective import CrossEntropy
from snnplast.task.task import Task
from snnplast.task.trial import Segment
from snnplast.testing import small_network


class Weighted(Task):
    """One segment whose targets are no probabilities."""

    objective = CrossEntropy(window=40)

    def trial(self, index):
        rng = np.random.default_rng(index)
        yield Segment(60, {"input": rng.random(12)}, {"output.target": 2 * rng.random((60, 3))})


@pytest.mark.parametrize("engine", [NUMPY, pytest.param(COMPILED, marks=pytest.mark.slow)])
def test_online_and_factored_agree_for_weighted_targets_and_activities_beyond_the_range_of_exp(engine):
    gradients = {}
    for evaluation in ("online", "factored"):
        net = small_network()
        net.change("second_to_output", weights=Gaussian(std=2e4))
        run = trainer(EProp(evaluation=evaluation), net, task=Weighted(), engine=engine)
        with np.errstate(over="ignore"):  # as in every run
            record = run.run(0, 0)
        assert np.ptp(record.activity("output"), axis=1).max() > 710
        (plasticity,) = run.simulation.plasticities
        gradients[evaluation] = {n: np.array(g) for n, g in plasticity.gradient(record, run.task.objective).items()}
    for name, online in gradients["online"].items():
        largest = np.abs(online).max()
        assert np.isfinite(largest) and largest > 0
        assert np.abs(gradients["factored"][name] - online).max() < 1e-10 * largest
