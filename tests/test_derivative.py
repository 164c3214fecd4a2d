"""Derivatives of Brian2's functions are slopes, as Brian2 evaluates them; what has none is refused in a sentence."""

from __future__ import annotations

import brian2
import mpmath
import numpy as np
import pytest

from snnplast.brian import str_to_sympy, sympy_to_str
from snnplast.learning.derivative import NoDerivative, derivative, symbol

POINTS = 25

NUMPY = {name: getattr(np, name) for name in "exp log log10 expm1 log1p sqrt sin cos tan sinh cosh tanh".split()}
NUMPY |= {name: getattr(np, name) for name in ("arcsin", "arccos", "arctan", "abs", "floor", "ceil", "sign", "clip")}
NUMPY |= {"exprel": lambda x: np.expm1(x) / x, "inf": np.inf, "int": lambda condition: np.asarray(condition, float)}

SMOOTH = [
    *(f"{name}(x)" for name in "exp log log10 expm1 log1p exprel sqrt sin cos tan sinh cosh tanh".split()),
    *("arcsin(x)", "arccos(x)", "arctan(x)"),
    *("x**3", "2**x", "x**y", "y**x", "x**x", "1/x", "sqrt(x*y)", "(x - y)**2/(x + y)", "-x*y", "5"),
    *("exp((x - y)/0.3)*x", "tanh(x*y)**2/(1 + exp(-x))", "log(1 + exp(10*(x - y)))", "exprel(-3*x*y)"),
    *("y*exprel((x - 2)/y)", "arctan(exp(x)*y)"),
]
"""Functions that complex numbers know as well."""

KINKED = [
    *("abs(x - y)", "clip(x, 0.3, 0.6)", "clip(2*x, 0.8, inf)", "clip(x*y, -inf, 0.2)", "clip(x, -inf, inf)"),
    *("y*clip(x**2, 0.2, 0.7)", "floor(5*x)*x", "ceil(5*x)*x**2", "sign(x - y)*x", "int(x > y)*x"),
    *("int((x > 0.3) and (x < 0.7))*exp(x)", "(3*x) % 1", "x*((3*x*y) % 0.7)"),
]
"""Functions in pieces: away from where the pieces meet."""


def points():
    """x and y, (POINTS,) each."""
    return np.random.default_rng(5).uniform(0.1, 0.9, (2, POINTS))


@pytest.fixture(scope="module")
def slopes():
    """Text -> its derivative by x at the points, as Brian2 evaluates what it is told."""
    texts = [*SMOOTH, *KINKED]
    lines = [f"d{k} = {by_x(text)} : 1" for k, text in enumerate(texts)]
    group = brian2.NeuronGroup(POINTS, "\n".join(["x : 1", "y : 1", *lines]), name="slopes*")
    group.x, group.y = points()
    group._network = "none"  # it is only looked at
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(brian2.prefs, "codegen.target", "numpy")
        return {text: getattr(group, f"d{k}")[:] for k, text in enumerate(texts)}


def by_x(text, given=None):
    return sympy_to_str(derivative(str_to_sympy(text), symbol("x"), given))


def evaluated(text, x, y):
    """The text's value at each point."""
    pairs = np.broadcast(x, y)
    return np.array([eval(text, {}, {**NUMPY, "x": a, "y": b}) for a, b in pairs]).reshape(pairs.shape)


@pytest.mark.parametrize("text", SMOOTH)
def test_slopes_are_those_of_a_complex_step(text, slopes):
    x, y = points()
    expected = evaluated(text, x + 1e-30j, y).imag / 1e-30
    np.testing.assert_allclose(slopes[text], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("text", KINKED)
def test_slopes_in_pieces_are_central_differences(text, slopes):
    (x, y), step = points(), 1e-6
    expected = (evaluated(text, x + step, y) - evaluated(text, x - step, y)) / (2 * step)
    assert np.ptp(expected) > 0 or text == "clip(x, -inf, inf)"
    np.testing.assert_allclose(slopes[text], expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("x", [0.0, 1e-12, -1e-6, 1e-3, 0.0199, -0.0199, 0.0201, -0.0201, 0.5, -7.0, 30.0])
def test_the_slope_of_exprel_is_exact_around_0(x):
    with mpmath.workdps(60):
        at = mpmath.mpf(x)
        expected = float(((at - 1) * mpmath.exp(at) + 1) / at**2) if x else 0.5
    assert evaluated(by_x("exprel(x)"), np.float64(x), 0.0).item() == pytest.approx(expected, rel=3e-12)


def test_functions_of_users_have_the_derivatives_they_give():
    x, y = points()
    given = {"wave": ("cos(x)",), "product": ("x2", "x1")}
    single = evaluated(by_x("wave(x*y)", given), x, y)
    np.testing.assert_allclose(single, y * np.cos(x * y), rtol=1e-14)
    several = evaluated(by_x("product(x**2, x + y)", given), x, y)
    np.testing.assert_allclose(several, 2 * x * (x + y) + x**2, rtol=1e-14)


@pytest.mark.parametrize(
    "text", ["y", "mystery(y)", "poisson(y)", "clip(y, y, 2*y)", "int(x > y)", "x > y", "floor(x)"]
)
def test_what_does_not_change_has_the_derivative_0(text):
    assert by_x(text) == "0"


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("mystery(x)", r"the derivative of mystery\(x\) by x is unknown; derivatives=\{'mystery': \('...',\)\} gives"),
        ("y*mystery(2*x, y)", r"the derivative of mystery\(2\*x, y\) by x is unknown"),
        ("poisson(x)", r"the derivative of poisson\(x\) by x is not defined: it is a random draw"),
        ("binomial(3, x)", r"the derivative of binomial\(3, x\) by x is not defined: it is a random draw"),
        ("clip(y, x, 1)", r"the derivative of clip\(y, x, 1\) by x: its bounds depend on it"),
        ("y % x", r"the derivative of .* by x: its divisor depends on it"),
        ("wave(x, y)", r"derivatives\['wave'\] has 1 entries, wave\(x, y\) 2"),
    ],
)
def test_what_has_no_derivative_is_refused(text, sentence):
    with pytest.raises(NoDerivative, match=sentence):
        by_x(text, {"wave": ("cos(x)",)})
