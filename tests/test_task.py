"""Tasks: trial k of a seed is a pure function of both, and an epoch shows every sample once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnplast.errors import UserError
from snnplast.objective import MeanSquaredError
from snnplast.task import TRAINING, Classification, Task, stream

numbers = st.integers(0, 2**40)


def task(seed=1, **settings):
    x = np.linspace(0, 1, 18).reshape(6, 3)
    labels = np.array([0, 1, 2, 0, 1, 2])
    return Classification(x, labels, x[:2], labels[:2], **{"steps": 5, "seed": seed, **settings})


def shown(trial):
    """Values and target of a trial of one segment."""
    (segment,) = trial
    return segment.inputs["input"].tolist(), segment.series["output.target"].tolist()


@given(numbers, numbers, numbers, numbers)
def test_a_stream_is_a_pure_function_of_its_numbers(seed, first, second, third):
    draw = stream(seed, first, second, third).random(4)
    stream(seed, first, second, third + 1).random(4)
    assert np.array_equal(stream(seed, first, second, third).random(4), draw)


def test_streams_of_different_numbers_share_nothing():
    places = [(s, a, b, c) for s in (0, 1) for a in (0, 1) for b in (0, 1) for c in (0, 1, 2)]
    draws = np.array([stream(*place).random(500) for place in places])
    assert len({tuple(row) for row in draws}) == len(places)
    assert len(np.unique(draws)) == draws.size  # no overlap of shifted streams either
    correlation = np.corrcoef(draws)[np.triu_indices(len(places), 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(500)


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
    monkeypatch.setattr("snnplast.task.BLOCK", 1 << 12)
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
    monkeypatch.setattr("snnplast.task.BLOCK", 6)
    for place in range(10):
        for wrong, span in ((1.5, "0.5 to 1.5"), (-0.5, "-0.5 to 0.5"), (np.nan, "nan to nan"), (np.inf, "0.5 to inf")):
            x = np.full((10, 3), 0.5)
            x[place, place % 3] = wrong
            with pytest.raises(UserError, match=f"task.x: values must lie in .* these span {span}$"):
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
        ({"x": [[np.nan, 0.0]]}, "task.x: values must lie in [0, 1], these span nan to nan"),
        ({"labels": [0, 1]}, "task: 1 samples but 2 labels (test: 1 and 1)"),
        ({"labels": [-1]}, "task.labels: integers from 0 are needed"),
        ({"labels_test": [0.5]}, "task.labels_test: integers from 0 are needed"),
        ({"x": [], "labels": []}, "task: there are no training samples"),
    ],
)
def test_what_is_no_data_set_is_said(changed, sentence):
    sets = {"x": [[0.0, 1.0]], "labels": [0], "x_test": [[0.0, 1.0]], "labels_test": [0], **changed}
    with pytest.raises(UserError) as caught:
        Classification(**sets, steps=2, seed=0)
    assert str(caught.value).startswith(sentence)
