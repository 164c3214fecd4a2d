"""One trial: its segments follow one another, and what does not fit the network is said."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.assemble import assemble
from snnplast.errors import UserError
from snnplast.network import Network
from snnplast.neurons import LIF
from snnplast.objective import MeanSquaredError
from snnplast.population import LayerNorm, PoissonSource
from snnplast.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.task import TRAINING, Classification, Task
from snnplast.train import Trainer
from snnplast.trial import Record, Segment


def plain_network(**settings):
    net = Network()
    net.add("input", PoissonSource(12, peak_rate="300 Hz"))
    net.add("hidden", LIF(6, representation=LayerNorm()))
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", plastic=True, **settings)
    net.connect("hidden", "output", plastic=True)
    return net


@pytest.mark.parametrize(
    "changed, sentence",
    [
        ({"x": np.eye(12)[:, :5]}, "task: the values for 'input' have shape (5,), the population has 12 neurons"),
        ({"labels": np.arange(12) % 4}, "task: series 'output.target' has shape (4,); allowed are (3,) and (5, 3)"),
        ({"source": "inptu"}, "task: 'inptu' is no source of the network; did you mean 'input'?"),
    ],
)
def test_a_task_that_does_not_fit_the_network_is_said(changed, sentence):
    sets = {"x": np.eye(12), "labels": np.arange(12) % 3, "x_test": np.eye(12), "labels_test": np.arange(12) % 3}
    task = Classification(**{**sets, "source": "input", **changed}, steps=5, seed=1)
    with pytest.raises(UserError) as caught:
        Trainer(assemble(plain_network(), task.objective, EProp(), 1, "runtime", "numpy"), task, 1).update()
    assert str(caught.value).startswith(sentence)


class Two(Task):
    """Two segments, the second with settings of the test's choice."""

    objective = MeanSquaredError()

    def __init__(self, **second):
        self.second = second

    def trial(self, index):
        target = {"output.target": np.ones(3)}
        record = yield Segment(6, {"input": np.full(12, 0.5)}, target)
        assert record.steps == 6 and record.spikes["input"][0].size
        yield Segment(4, **{"inputs": {"input": np.full((4, 12), 0.9)}, "series": target, **self.second})


def test_a_trial_may_have_several_segments():
    for evaluation in ("online", "factored"):
        run = Trainer(
            assemble(plain_network(), Two.objective, EProp(evaluation=evaluation), 1, "runtime", "numpy"), Two(), 1
        )
        record = run.run(TRAINING, 0)
        assert record.steps == 10 and record.series["output.target"].shape == (10, 3)
        assert record.history["output.y"].shape == (10, 3) and record.spikes["input"][0].max() >= 6


@pytest.mark.parametrize(
    "second, sentence",
    [
        ({"series": {}}, "task: series 'output.target' covers 6 of 10 steps; every segment of the trial must give it"),
        (
            {"inputs": {"input": np.full(12, 1.5)}},
            "task: the values for 'input' span 1.5 to 1.5; allowed are values in",
        ),
        ({"inputs": {"hidden": np.zeros(6)}}, "task: 'hidden' is no source of the network; Known: input"),
        ({"series": {"otput.target": np.zeros(3)}}, "network: unknown population 'otput'; did you mean 'output'?"),
        ({"inputs": {"input": (np.array([9]), np.array([12]))}}, "'input'"),
    ],
)
def test_a_segment_that_does_not_fit_is_said(second, sentence):
    run = Trainer(assemble(plain_network(), Two.objective, EProp(), 1, "runtime", "numpy"), Two(**second), 1)
    with pytest.raises(UserError) as caught:
        run.update()
    assert sentence in str(caught.value)


def test_a_stimulus_is_the_mean_of_the_values_shown_or_said():
    values = np.random.default_rng(0).random((4, 12))
    run = Trainer(
        assemble(plain_network(), Two.objective, EProp(), 1, "runtime", "numpy"), Two(inputs={"input": values}), 1
    )
    np.testing.assert_allclose(run.run(TRAINING, 0).stimulus("input"), values.mean(axis=0), rtol=1e-14)
    said = Record(run.assembly.network, {}, {}, series={"input.value": values})
    np.testing.assert_allclose(said.stimulus("input"), values.mean(axis=0), rtol=1e-14)
    with pytest.raises(UserError, match=r"'input' was given spikes; .* are needed as a series 'input\.value'"):
        Record(run.assembly.network, {}, {}).stimulus("input")
