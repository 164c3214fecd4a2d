"""Objectives: the error is the derivative of the loss, within the learning window only, wherever it lies."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.errors import UserError
from snnplast.task.objective import CrossEntropy, MeanSquaredError

STEPS, N = 7, 3


def activity(objective, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((STEPS, N))
    if isinstance(objective, CrossEntropy):
        return y, np.tile(np.eye(N)[1], (STEPS, 1))
    return y, rng.standard_normal((STEPS, N))


@pytest.mark.parametrize("window", [None, 1, 3, 99])
@pytest.mark.parametrize("kind", [MeanSquaredError, CrossEntropy])
def test_the_error_is_the_derivative_of_the_summed_loss(kind, window):
    objective = kind(window=window)
    y, target = activity(objective)
    terms = N if kind is MeanSquaredError else min(window or STEPS, STEPS)  # what the loss is a mean over
    found, slopes, h = objective.judge(y, target).error, np.zeros_like(y), 1e-6
    for place in np.ndindex(*y.shape):
        shift = np.zeros_like(y)
        shift[place] = h
        slopes[place] = (objective.judge(y + shift, target).loss - objective.judge(y - shift, target).loss) / (2 * h)
    np.testing.assert_allclose(found, terms * slopes, atol=1e-8)
    assert np.any(found)


@pytest.mark.parametrize("kind", [MeanSquaredError, CrossEntropy])
def test_steps_before_the_window_do_not_count(kind):
    objective = kind(window=2)
    y, target = activity(objective)
    judged, elsewhere = objective.judge(y, target), y.copy()
    elsewhere[:-2] = 100.0
    assert not np.any(judged.error[:-2]) and np.all(judged.error[-2:])
    assert objective.judge(elsewhere, target).loss == judged.loss
    whole = kind().judge(y[-2:], target[-2:])
    assert whole.loss == judged.loss and np.array_equal(whole.error, judged.error[-2:])


GIVEN = np.array([0.0, 1, 1, 0, 0, 1, 0])


@pytest.mark.parametrize("kind", [MeanSquaredError, CrossEntropy])
def test_a_given_window_counts_its_steps_and_no_others(kind):
    y, target = activity(kind())
    judged, inside = kind().judge(y, target, GIVEN), GIVEN == 1
    elsewhere = np.where(inside[:, None], y, 100.0)
    again = kind().judge(elsewhere, target, GIVEN)
    assert np.array_equal(np.any(judged.error, axis=1), inside)
    assert again.loss == judged.loss and again.correct == judged.correct and np.array_equal(again.error, judged.error)
    whole = kind().judge(y[inside], target[inside])
    assert whole.loss == judged.loss and np.array_equal(whole.error, judged.error[inside])


@pytest.mark.parametrize("kind", [MeanSquaredError, CrossEntropy])
def test_the_last_steps_given_as_a_window_are_the_window(kind):
    y, target = activity(kind())
    own, given = kind(window=3).judge(y, target), kind().judge(y, target, kind(window=3).in_window(STEPS))
    assert np.array_equal(own.error, given.error) and (own.loss, own.correct) == (given.loss, given.correct)


def test_squared_error_is_half_the_mean_over_readouts_of_the_sum_over_steps():
    y, target = np.array([[1.0, 2.0], [0.0, 4.0]]), np.zeros((2, 2))
    judged = MeanSquaredError().judge(y, target)
    assert judged.loss == 0.5 * (1 + 4 + 16) / 2 and judged.correct is None


def test_cross_entropy_is_the_mean_over_steps_of_minus_the_log_probability_of_the_class():
    y = np.log(np.array([[0.2, 0.8], [0.5, 0.5]]))
    judged = CrossEntropy().judge(y, np.array([[0.0, 1.0], [0.0, 1.0]]))
    np.testing.assert_allclose(judged.loss, -(np.log(0.8) + np.log(0.5)) / 2, rtol=1e-12)
    np.testing.assert_allclose(judged.error, [[0.2, -0.2], [0.5, -0.5]], rtol=1e-12)


def test_large_activities_do_not_overflow():
    judged = CrossEntropy().judge(np.array([[1000.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert judged.loss == 1000 and np.array_equal(judged.error, [[1.0, -1.0]])


def test_the_predicted_class_has_the_largest_probability_summed_over_the_window():
    y = np.array([[0.0, 9.0], [3.0, 0.0], [3.0, 0.0]])
    target = np.tile([1.0, 0.0], (3, 1))
    assert CrossEntropy().judge(y, target).correct == 1.0
    assert CrossEntropy(window=3).judge(y[:, ::-1], target).correct == 0.0
    assert CrossEntropy(window=1).judge(np.vstack([y[:2], [[0.0, 1.0]]]), target).correct == 0.0


def test_every_stretch_of_the_window_is_an_answer_of_its_own():
    right, wrong, target = [9.0, 0.0], [0.0, 9.0], np.tile([1.0, 0.0], (STEPS, 1))
    y = np.array([wrong, right, right, wrong, wrong, wrong, wrong])
    assert CrossEntropy().judge(y, target, GIVEN).correct == 0.5
    assert CrossEntropy().judge(y, target[:, ::-1], GIVEN).correct == 0.5
    assert CrossEntropy().judge(y, np.where(np.arange(STEPS)[:, None] < 3, target, target[:, ::-1]), GIVEN).correct == 1
    assert CrossEntropy().judge(y, target, np.ones(STEPS)).correct == 0, "one stretch, and most of it is wrong"
    assert MeanSquaredError().judge(y, target, GIVEN).correct is None


def test_a_window_of_no_steps_is_refused():
    with pytest.raises(UserError, match=r"CrossEntropy\.window = 0: input should be greater than or equal to 1"):
        CrossEntropy(window=0)


def test_targets_of_any_sum_weight_their_row():
    """The error stays the derivative of the loss: for [1, 1] it is 2 softmax - 1, flat where both are equal."""
    judged = CrossEntropy().judge(np.zeros((1, 2)), np.array([[1.0, 1.0]]))
    assert np.array_equal(judged.error, [[0.0, 0.0]])
    rng = np.random.default_rng(1)
    y, target, h = rng.standard_normal((STEPS, N)), rng.random((STEPS, N)) * 3, 1e-6
    found = CrossEntropy().judge(y, target).error
    for place in np.ndindex(*y.shape):
        shift = np.zeros_like(y)
        shift[place] = h
        losses = [CrossEntropy().judge(y + sign * shift, target).loss for sign in (1, -1)]
        np.testing.assert_allclose(found[place], STEPS * (losses[0] - losses[1]) / (2 * h), atol=1e-7)
    one = CrossEntropy().judge(y, np.tile(np.eye(N)[1], (STEPS, 1)))
    weighted = CrossEntropy().judge(y, 2.5 * np.tile(np.eye(N)[1], (STEPS, 1)))
    np.testing.assert_allclose(weighted.error, 2.5 * one.error, rtol=1e-12)
    assert weighted.loss == pytest.approx(2.5 * one.loss) and weighted.correct == one.correct


@pytest.mark.parametrize("window", [None, 2, GIVEN])
@pytest.mark.parametrize("kind", [MeanSquaredError, CrossEntropy])
def test_compiled_code_judges_as_numpy_does(kind, window):
    given = isinstance(window, np.ndarray)
    objective, in_window = (kind(), window) if given else (kind(window=window), None)
    for seed in range(20):
        y, target = activity(objective, seed)
        if seed % 2:
            target = np.broadcast_to(np.random.default_rng(seed).random(N), y.shape)
        one, other = (judge(y, target, in_window) for judge in (objective.judge, objective.judge_compiled))
        np.testing.assert_allclose(other.error, one.error, rtol=1e-13, atol=1e-15)
        assert other.loss == pytest.approx(one.loss, rel=1e-13)
        assert np.array_equal(one.answered, other.answered) and np.array_equal(one.wanted, other.wanted)


def test_an_objective_that_changes_another_has_no_compiled_form_of_its_own():
    class Scaled(MeanSquaredError):
        def _judge(self, y, target, stretches):
            return super()._judge(2 * y, target, stretches)

    y, target = activity(Scaled())
    assert MeanSquaredError().compiled == "squared_error" and Scaled().compiled == ""
    assert np.array_equal(Scaled().judge_compiled(y, target).error, Scaled().judge(y, target).error)
