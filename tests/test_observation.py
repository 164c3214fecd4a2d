"""Observations become values and spikes as their equations say."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.errors import UserError
from snnplast.task.encoding import regular

RANGE = {"low": (-1.0, 0.0), "high": (1.0, 4.0)}


def test_rates_are_places_in_the_range_and_what_lies_beyond_counts_as_its_end():
    code = snn.RateCode(**RANGE)
    assert code.shape == (2,) and code.size == 2
    assert code.values(np.array([0.5, -3.0]), None).tolist() == [0.75, 0.0]
    assert code.values(np.array([7.0, 4.0]), None).tolist() == [1.0, 1.0]
    twice = snn.RateCode(copies=2, **RANGE)
    assert twice.size == 4 and twice.values(np.array([0.5, 1.0]), None).tolist() == [0.75, 0.75, 0.25, 0.25]


def test_tuning_curves_are_gaussian_around_evenly_spaced_values():
    code = snn.PopulationCode(neurons=5, width=0.7, **RANGE)
    values = code.values(np.array([0.3, 3.0]), None).reshape(2, 5)
    for row, o, (low, high) in zip(values, (0.3, 3.0), ((-1, 1), (0, 4)), strict=True):
        preferred, spacing = np.linspace(low, high, 5), (high - low) / 4
        np.testing.assert_allclose(row, np.exp(-((o - preferred) ** 2) / (2 * (0.7 * spacing) ** 2)), rtol=1e-12)


def test_frames_are_cut_averaged_and_compared_with_the_one_before():
    code = snn.PixelCode(frame=(6, 4, 3), rows=(2, 6), block=2, gain=2.0)
    assert code.size == 8 and code.shape == (6, 4, 3)
    now, before = np.zeros((6, 4, 3)), np.zeros((6, 4, 3))
    now[2:4, 0:2, 0] = 255 * 0.3
    now[0:2] = 255
    before[5, 3] = 255 * 0.8
    assert code.values(now, None).tolist() == [0] * 8
    np.testing.assert_allclose(code.values(now, before), [0.2, 0, 0, 0, 0, 0, 0, 0.4], rtol=1e-12, atol=1e-15)
    bright = snn.PixelCode(frame=(2, 2), darkest=0.25, brightest=1.5, block=2, changes=False, gain=3)
    assert bright.values(np.eye(2), None).tolist() == [pytest.approx(3 * 0.25 / 1.25)]
    assert bright.values(np.zeros((2, 2)), None).tolist() == [0] and bright.values(np.ones((2, 2)), None) == [1]


def test_regular_spikes_are_as_many_as_the_value_says_and_evenly_spaced():
    values, steps = np.linspace(0, 1, 11), 20
    step, index = regular(values, steps)
    assert (np.diff(step) >= 0).all()
    for k, value in enumerate(values):
        own = step[index == k]
        assert own.size == round(20 * value) and (not own.size or np.ptp(np.diff(own)) <= 1)


def test_regular_spikes_are_those_the_network_gets():
    code = snn.RateCode(coding="regular", **RANGE)
    steps, indices = code.shown(np.array([1.0, 2.0]), None, 4)
    assert steps.tolist() == [0, 0, 1, 2, 2, 3] and indices.tolist() == [0, 1, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: snn.RateCode(low=(0.0,), high=(1.0, 2.0)), r"1 values in low, but 2 in high"),
        (lambda: snn.RateCode(low=(1.0,), high=(1.0,)), r"low\[0\] = 1: less than high\[0\] = 1 is allowed"),
        (lambda: snn.PopulationCode(neurons=1, **RANGE), r"PopulationCode.neurons = 1: .* greater than or equal to 2"),
        (lambda: snn.PixelCode(frame=(6, 4), darkest=255), r"darkest = 255: less than brightest = 255 is allowed"),
        (lambda: snn.PixelCode(frame=(6, 4), block=4), r"block = 4: the 6 rows cut out are no multiple of it"),
        (lambda: snn.PixelCode(frame=(6, 4), columns=(2, 5)), r"columns = \(2, 5\): 0 <= first < end <= 4 is needed"),
    ],
)
def test_wrong_settings_are_refused(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
