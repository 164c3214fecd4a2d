"""One trial: its segments follow one another, and what does not fit the network is said."""

from __future__ import annotations

import re

import numpy as np
import pytest

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.random_streams import TRAINING
from snnplast.rules.e_prop import EProp
from snnplast.task.objective import MeanSquaredError
from snnplast.task.task import Classification, Task
from snnplast.task.trial import Record, Segment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


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
        ({"x": np.eye(12)[:, :5]}, "task.x has 5 values per sample, but 'input' has 12 neurons"),
        ({"labels": np.arange(12) % 4}, "task: labels span 0 to 3 of 4 classes, but the readout 'output' has 3 units"),
        ({"source": "inptu"}, "task: 'inptu' is no PoissonSource of the network; did you mean 'input'?"),
    ],
)
def test_a_task_that_does_not_fit_the_network_is_said(changed, sentence):
    sets = {"x": np.eye(12), "labels": np.arange(12) % 3, "x_test": np.eye(12), "labels_test": np.arange(12) % 3}
    task = Classification(**{**sets, "source": "input", **changed}, steps=5, seed=1)
    with pytest.raises(UserError) as caught:
        Trainer(open_simulation(plain_network(), task.objective, EProp(), 1, NUMPY), task, 1).update()
    assert str(caught.value).startswith(sentence)


TARGET = {"output.target": np.ones(3)}


class Two(Task):
    """Two segments, the second with settings of the test's choice."""

    objective = MeanSquaredError()

    def __init__(self, **second):
        self.second = second

    def trial(self, index):
        record = yield Segment(6, {"input": np.full(12, 0.5)}, TARGET)
        assert record.steps == 6 and record.spikes["input"][0].size
        yield Segment(4, **{"inputs": {"input": np.full((4, 12), 0.9)}, "series": TARGET, **self.second})


def test_a_trial_may_have_several_segments():
    for evaluation in ("online", "factored"):
        run = Trainer(
            open_simulation(plain_network(), Two.objective, EProp(evaluation=evaluation), 1, NUMPY),
            Two(),
            1,
        )
        record = run.run(TRAINING, 0)
        assert record.steps == 10 and record.series["output.target"].shape == (10, 3)
        assert record.history["output.y"].shape == (10, 3) and record.spikes["input"][0].max() >= 6


