"""Which neurons have a membrane that eligibility traces of one exponential are exact for; all others are refused.

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
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Fragment
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.projection import Projection


def refuse_other_membranes(rule: str, network: Network, projection: Projection) -> None:
    """Raise `UserError` where traces of one exponential are not the derivative of what a projection's weights do."""
    target = network.populations[projection.target]
    place = f"rule {rule!r}: network.{projection.name}"
    if projection.kind == "analog":
        raise UserError(f"{place} is analog, and its traces are those of spikes; plastic=False keeps these weights")
    if projection.into not in (None, target.input_variable_name):
        raise UserError(
            f"{place} adds to {projection.into!r}, and its traces are those of the membrane "
            f"{target.input_variable_name!r}; they cannot be derived from other equations yet"
        )
    if isinstance(target, CustomNeurons):
        _check_equations(place, projection.target, target, network.dt)
    elif not isinstance(target, LIF):
        raise UserError(f"{place}: nothing is known of the membrane of {type(target).__name__}; LIF, ALIF are allowed")


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


def _check_equations(place: str, name: str, target: CustomNeurons, dt: float) -> None:
    fragment, membrane = target.fragment(dt), target.membrane
    slope = decay(place, name, membrane, fragment)
    expected, found = np.broadcast_arrays(-1 / np.asarray(target.tau_m), value(place, slope, fragment.constants))
    if not np.allclose(found, expected, rtol=1e-9):
        said, is_ = (-1e3 / rates.reshape(-1)[np.argmax(np.abs(found - expected))] for rates in (expected, found))
        raise UserError(
            f"{place}: its traces take the membrane {membrane!r} of {name!r} for one exponential of "
            f"tau_m = {said:g} ms, but its equation decays with {is_:g} ms"
        )
    own, distance = sympy.Symbol(membrane, real=True), str_to_sympy(target.distance)
    moving = names(distance) & _changing(fragment, _expressions(fragment)) - {membrane}
    if moving or sympy.simplify(sympy.diff(distance, own) - 1) != 0:
        raise UserError(
            f"{place}: distance = {target.distance!r}: it must be {membrane!r} less a constant"
            + (f", and {', '.join(sorted(moving))} changes; ALIF has an adaptive threshold" if moving else "")
        )


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
