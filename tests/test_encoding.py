"""Poisson encoding: independent spikes of the right probability, in a form every engine takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnplast.random_streams import Uniforms
from snnplast.task.encoding import minus_log, poisson


def rng(seed=0):
    return np.random.default_rng(seed)


def counted(values, steps, peak, seed=0):
    """Spikes (steps, n) in {0, 1}."""
    step, index = poisson(values, steps, peak, Uniforms(seed))
    raster = np.zeros((steps, values.shape[-1]))
    np.add.at(raster, (step, index), 1)
    return raster


@given(
    st.lists(st.sampled_from([0.0, 1e-300, 1e-15, 0.003, 0.4, 1.0]), min_size=1, max_size=6),
    st.integers(1, 30),
    st.sampled_from([1e-3, 0.2, 1.0]),
    st.integers(0, 99),
)
def test_spikes_are_sorted_distinct_and_in_range(values, steps, peak, seed):
    step, index = poisson(np.array(values), steps, peak, Uniforms(seed))
    assert step.dtype == index.dtype == np.int64
    cell = step * len(values) + index
    assert np.all(np.diff(cell) > 0)
    assert step.size == 0 or (step[0] >= 0 and step[-1] < steps and index.min() >= 0 and index.max() < len(values))


@pytest.mark.parametrize("peak", [0.02, 0.5, 1.0])
def test_every_value_spikes_with_its_own_probability(peak):
    values, steps = np.array([0.0, 0.05, 0.3, 0.77, 1.0]), 20_000
    found, expected = counted(values, steps, peak).sum(axis=0), steps * values * peak
    assert np.all(np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - values * peak)))
    assert found[0] == 0 and (peak < 1 or found[-1] == steps)


def test_values_may_change_from_step_to_step():
    values = np.tile([[0.0, 1.0], [0.5, 0.0]], (5000, 1))
    raster = counted(values, 10_000, 0.4)
    found = raster[0::2].sum(axis=0), raster[1::2].sum(axis=0)
    for got, expected in zip(np.ravel(found), [0, 2000, 1000, 0], strict=True):
        assert abs(got - expected) <= 5 * np.sqrt(expected)


def test_steps_and_neurons_are_independent():
    raster = counted(np.full(6, 0.5), 20_000, 0.6)
    centred = (raster - 0.3) / np.sqrt(0.3 * 0.7)
    neurons = centred.T @ centred / len(raster)
    assert np.abs(neurons - np.eye(6)).max() < 5 / np.sqrt(len(raster))
    for lag in (1, 2):
        assert np.abs(np.mean(centred[lag:] * centred[:-lag], axis=0)).max() < 5 / np.sqrt(len(raster))
    counts = raster.sum(axis=1)  # of 6 neurons: binomial
    assert abs(counts.var() - 6 * 0.3 * 0.7) < 0.06


def test_the_same_random_numbers_give_the_same_spikes():
    one, same, other = (poisson(np.full(5, 0.5), 50, 0.5, Uniforms(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_no_value_no_spike():
    for values in (np.zeros(4), np.zeros((10, 4)), np.zeros(0)):
        step, index = poisson(values, 10, 0.5, Uniforms(0))
        assert step.size == index.size == 0


def test_numpy_and_compiled_code_find_the_same_spikes_and_use_the_same_numbers():
    generator = rng(5)
    for trial in range(200):
        n, steps = generator.integers(1, 40), int(generator.integers(1, 60))
        values = generator.random(n if trial % 2 else (steps, n)) * generator.choice([1, 1e-3])
        values[generator.random(values.shape) < 0.3] = 0.0
        values[generator.random(values.shape) < 0.1] = 1.0
        peak = generator.choice([1e-4, 0.2, 0.9, 1.0])
        one, other = (Uniforms(seed=trial, owner=3) for _ in range(2))
        for _ in range(3):
            found, compiled = (poisson(values, steps, peak, u, c) for u, c in ((one, False), (other, True)))
            for a, b in zip(found, compiled, strict=True):
                assert a.dtype == b.dtype == np.int64 and np.array_equal(a, b)
            assert one.position == other.position


def test_a_process_that_comes_in_pieces_goes_on_where_it_was():
    random, same = Uniforms(seed=2), Uniforms(seed=2)
    values = np.full(3, 0.4)
    first, second = (poisson(values, 20, 0.5, random) for _ in range(2))
    assert not np.array_equal(first[0], second[0])
    same.use(poisson(values, 20, 0.5, Uniforms(seed=2))[0].size)
    assert same.position <= random.position


def test_the_logarithm_is_that_of_the_library():
    u = np.concatenate([1 - rng().random(10**5), [1.0, 2.0**-53, np.sqrt(0.5), np.nextafter(np.sqrt(0.5), 0)]])
    assert np.max(np.abs(minus_log(u) + np.log(u)) / np.maximum(1, -np.log(u))) < 3e-16
