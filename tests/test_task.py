"""Tasks: trial k of a seed is a pure function of both, and an epoch shows every sample once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.random_streams import TRAINING
from snnplast.task.objective import MeanSquaredError
from snnplast.task.task import Classification, Task


def task(seed=1, **settings):
    x = np.linspace(0, 1, 18).reshape(6, 3)
    labels = np.array([0, 1, 2, 0, 1, 2])
    return Classification(x, labels, x[:2], labels[:2], **{"steps": 5, "seed": seed, **settings})


def shown(trial):
    """Values and target of a trial of one segment."""
    (segment,) = trial
    return segment.inputs["input"].tolist(), segment.series["output.target"].tolist()


def test_any_trial_can_be_made_alone_in_any_order():
    one, other = task(), task()
    forward = [shown(one.trial(k)) for k in range(12)]
    backward = [shown(other.trial(k)) for k in reversed(range(12))][::-1]
    assert forward == backward


def test_an_epoch_shows_every_sample_once_in_an_order_of_its_own():
    here = task()
    epochs = [[tuple(shown(here.trial(6 * e + k))[0]) for k in range(6)] for e in range(4)]
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert here.order(0).tolist() != task(seed=2).order(0).tolist()


def test_values_and_classes_stay_together():
    here = task()
    for k in range(6):
        values, target = shown(here.trial(k))
        sample = round(values[0] * 17) // 3
        assert target == np.eye(3)[sample % 3].tolist()
    assert [shown(here.test(k))[1] for k in range(here.tests)] == [[1, 0, 0], [0, 1, 0]]


def test_names_and_objective_are_the_users():
    here = task(source="retina", objective=MeanSquaredError(readout="motor"))
    (segment,) = here.trial(0)
    assert set(segment.inputs) == {"retina"} and set(segment.series) == {"motor.target"} and segment.steps == 5


def test_lists_are_taken_and_test_samples_may_be_missing():
    here = Classification([[0.0, 1.0]], [0], [], [], steps=2, seed=0)
    assert here.tests == 0 and here.epoch == 1
    assert shown(here.trial(3)) == ([0.0, 1.0], [1.0])


def test_a_memory_mapped_data_set_is_neither_copied_nor_held(tmp_path, monkeypatch):
    monkeypatch.setattr("snnplast.described.BLOCK", 1 << 12)
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float64, (20_000, 50))
    x[:], x[-1, -1] = 0.5, 0.75
    x.flush()
    x, labels = np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(20_000) % 3
    tracemalloc.start()
    here = Classification(x, labels, x[:2], labels[:2], steps=5, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.size / 20 and np.shares_memory(here._sets[TRAINING][0], x)


def test_a_wrong_value_is_found_in_whichever_block_it_is(monkeypatch):
    monkeypatch.setattr("snnplast.described.BLOCK", 6)
    for place in range(10):
        for wrong, said in (
            *((1.5, "these span 0.5 to 1.5"), (-0.5, "these span -0.5 to 0.5")),
            *((np.nan, "not nan"), (np.inf, "not inf")),
        ):
            x = np.full((10, 3), 0.5)
            x[place, place % 3] = wrong
            with pytest.raises(UserError, match=f"task.x: .*{said}$"):
                Classification(x, np.zeros(10, int), [], [], steps=5, seed=1)


def test_a_task_without_test_trials_says_so():
    class Endless(Task):
        objective = MeanSquaredError()

        def trial(self, index):
            yield from ()

    with pytest.raises(UserError, match="this task has no test trials"):
        Endless().test(0)


@pytest.mark.parametrize(
    "changed, sentence",
    [
        ({"x": [[0.5, 1.2]]}, "task.x: values must lie in [0, 1], these span 0.5 to 1.2"),
        ({"x_test": [[-0.1, 0.0]]}, "task.x_test: values must lie in [0, 1], these span -0.1 to 0"),
        ({"x": [[np.nan, 0.0]]}, "task.x: finite numbers are needed, not nan"),
        ({"x": [["0", "1"]]}, "task.x: numbers are needed, not text"),
        ({"x": np.ma.masked_array([[0.5, 1.0]], mask=[[True, False]])}, "task.x: 1 of 2 values are masked"),
        ({"x": [0.5]}, "task.x has shape (1,); (samples, inputs), or (samples, 2, inputs) over steps, is needed"),
        ({"x": np.zeros((1, 3, 2))}, "task.x has shape (1, 3, 2); (samples, inputs), or (samples, 2, inputs)"),
        ({"labels": [0, 1]}, "task: 1 samples in x, but 2 in labels"),
        ({"labels": [-1]}, "task.labels: integers of at least 0 are allowed, these span -1 to -1"),
        ({"labels": [0.0]}, "task.labels: integers are needed, not floating-point numbers"),
        ({"labels": [True]}, "task.labels: integers are needed, not booleans"),
        ({"labels": ["cat"]}, "task.labels: numbers are needed, not text"),
        ({"labels": [[0]]}, "task.labels has shape (1, 1); one label per sample, (samples,), is needed"),
        (
            {"labels": [[1, 0]]},
            "task.labels has shape (1, 2); one label per sample, (samples,), is needed; .argmax(axis=1) makes labels",
        ),
        ({"labels_test": [0.5]}, "task.labels_test: integers are needed, not floating-point numbers"),
        ({"x": [], "labels": []}, "task: there are no training samples"),
        ({"steps": 20.0}, "task.steps = 20.0: an integer of at least 1 is needed"),
        ({"steps": -3}, "task.steps = -3: an integer of at least 1 is needed"),
        ({"objective": "mse"}, "task.objective = 'mse': an Objective, such as CrossEntropy(), or None is needed"),
        ({"classes": "ab"}, "task.classes = 'ab': a list of labels in the order of the readout's units is needed"),
        ({"classes": [0, 0]}, "task.classes: 0 is given twice"),
        ({"classes": [1, 2]}, "task.labels: 0 is none of classes; "),
    ],
)
def test_what_is_no_data_set_is_said(changed, sentence):
    sets = {"x": [[0.0, 1.0]], "labels": [0], "x_test": [[0.0, 1.0]], "labels_test": [0], "steps": 2, **changed}
    with pytest.raises(UserError) as caught:
        Classification(**sets, seed=0)
    assert str(caught.value).startswith(sentence)


def network(inputs=3, outputs=3):
    net = Network()
    net.add("input", PoissonSource(inputs))
    net.add("output", LeakyReadout(outputs))
    return net


def test_a_readout_may_have_more_units_than_there_are_classes():
    assert shown(task().on(network(outputs=5)).test(1))[1] == [0, 1, 0, 0, 0]


def test_labels_of_any_name_stand_for_the_units_in_a_stated_order():
    x = np.zeros((3, 3))
    for classes, labels in ((("dog", "cat"), ["cat", "dog", "cat"]), ((8, 3), np.array([3, 8, 3]))):
        here = Classification(x, labels, x[:1], labels[:1], steps=1, seed=0, classes=classes).on(network(outputs=2))
        assert here._sets[0][1].tolist() == [1, 0, 1] and shown(here.test(0))[1] == [0, 1]


@pytest.mark.parametrize(
    "net, settings, sentence",
    [
        (
            network(outputs=2),
            {},
            "task: labels span 0 to 2 of 3 classes, but the readout 'output' has 2 units, 0 to 1; classes=(...) says",
        ),
        (network(inputs=4), {}, "task.x has 3 values per sample, but 'input' has 4 neurons"),
        (network(), {"source": "inptu"}, "task: 'inptu' is no PoissonSource of the network; did you mean 'input'?"),
        (network(), {"objective": MeanSquaredError(readout="otput")}, "network: unknown population 'otput'"),
    ],
)
def test_a_data_set_that_does_not_fit_the_network_is_said_before_it_is_shown(net, settings, sentence):
    with pytest.raises(UserError) as caught:
        task(**settings).on(net)
    assert str(caught.value).startswith(sentence)
