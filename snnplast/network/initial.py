"""Where a trial begins: a population whose threshold is crossed there would spike at every first step, unasked."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from snnplast.brian import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS, DEFAULT_UNITS
from snnplast.errors import UserError
from snnplast.network import code
from snnplast.network.fragments import FLAGS, LEARNING, Fragment, Value

_BINARY: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.And: np.logical_and, ast.Or: np.logical_or,
}  # fmt: skip
_UNARY: dict[type, Callable[..., Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: np.logical_not}


def refuse_spikes_at_once(
    place: str, fragment: Fragment, threshold: str, initial: Mapping[str, Value], size: int, dt: float
) -> None:
    """Raise `UserError` where neurons spike at the first step of every trial, whatever arrives.

    That is where the condition holds at the initial state, and still does once the updates before it have run.
    """
    state = _start(fragment, initial, size, dt)
    condition = code.expression(threshold)
    try:
        with np.errstate(all="ignore"):
            spiking = np.broadcast_to(value_of(condition, state), (size,))
            first = [u for u in fragment.updates if u.event is None and code.precedes(u.when, "thresholds")]
            for update in sorted(first, key=lambda u: (code.SLOTS.index(u.when), u.order)):
                _run(update.code, state)
            spiking = spiking & np.broadcast_to(value_of(condition, state), (size,))
    except KeyError:  # it depends on what comes from elsewhere
        return
    if np.any(spiking):
        begins = ", ".join(f"{n} = {initial.get(n, 0)}" for n in sorted(fragment.variables() & code.names(condition)))
        raise UserError(
            f"{place}: threshold = {threshold!r} holds where a trial begins ({begins or 'for these constants'}), so "
            f"{np.sum(spiking)} of {size} neurons would spike at once; initial={{...}} says where it begins"
        )


def value_at_start(text: str, fragment: Fragment, initial: Mapping[str, Value], size: int) -> Any:
    """Value of an expression where a trial begins, (), or (n,), in SI units.

    Raises `UserError` for a name that has no value there.
    """
    state = _start(fragment, initial, size, 1e-3)
    try:
        found = np.asarray(value_of(code.expression(text), state), dtype=float)
        return float(found) if found.ndim == 0 else found
    except KeyError as error:
        raise UserError(f"{text!r}: {error.args[0]!r} has no value where a trial begins") from None


def _start(fragment: Fragment, initial: Mapping[str, Value], size: int, dt: float) -> dict[str, Any]:
    """Where a trial begins: name -> value in SI units, or expression."""
    state: dict[str, Any] = {"t": 0.0, "dt": dt, "t_in_timesteps": 0, "i": np.arange(size), "N": size}
    state |= {"not_refractory": True, **dict.fromkeys((*FLAGS.values(), LEARNING), 0.0), "lastspike": -np.inf}
    state |= dict.fromkeys(fragment.variables(), 0.0)
    state |= {name: np.asarray(value) for name, value in {**fragment.constants, **initial}.items()}
    state |= {e.name: e.value for e in map(code.equation, fragment.equations) if e.subexpression}
    return state


def _run(block: str, state: dict[str, Any]) -> None:
    for statement in code.statements(block):
        value = value_of(statement.value, state)
        if statement.operator != "=":
            change = {"+=": operator.add, "-=": operator.sub, "*=": operator.mul, "/=": operator.truediv}
            value = change[statement.operator](state[statement.target], value)
        state[statement.target] = value


def value_of(node: ast.expr, state: Mapping[str, Any]) -> Any:
    """Value of an expression, in SI units. Raises `KeyError` for a name without a value.

    state: name -> value, or expression; 'name()' -> what a function without arguments returns.
    """
    match node:
        case ast.Constant(value=value):
            return value if isinstance(value, bool) else np.float64(cast(float, value))  # divides by 0 as Brian2 does
        case ast.Name(id=name):
            return _named(name, state)
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](value_of(left, state), value_of(right, state))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _BINARY[type(op)](value_of(left, state), value_of(right, state))
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](value_of(operand, state))
        case ast.BoolOp(op=op, values=[first, *others]):
            total = value_of(first, state)
            for other in others:
                total = _BINARY[type(op)](total, value_of(other, state))
            return total
        case ast.Call(func=ast.Name(id=name), args=[]) if f"{name}()" in state:
            return state[f"{name}()"]()
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return np.asarray(DEFAULT_FUNCTIONS[name].pyfunc(*(value_of(argument, state) for argument in arguments)))
    raise KeyError(ast.unparse(node))


def _named(name: str, state: Mapping[str, Any]) -> Any:
    if name in state:
        found = state[name]
        return value_of(found, state) if isinstance(found, ast.expr) else found
    if name in DEFAULT_CONSTANTS:
        return DEFAULT_CONSTANTS[name].get_value()
    return np.float64(DEFAULT_UNITS[name])
