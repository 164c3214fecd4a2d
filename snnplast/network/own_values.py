"""Values of names in users' equations: numbers, arrays, quantities, expressions and what is drawn for each neuron."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import numpy as np

from snnplast.brian import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS, DEFAULT_UNITS, Quantity, TimedArray, get_unit
from snnplast.described import reals, shaped
from snnplast.errors import UserError, nearest, unknown
from snnplast.network import code
from snnplast.network.code_check import dimension
from snnplast.network.fragments import Value
from snnplast.network.initial import value_of
from snnplast.network.unit_of import unit_of
from snnplast.units import of_any_unit, parse_quantity

DRAWS = ("rand", "randn")
"""Functions that draw: uniformly from [0, 1], and from a standard normal distribution."""

Known = Mapping[str, tuple[Value, str]]
"""Name -> (its value in SI units, its unit)."""

Draw = Callable[[str], np.random.Generator]
"""Name of what is drawn -> the random numbers for it."""


def worked_out(
    place: str, value: Any, unit: str | None, size: int, known: Known, rng: np.random.Generator | None
) -> tuple[Value, str]:
    """(A number or an array (size,) in SI units, its unit).

    unit: the one that is declared; None: whatever it has. known: names that an expression may hold.
    rng: of rand() and randn(), one draw for each neuron and call; without one they are their means, 0.5 and 0.
    """
    if isinstance(value, str) and is_code(value):
        return _of_expression(place, value, unit, size, known, rng)
    unit = _unit_of(place, value) if unit is None else unit
    return in_unit(place, value, unit, size), unit


def is_code(text: str) -> bool:
    """Whether a text is an expression, not a quantity such as '20 ms'."""
    try:
        return bool(code.names(code.expression(text)) or code.functions(code.expression(text)))
    except UserError:
        return False


def draws(value: Any) -> bool:
    """Whether a value is drawn."""
    return isinstance(value, str) and is_code(value) and bool(code.functions(code.expression(value)) & set(DRAWS))


def _of_expression(
    place: str, text: str, unit: str | None, size: int, known: Known, rng: np.random.Generator | None
) -> tuple[Value, str]:
    parsed = code.expression(text)
    _refuse_unknown(place, text, parsed, known)
    try:
        own = unit_of(text, {**{name: of for name, (_, of) in known.items()}, "i": "1", "N": "1"})
    except UserError as error:
        raise UserError(f"{place} = {error}") from None
    if unit is not None and dimension(own) is not dimension(unit):
        raise UserError(f"{place} = {text!r} is {_words(own)}; it must be {_words(unit)}")
    state: dict[str, Any] = {name: np.asarray(value) for name, (value, _) in known.items()}
    state |= {"i": np.arange(size), "N": size}
    state["rand()"] = (lambda: 0.5) if rng is None else (lambda: rng.random(size))
    state["randn()"] = (lambda: 0.0) if rng is None else (lambda: rng.standard_normal(size))
    with np.errstate(all="ignore"):  # said below
        found = np.asarray(value_of(parsed, state), dtype=float)
    if not np.all(np.isfinite(found)):
        raise UserError(f"{place} = {text!r} is {found[~np.isfinite(found)].flat[0]}; finite numbers are needed")
    return float(found) if found.ndim == 0 else found, own if unit is None else unit


def _words(unit: str) -> str:
    return "a number" if dimension(unit).is_dimensionless else f"in {unit}"


def _refuse_unknown(place: str, text: str, parsed: ast.expr, known: Known) -> None:
    standard = {name for name, function in DEFAULT_FUNCTIONS.items() if function.stateless} | set(DRAWS)
    for name in sorted(code.functions(parsed) - standard):
        raise UserError(f"{place} = {text!r}: {unknown('function', name, standard)}")
    own = {*known, "i", "N"}
    for name in sorted(code.names(parsed) - own - DEFAULT_UNITS.keys() - DEFAULT_CONSTANTS.keys()):
        raise UserError(
            f"{place} = {text!r}: {name!r} has no value there: constants, and what is given one before, do; "
            f"{nearest(name, own)}"
        )
    for node in ast.walk(parsed):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DRAWS and node.args:
            raise UserError(f"{place} = {text!r}: {node.func.id}() takes no arguments")


def _unit_of(place: str, value: Any) -> str:
    """The unit of a value that no equation declares."""
    first = value[0] if isinstance(value, list | tuple) and value else value
    if isinstance(first, str):
        try:
            first = of_any_unit(first)
        except UserError as error:
            raise UserError(f"{place}: {error}") from None
    return "1" if not isinstance(first, Quantity) or first.dim.is_dimensionless else repr(get_unit(first.dim))


def check_function(
    place: str, name: str, function: Any, declared: Container[str], texts: Iterable[str], size: int
) -> None:
    """Raise `UserError` for a function that the equations declare, or a time array with too few columns."""
    if name in declared:
        raise UserError(f"{place} is a function: the equations call it, {name}(t), and do not declare it")
    columns = function.values.shape[1:] if isinstance(function, TimedArray) else ()
    each = re.compile(rf"\b{name}\(\s*t\s*,\s*i\s*\)")
    if columns and columns[0] < size and any(map(each.search, texts)):
        raise UserError(f"{place} has {columns[0]} columns; {name}(t, i) needs one for each of {size} neurons")


def in_unit(place: str, value: Any, unit: str, size: int) -> Value:
    """A number or an array (size,) in SI units, of the unit that is declared."""
    wanted = dimension(unit)
    if wanted.is_dimensionless:
        if isinstance(value, str) or callable(value):
            raise UserError(f"{place} = {value!r}: a number or an array ({size},) is needed")
        array = reals(place, value)
    elif isinstance(value, Quantity) and value.dim is wanted:
        array = reals(place, np.asarray(value))
    elif isinstance(value, Quantity) or np.ndim(value) == 0:
        array = np.asarray(_at_place(place, lambda: parse_quantity(value, _plain(unit))))
    else:
        array = np.array([_at_place(place, lambda entry=entry: parse_quantity(entry, _plain(unit))) for entry in value])
    array = shaped(place, array, (), (size,))
    return float(array) if array.ndim == 0 else array


def quantity(value: Value, unit: str) -> Any:
    """A value in SI units as one would give it: with its unit, if it has one."""
    wanted = dimension(unit)
    return value if wanted.is_dimensionless else Quantity(value, dim=wanted)


def _plain(unit: str) -> str:
    return unit.replace(" ", "")


def _at_place(place: str, convert: Callable[[], float]) -> float:
    try:
        return convert()
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
