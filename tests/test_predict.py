"""What a network answers to samples of one's own: of every task that can show them, with what its objective answers."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.errors import UserError
from snnplast.models.evidence_accumulation import EvidenceAccumulation
from snnplast.models.pattern_generation import PatternGeneration
from snnplast.models.store_recall import RECALL, STORE, StoreRecall

GENERATE = PatternGeneration(hidden=5, inputs=8)
ACCUMULATE = EvidenceAccumulation(draws="fresh", hidden=4, tests=2)
REMEMBER = StoreRecall(hidden=4, periods=6, period="5 ms", shortest=1, group=8, rate="200 Hz", tests=3)


def experiment(model, task=None, **values):
    task = task or model.task(1)
    return snn.Experiment(model.network(), task, snn.EProp(batch=1), iterations=1, engine="runtime", **values)


def spikes_of(segment, inputs):
    x = np.zeros((segment.steps, inputs), int)
    x[segment.inputs["input"]] = 1
    return x


def test_a_task_that_generates_answers_with_the_trace_of_its_readout():
    own = spikes_of(next(GENERATE.task(1).trial(0)), GENERATE.inputs)
    with snn.open(experiment(GENERATE)) as sim:
        trained = sim.trial(0).activity("output")
        said = sim.predict([own, np.zeros_like(own)])
    assert said.shape == (2, 1000, 1) and trained.any()
    assert np.array_equal(said[0], trained) and not said[1].any()


def test_a_regression_by_a_readout_that_acts_once_answers_with_one_row_per_sample():
    net = snn.Network()
    net.add("input", snn.PoissonSource(4, peak_rate="500 Hz"))
    net.add("hidden", snn.LIF(3, v_threshold=0.5, representation=snn.LayerNorm()))
    net.add("output", snn.RateReadout(2))
    net.connect("input", "hidden", weights=snn.Normal(), plastic=True)
    net.connect(
        "hidden", "output", kind="analog", variable="z", every="trial", weights=snn.Normal(gain=1.0), plastic=True
    )
    x = np.eye(4)
    task = snn.Classification(x, [0, 1, 0, 1], x[:2], [0, 1], steps=20, objective=snn.MeanSquaredError())
    exp = snn.Experiment(net, task, snn.IBHebbian(batch=1), epochs=1, engine="runtime")
    with snn.open(exp) as sim:
        said = sim.predict(x[:2])
        assert np.array_equal(said, [sim.test(k).activity("output")[0] for k in range(2)]) and said.any()


def test_cues_of_the_test_trials_have_their_answers():
    with snn.open(experiment(ACCUMULATE)) as sim:
        tested = [sim.test(k) for k in range(2)]
        cues = [cues_of(record) for record in tested]
        labels, said = sim.predict(cues, labels=True), sim.predict(cues)
    assert labels.tolist() == [record.judgement.answered[0] for record in tested]
    assert np.array_equal(said, [record.activity("output")[-150:].mean(axis=0) for record in tested]) and said.any()


def cues_of(record):
    """Which of two groups of ten inputs fired more in each of the seven cues."""
    steps, inputs = record.spikes["input"]
    cue, within = np.divmod(steps, 150)
    counts = [[np.sum((cue == k) & (within >= 50) & (inputs // 10 == side)) for side in (0, 1)] for k in range(7)]
    return np.argmax(counts, axis=1)


def test_every_recall_has_an_answer():
    x = np.zeros((2, 8, 4), int)
    x[:, :, 0] = 1
    x[:, [0, 4], STORE] = 1
    x[0, [2, 6]] = x[1, [3, 5]] = np.eye(4)[RECALL]
    with snn.open(experiment(REMEMBER)) as sim:
        said, labels = sim.predict(x), sim.predict(x, labels=True)
        assert said.shape == (2, 2, 2) and labels.shape == (2, 2) and said.any()
        alone = sim.predict(x[:1, :3])
        np.testing.assert_array_equal(alone[0], said[0, 0])
        x[1, 5] = 0
        with pytest.raises(UserError, match=r"x\[1\] has an answer of shape \(2,\), x\[0\] one of \(2, 2\)"):
            sim.predict(x)


class Follow(snn.Task):
    objective = snn.MeanSquaredError()

    def trial(self, index):
        yield snn.Segment(10, {"input": ([1], [0])}, {"output.target": [0]})


@pytest.mark.parametrize(
    ("model", "task", "x", "labels", "said"),
    [
        (GENERATE, Follow(), [[0]], False, "Follow shows no samples of one's own; a ShowsSamples does"),
        (GENERATE, None, np.zeros((1, 5, 8), int), True, "labels=True needs a task that chooses, with an objective"),
        (GENERATE, None, np.zeros((1, 5, 7), int), False, r"shape \(1, 5, 7\); \(samples, steps, inputs = 8\)"),
        (GENERATE, None, np.zeros((1, 5, 8)), False, "predict: x: integers are needed"),
        (ACCUMULATE, None, [[0, 1]], False, r"shape \(1, 2\); \(samples, cues = 7\)"),
        (ACCUMULATE, None, [[2] * 7], False, r"predict: x: integers must lie in \[0, 1\]"),
        (REMEMBER, None, np.zeros((1, 5, 4), int), False, r"x\[0\] asks nothing; a RECALL, x\[0, period, 3\] = 1"),
    ],
)
def test_what_has_no_answer_is_refused(model, task, x, labels, said):
    with pytest.raises(UserError, match=said):
        snn.predict(experiment(model, task), x, labels=labels)
