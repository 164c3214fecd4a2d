"""Initial weights have the distribution their description says, and come one per synapse."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.errors import UserError
from snnplast.network.connectivity import Probability
from snnplast.network.weights import ExplicitWeights, Gaussian, Glorot, Normal, Uniform, as_weights

SHAPE = (300, 200)


def draw(weights, seed=0):
    pre, post = Probability(0.25).pairs(np.random.default_rng(5), *SHAPE, False)
    return weights.draw(np.random.default_rng(seed), pre, post, SHAPE), pre, post


def test_normal_weights_have_the_variance_gain_squared_over_the_targets_own_fan_in():
    w, _, post = draw(Normal(gain=2.0))
    fan_in = np.bincount(post)
    assert fan_in.min() < fan_in.max()
    scaled = w * np.sqrt(fan_in[post]) / 2.0
    assert abs(scaled.mean()) < 5 / np.sqrt(w.size) and abs(scaled.std() - 1) < 5 / np.sqrt(2 * w.size)


def test_gaussian_weights_ignore_the_fan_in():
    w, _, _ = draw(Gaussian(std=0.5))
    assert abs(w.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * w.size)


def test_glorot_weights_fill_their_own_limits():
    w, pre, post = draw(Glorot(gain=1.5))
    limit = 1.5 * np.sqrt(6 / (np.bincount(pre)[pre] + np.bincount(post)[post]))
    assert np.all(np.abs(w) <= limit) and np.abs(w / limit).max() > 0.999
    assert abs(np.mean((w / limit) ** 2) - 1 / 3) < 0.01


def test_uniform_weights_fill_their_interval():
    w, _, _ = draw(Uniform(low=-0.5, high=2.0))
    assert -0.5 <= w.min() < -0.49 and 1.99 < w.max() <= 2.0


@pytest.mark.parametrize("weights", [Normal(), Gaussian(), Glorot(), Uniform()])
def test_the_same_random_numbers_give_the_same_weights(weights):
    assert np.array_equal(draw(weights)[0], draw(weights)[0])
    assert not np.array_equal(draw(weights)[0], draw(weights, seed=1)[0])


@pytest.mark.parametrize("weights", [Normal(gain=0), Gaussian(std=0), Glorot(gain=0), Uniform(low=0, high=0)])
def test_a_scale_of_zero_gives_zeros(weights):
    assert not np.any(draw(weights)[0])


def test_explicit_weights_are_a_number_a_matrix_or_one_per_synapse():
    matrix = np.arange(SHAPE[0] * SHAPE[1], dtype=float).reshape(SHAPE)
    given, pre, post = draw(ExplicitWeights(values=matrix))
    assert np.array_equal(given, matrix[pre, post])
    assert np.array_equal(draw(as_weights(matrix[pre, post]))[0], given)
    assert np.all(draw(as_weights(0.25))[0] == 0.25) and as_weights(given) is not given


def test_explicit_weights_are_copied():
    values = np.ones(3)
    weights = ExplicitWeights(values=values)
    values[0] = 7
    drawn = weights.draw(None, np.array([0, 1, 2]), np.array([0, 0, 0]), (3, 1))
    drawn[1] = 9
    assert weights.values.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: Normal(gain=-1), "Normal.gain = -1: input should be greater than or equal to 0"),
        (lambda: Normal(sigma=1), "Normal.sigma: unknown key; Known: gain"),
        (lambda: ExplicitWeights(values=[1, np.nan]), "finite numbers are needed, not nan"),
        (lambda: ExplicitWeights(values="many"), "ExplicitWeights.values: numbers are needed, not text (array('many'"),
        (lambda: as_weights(Normal), "ExplicitWeights.values: numbers are needed, not object"),
        (lambda: as_weights([[1, 2], [3]]), "ExplicitWeights.values: an array of numbers is needed, not [[1, 2], [3]]"),
        (lambda: draw(Uniform(low=1, high=0)), "Uniform: low = 1 must not exceed high = 0"),
        (
            lambda: draw(ExplicitWeights(values=np.ones((200, 300)))),
            "weights have shape (200, 300); allowed are a number, (n_pre, n_post) = (300, 200) or (",
        ),
    ],
)
def test_what_is_no_weight_is_said(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert sentence in str(caught.value)