class Pieces(Task):
    """Spikes of 60 steps in segments of one length, shown to what looks on after each."""

    objective = MeanSquaredError()

    def __init__(self, length, look=lambda record: None):
        self.length, self.look = length, look

    def trial(self, index):
        x = np.random.default_rng(3).random((60, 12)) < 0.3
        for first in range(0, 60, self.length):
            spikes = np.nonzero(x[first : first + self.length])
            target = np.full(3, first // 20, float)
            self.look((yield Segment(self.length, {"input": spikes}, {"output.target": target})))


def pieces(simulation, *task):
    return Trainer(simulation, Pieces(*task), 1).run(TRAINING, 0)


def test_a_trial_in_pieces_is_the_trial_in_one_and_looking_on_changes_nothing():
    simulation = open_simulation(plain_network(weights=0.5), Pieces.objective, EProp(), 1, NUMPY)
    seen = []

    def look(record):
        seen.append((record.steps, record.spikes["hidden"], record.history["output.y"].copy()))

    whole, split = pieces(simulation, 20), pieces(simulation, 5, look)
    assert whole.spikes["hidden"][0].size > 20
    for name in ("input", "hidden"):
        np.testing.assert_array_equal(whole.spikes[name], split.spikes[name])
    np.testing.assert_array_equal(whole.series["output.target"], split.series["output.target"])
    assert [steps for steps, _, _ in seen] == list(range(5, 65, 5))
    for steps, (times, neurons), activity in seen:
        so_far = split.spikes["hidden"][0] < steps
        np.testing.assert_array_equal((times, neurons), np.compress(so_far, split.spikes["hidden"], axis=1))
        np.testing.assert_array_equal(activity, split.history["output.y"][:steps])


def test_what_a_task_does_not_look_at_is_not_read_between_segments(monkeypatch):
    simulation = open_simulation(plain_network(), Pieces.objective, EProp(), 1, NUMPY)
    asked, spikes = [], simulation.engine.spikes
    monkeypatch.setattr(simulation.engine, "spikes", lambda name: asked.append(name) or spikes(name))
    pieces(simulation, 1)
    assert sorted(asked) == sorted(simulation.spiking)
    with pytest.raises(KeyError):
        pieces(simulation, 20, lambda record: record.spikes["hiden"])


@pytest.mark.parametrize(
    "second, sentence",
    [
        ({"series": {}}, "task: series 'output.target' covers 6 of 10 steps; every segment of the trial must give it"),
        (
            {"inputs": {"input": np.full(12, 1.5)}},
            "Segment.inputs['input']: values must lie in [0, 1], these span 1.5 to 1.5",
        ),
        ({"inputs": {"hidden": np.zeros(6)}}, "task: 'hidden' is no source of the network; Known: input"),
        ({"series": {"otput.target": np.zeros(3)}}, "network: unknown population 'otput': did you mean 'output'?"),
        ({"inputs": {"input": (np.array([3]), np.array([12]))}}, "'input'): index 12 is not in 0 to 11"),
        ({"inputs": {"input": np.zeros(5)}}, "task: the values for 'input' have shape (5,), the population has 12"),
        (
            {"series": {"output.target": np.ones(4)}},
            "task: series 'output.target' has shape (4,); allowed are (3,) and (4, 3)",
        ),
        (
            {"series": {**TARGET, "output.in_window": np.ones((4, 1))}},
            "task: series 'output.in_window' covers 4 of 10 steps; every segment of the trial must give it",
        ),
        (
            {"series": {**TARGET, "output.in_window": np.ones((4, 3))}},
            "task: series 'output.in_window' has shape (4, 3); allowed are (1,) and (4, 1)",
        ),
        (
            {"series": {**TARGET, "output.in_window": np.array([0.5])}},
            "task: series 'output.in_window' holds [0.5]; allowed are 0 and 1",
        ),
    ],
)
def test_a_segment_that_does_not_fit_is_said(second, sentence):
    run = Trainer(open_simulation(plain_network(), Two.objective, EProp(), 1, NUMPY), Two(**second), 1)
    with pytest.raises(UserError) as caught:
        run.update()
    assert sentence in str(caught.value)


def test_a_stimulus_is_the_mean_of_the_values_shown_or_said():
    values = np.random.default_rng(0).random((4, 12))
    run = Trainer(
        open_simulation(plain_network(), Two.objective, EProp(), 1, NUMPY),
        Two(inputs={"input": values}),
        1,
    )
    np.testing.assert_allclose(run.run(TRAINING, 0).stimulus("input"), values.mean(axis=0), rtol=1e-14)
    said = Record(run.simulation.network, {}, {}, series={"input.value": values})
    np.testing.assert_allclose(said.stimulus("input"), values.mean(axis=0), rtol=1e-14)
    with pytest.raises(UserError, match=r"'input' was given spikes; .* are needed as a series 'input\.value'"):
        Record(run.simulation.network, {}, {}).stimulus("input")


class Windowed(Two):
    """Two segments whose learning window the task gives: (rows of the first, rows of the second)."""

    def __init__(self, first, second, objective=None):
        self.windows = [np.array(rows, dtype=float)[:, None] for rows in (first, second)]
        self.objective = objective or MeanSquaredError()

    def trial(self, index):
        for k, window in enumerate(self.windows):
            values = np.full(12, (0.5, 0.9)[k])
            yield Segment(len(window), {"input": values}, {**TARGET, "output.in_window": window})


def windowed(evaluation, task):
    """The record of trial 0 and its gradients, from a network whose readout is not silent."""
    net = plain_network(weights=0.5)
    simulation = open_simulation(net, task.objective, EProp(evaluation=evaluation), 1, NUMPY)
    record = Trainer(simulation, task, 1).run(TRAINING, 0)
    (plasticity,) = simulation.plasticities
    return record, plasticity.gradient(record, task.objective)


def test_the_task_may_say_which_steps_count_in_every_segment():
    first, second = [0, 0, 1, 1, 0, 0], [0, 1, 0, 0]
    found = [windowed(evaluation, Windowed(first, second)) for evaluation in ("online", "factored")]
    (online, gradients), (factored, others) = found
    for record in (online, factored):
        assert record.in_window("output").tolist() == first + second
        assert np.any(record.series["output.error"], axis=1).tolist() == [bool(row) for row in first + second]
        expected = 0.5 * np.sum((record.activity("output") - 1)[record.in_window("output") == 1] ** 2) / 3
        np.testing.assert_allclose(record.judgement.loss, expected, rtol=1e-12)
    for name, gradient in gradients.items():
        assert np.abs(others[name] - gradient).max() < 1e-10 * np.abs(gradient).max() > 0


def test_without_a_series_the_learning_window_is_the_objectives_own():
    record = Trainer(open_simulation(plain_network(), MeanSquaredError(window=3), EProp(), 1, NUMPY), Two(), 1).run(
        TRAINING, 0
    )
    assert record.in_window("output").tolist() == [0] * 7 + [1] * 3


@pytest.mark.parametrize("evaluation", ["online", "factored"])
@pytest.mark.parametrize(
    "task, sentence",
    [
        (Windowed([0] * 6, [0] * 4), "task: series 'output.in_window' is 0 wherever the readout is judged"),
        (
            Windowed([1] * 6, [0] * 4, MeanSquaredError(window=2)),
            "task: series 'output.in_window' and objective.window = 2 contradict: give one of them",
        ),
    ],
)
def test_a_learning_window_that_cannot_be_meant_is_said(evaluation, task, sentence):
    with pytest.raises(UserError) as caught:
        windowed(evaluation, task)
    assert str(caught.value).startswith(sentence)


class Showing(Task):
    """One segment with inputs of the test's choice."""

    objective = MeanSquaredError()

    def __init__(self, **inputs):
        self.inputs = inputs

    def trial(self, index):
        yield Segment(50, self.inputs, TARGET)


def with_background(**settings):
    net = plain_network()
    net.add("noise", PoissonSource(8, **settings))
    net.connect("noise", "hidden")
    return net


def shown(net, task):
    return Trainer(open_simulation(net, task.objective, EProp(), 1, NUMPY), task, 1).run(TRAINING, 0)


def test_a_source_that_is_given_nothing_is_named_and_silence_can_be_meant():
    values = np.full(12, 0.5)
    with pytest.raises(UserError, match="gives 'noise' nothing to show, though 'noise_to_hidden' carries its spikes"):
        shown(with_background(), Showing(input=values))
    assert not shown(with_background(), Showing(input=values, noise=([], []))).counts("noise").any()
    with pytest.raises(UserError, match="trial 0 gives 'input' nothing to show"):
        shown(plain_network(), Showing())


def test_a_source_with_a_rate_fires_by_itself_and_leaves_the_others_as_they_were():
    values = np.full(12, 0.5)
    record = shown(with_background(rate="200 Hz"), Showing(input=values))
    count, expected = record.counts("noise").sum(), 8 * 50 * 0.2
    assert abs(count - expected) < 4 * np.sqrt(expected)
    alone = shown(plain_network(), Showing(input=values))
    assert all(map(np.array_equal, record.spikes["input"], alone.spikes["input"]))
    with pytest.raises(UserError, match="'noise' has a constant rate of its own: it takes nothing from the task"):
        shown(with_background(rate="10 Hz"), Showing(input=values, noise=np.ones(8)))
    with pytest.raises(UserError, match=r"network\.noise\.rate = 2000 Hz: at most one spike per step of 1 ms"):
        with_background(rate="2000 Hz")


@pytest.mark.parametrize(
    "trial, sentence",
    [
        (lambda self, index: iter(()), "task: trial 0 is <"),
        (lambda self, index: None, "task: trial 0 is None; a generator of segments is needed: 'yield Segment(...)'"),
        (lambda self, index: (x for x in [5]), "task: trial 0 yields 5; a Segment is needed"),
        (lambda self, index: (x for x in []), "task: trial 0 has no segment; at least one is needed"),
    ],
)
def test_a_trial_is_a_generator_of_segments(trial, sentence):
    task = type("Odd", (Task,), {"trial": trial, "objective": MeanSquaredError()})()
    with pytest.raises(UserError) as caught:
        shown(plain_network(), task)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "said, sentence",
    [
        ({"objective": "mse"}, "task.objective = 'mse': an Objective, such as CrossEntropy(), or None is needed"),
        ({"epoch": 2.5}, "task.epoch = 2.5: an integer of at least 1 is needed"),
        ({"tests": -1}, "task.tests = -1: an integer of at least 0 is needed"),
        ({"seed": "a"}, "task.seed = 'a': an integer of at least 0 is needed"),
    ],
)
def test_what_a_task_says_of_itself_is_checked_before_it_runs(said, sentence):
    task = Two()
    vars(task).update(said)
    with pytest.raises(UserError, match=re.escape(sentence)):
        task.on(plain_network())


def test_a_task_set_to_a_network_is_a_copy():
    task = Two()
    assert task.on(plain_network(), batch=7).batch == 7 and task.batch == 1
