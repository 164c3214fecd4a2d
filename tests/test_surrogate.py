"""Surrogate derivatives: one meaning as Brian2 code and as numpy."""

import numpy as np
import pytest

from snnplast.errors import UserError
from snnplast.rules.e_prop import EProp
from snnplast.surrogate import SURROGATES

V = np.linspace(-1.5, 2.5, 81)
THETA = 0.6


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("settings", [{}, {"height": 0.7, "relative_width": 0.4}, {"per_threshold": False}])
def test_the_brian2_code_and_the_curve_are_one_function(name, settings):
    surrogate = SURROGATES[name](**settings)
    names = {"clip": np.clip, "abs": np.abs, "exp": np.exp, "v": V, "theta": THETA}
    code = eval(surrogate.expression("v - theta", "theta"), {}, names)
    np.testing.assert_allclose(code, surrogate(V - THETA, THETA), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", SURROGATES)
def test_it_peaks_at_the_threshold_is_even_and_falls_off(name):
    surrogate = SURROGATES[name]()
    values = surrogate(np.array([0.0, 0.2, -0.2, 0.5]), THETA)
    assert values[0] == pytest.approx(0.3 / THETA)
    assert values[1] == pytest.approx(values[2])
    assert values[0] > values[1] > values[3]


def test_a_rule_takes_a_surrogate_by_name_and_names_the_nearest_for_a_misspelt_one():
    assert EProp(surrogate="arctan").surrogate.name == "arctan"
    with pytest.raises(UserError, match="did you mean 'fast-sigmoid'"):
        EProp(surrogate="fast-sigmiod")
