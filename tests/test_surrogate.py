"""Surrogate derivatives: the code that Brian2 runs is the curve that is documented."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.learning.surrogate import SURROGATES, PiecewiseLinear
from snnplast.rules.e_prop import EProp
from snnplast.testing import check_rule

BRIAN2 = {"clip": np.clip, "abs": np.abs, "exp": np.exp, "int": np.float64}
SETTINGS = [{}, {"height": 1.3, "relative_width": 0.7}, {"height": 0.5, "relative_width": 2.0, "per_threshold": False}]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", SURROGATES)
def test_the_expression_is_the_curve(name, settings):
    surrogate, v, theta = SURROGATES[name](**settings), np.linspace(-3, 4, 57), 0.6
    code = surrogate.expression("v - theta", "theta")
    found = eval(code, {**BRIAN2, "v": v, "theta": theta})
    np.testing.assert_allclose(found, surrogate(v - theta, theta), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_peaks_at_the_threshold_with_its_height_and_falls_on_both_sides(name, settings):
    surrogate, distance, theta = SURROGATES[name](**settings), np.linspace(0, 3, 31), 0.6
    height = settings.get("height", 0.3) / (theta if settings.get("per_threshold", True) else 1)
    psi = surrogate(distance, theta)
    np.testing.assert_allclose(psi[0], height)
    assert np.all(np.diff(psi) <= 0) and np.all(psi >= 0) and psi[-1] < 0.2 * height
    np.testing.assert_allclose(surrogate(-distance, theta), psi)


def test_the_triangle_ends_at_its_width():
    triangle = PiecewiseLinear(height=0.3, relative_width=0.5)
    np.testing.assert_allclose(triangle(np.array([0.0, 0.15, 0.29, 0.31]), 0.6), [0.5, 0.25, 0.5 / 30, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROGATES)
def test_a_rule_learns_with_every_surrogate(name):
    check_rule(EProp, trials=2, engine=NUMPY, workers=(), surrogate={"name": name, "relative_width": 0.8})


def test_a_wrong_surrogate_is_named():
    with pytest.raises(UserError, match=r"unknown surrogate 'triangle': .*Known: .*piecewise-linear"):
        EProp(surrogate="triangle")
    with pytest.raises(UserError, match=r"PiecewiseLinear\.height = 0: input should be greater than 0"):
        PiecewiseLinear(height=0)
