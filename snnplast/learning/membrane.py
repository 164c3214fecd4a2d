"""Which units have an activity of one exponential; all others are refused where that is needed.

The trace zbar <- alpha zbar + c q is the derivative of the membrane by a weight where

    dv/dt = -v/tau_m + (what no spike of a synapse changes),   v <- v + c w at a spike

and where the distance to the threshold that surrogate derivatives take is v less what does not change either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from snnplast.brian import all_units, str_to_sympy
from snnplast.errors import UserError
from snnplast.network.fragments import Fragment


def decay(place: str, name: str, membrane: str, fragment: Fragment) -> sympy.Expr:
    """Derivative of d<membrane>/dt by the membrane itself: an expression of constants.

    Raises `UserError`, with a place and the name of the population, for a membrane that is not one exponential.
    """
    told = f"{place}: its traces take the membrane {membrane!r} of {name!r} for one"
    forms = _expressions(fragment)
    rate = forms.get(f"d{membrane}/dt")
    if rate is None:
        raise UserError(f"{told} that decays, d{membrane}/dt = -{membrane}/tau_m, and its equations have no such line")
    for update in fragment.updates:
        if membrane in _assigned(update.code):
            raise UserError(
                f"{told} exponential, but {update.code!r} changes it, too; from that they cannot be derived yet"
            )
    own = sympy.Symbol(membrane, real=True)
    changing = _changing(fragment, forms)
    slope, others = sympy.diff(rate, own), names(rate) & changing - {membrane}
    if names(slope) & (changing | {membrane}) or others:
        why = f"depends on {', '.join(sorted(others))}" if others else "is not linear in it"
        raise UserError(
            f"{told} exponential, but d{membrane}/dt {why}; they cannot be derived from other equations yet"
        )
    return slope


def _expressions(fragment: Fragment) -> dict[str, sympy.Expr]:
    """Right-hand sides by what they define: 'dv/dt', or the name of a subexpression; subexpressions are put in."""
    found: dict[str, sympy.Expr] = {}
    for line in fragment.equations:
        match = re.match(r"\s*(d\w+/dt|\w+)\s*=(.*):", line)
        if match:
            found[match[1]] = str_to_sympy(match[2])
    inner = {sympy.Symbol(name, real=True): form for name, form in found.items() if "/" not in name}
    for _ in inner:
        found = {name: form.subs(list(inner.items())) for name, form in found.items()}
    return found


def _changing(fragment: Fragment, forms: dict[str, sympy.Expr]) -> set[str]:
    """Variables that change while the network runs: by an equation of their own, an update or a reset."""
    code = "\n".join([*fragment.on_spike, *(update.code for update in fragment.updates)])
    return _assigned(code) | {name[1:-3] for name in forms if name.endswith("/dt")} | {"t"}


def _assigned(code: str) -> set[str]:
    return set(re.findall(r"^\s*(\w+)\s*[-+*/]?=(?!=)", code, re.M))


def names(form: sympy.Expr) -> set[str]:
    """Names in an expression."""
    return {str(symbol) for symbol in form.free_symbols}


def value(place: str, form: sympy.Expr, constants: Mapping[str, Any]) -> np.ndarray:
    """Value of an expression of constants, () or (n,), in SI units."""
    known = {**{str(unit): float(unit) for unit in all_units}, **constants}
    symbols = sorted(form.free_symbols, key=str)
    for symbol in symbols:
        if str(symbol) not in known:
            raise UserError(
                f"{place}: {symbol} in the decay of its membrane has no value; constants={{...}} gives it one"
            )
    values = [np.asarray(known[str(symbol)], dtype=float) for symbol in symbols]
    return np.asarray(sympy.lambdify(symbols, form, "numpy")(*values), dtype=float)
