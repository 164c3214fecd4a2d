"""Derivatives of expressions in Brian2's language, in Brian2's language.

A step of a neuron is made of code; what is differentiated is that code, so the rules of this file are those of the
functions that Brian2 knows. Steps, rounding and conditions are constant almost everywhere: their derivative is 0. A
clipped value has the derivative of what is clipped, and 0 where a bound holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import sympy

from snnplast.brian import str_to_sympy, sympy_to_str
from snnplast.errors import UserError

if TYPE_CHECKING:  # sympy's annotations know its expressions and symbols as Basic alone
    Expr = Any
    Symbol = Any
else:
    Expr = sympy.Expr
    Symbol = sympy.Symbol

FLAT = frozenset({"floor", "ceiling", "sign", "int_", "timestep"})
"""Functions that are constant almost everywhere."""

DRAWS = frozenset({"rand", "randn", "poisson", "binomial"})

_OWN = frozenset("exp log log10 expm1 log1p exprel sin cos tan sinh cosh tanh asin acos atan Abs sqrt clip Mod".split())
"""Further functions with a derivative, by sympy's names."""

_ALLOWED = "exp, log, log10, expm1, log1p, exprel, sqrt, abs, clip, sin, cos, tan, sinh, cosh, tanh and arctan are"

Given = Mapping[str, tuple[str, ...]]
"""Function -> its derivatives by each argument, in terms of `x`, or of `x1`, `x2`, ... where it has several."""


class NoDerivative(UserError):
    """An expression that has no derivative that is known: why, without the place it stands at."""


def symbol(name: str) -> Symbol:
    """The symbol of a name, as Brian2's parser makes it."""
    return sympy.Symbol(name, real=True)


def condition(expression: Expr) -> Expr:
    """1 where a condition holds, else 0: int(condition)."""
    return sympy.Function("int_")(expression)


def derivative(expression: Expr, by: Symbol, given: Given | None = None) -> Expr:
    """The derivative of an expression by a symbol. given: derivatives of functions that users define.

    Raises `NoDerivative`, with the term, where none is known.

    >>> v = symbol("v")
    >>> derivative(str_to_sympy("gL*DT*exp((v - VT)/DT) - v"), v)
    gL*exp((-VT + v)/DT) - 1
    >>> sympy_to_str(derivative(str_to_sympy("clip(2*v, 0, inf)"), v))
    '2*int(2*v > 0)'
    >>> derivative(str_to_sympy("poisson(v)"), v)
    Traceback (most recent call last):
    snnplast.learning.derivative.NoDerivative: the derivative of poisson(v) by v is not defined: it is a random draw
    """
    if by not in expression.free_symbols:
        return sympy.Integer(0)
    if expression == by:
        return sympy.Integer(1)

    def inner(part: Expr) -> Expr:
        return derivative(part, by, given)

    match expression:
        case sympy.Add():
            return sympy.Add(*(inner(part) for part in expression.args))
        case sympy.Mul():
            parts = expression.args
            return sympy.Add(
                *(sympy.Mul(*parts[:k], inner(part), *parts[k + 1 :]) for k, part in enumerate(parts) if part.has(by))
            )
        case sympy.Pow():
            return _of_power(expression, by, inner)
        case sympy.logic.boolalg.Boolean():
            return sympy.Integer(0)
        case sympy.Mod():
            dividend, divisor = expression.args
            if divisor.has(by):
                raise NoDerivative(f"the derivative of {shown(expression)} by {by}: its divisor depends on it")
            return inner(dividend)
    return _of_function(expression, by, inner, given or {})


def _of_power(power: sympy.Pow, by: Symbol, inner: Callable[[Expr], Expr]) -> Expr:
    base, exponent = power.args
    total = sympy.Integer(0)
    if base.has(by):
        total += exponent * base ** (exponent - 1) * inner(base)
    if exponent.has(by):
        total += power * sympy.log(base) * inner(exponent)
    return total


def _of_function(call: Expr, by: Symbol, inner: Callable[[Expr], Expr], given: Given) -> Expr:
    """The chain rule; a function that is not known is refused where its arguments depend on the symbol."""
    name, arguments = call.func.__name__, call.args
    if name in given:
        if len(given[name]) != len(arguments):
            raise NoDerivative(f"derivatives[{name!r}] has {len(given[name])} entries, {shown(call)} {len(arguments)}")
        known = ["x"] if len(arguments) == 1 else [f"x{k + 1}" for k in range(len(arguments))]
        put = {symbol(x): argument for x, argument in zip(known, arguments, strict=True)}
        outer = [str_to_sympy(text).xreplace(put) for text in given[name]]
    elif name in FLAT:
        return sympy.Integer(0)
    elif name in DRAWS:
        raise NoDerivative(f"the derivative of {shown(call)} by {by} is not defined: it is a random draw")
    elif name == "clip":
        outer = [_where_free(call, by), 0, 0]
    elif name == "sqrt":
        outer = [arguments[0] ** sympy.Rational(-1, 2) / 2]
    elif name == "exprel":
        outer = [_slope_of_exprel(arguments[0])]
    elif name in _OWN:
        outer = [call.fdiff(k + 1) for k in range(len(arguments))]
    else:
        raise NoDerivative(
            f"the derivative of {shown(call)} by {by} is unknown; derivatives={{{name!r}: ('...',)}} gives it, "
            f"or functions whose derivative is known: {_ALLOWED}"
        )
    parts = zip(outer, arguments, strict=True)
    return sympy.Add(*(slope * inner(argument) for slope, argument in parts if argument.has(by)))


def _where_free(clip: Expr, by: Symbol) -> Expr:
    """1 where neither bound of clip(x, low, high) holds."""
    value, low, high = clip.args
    if low.has(by) or high.has(by):
        raise NoDerivative(f"the derivative of {shown(clip)} by {by}: its bounds depend on it")
    above = [value > low] if low != -sympy.oo else []
    below = [value < high] if high != sympy.oo else []
    return condition(sympy.And(*above, *below)) if above or below else sympy.Integer(1)


def _slope_of_exprel(x: Expr) -> Expr:
    """The slope of (exp(x) - 1)/x; around 0 by its series, since the quotient loses all digits there."""
    small = condition(sympy.Abs(x) < 0.02)
    series = sympy.Add(*(x**k / (sympy.factorial(k) * (k + 2)) for k in range(6)))
    return small * series + (1 - small) * ((x - 1) * sympy.exp(x) + 1) / (x + small) ** 2


def shown(expression: Expr) -> str:
    """An expression as it is written in Brian2's language."""
    return str(sympy_to_str(expression))
