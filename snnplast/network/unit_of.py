"""The unit of an expression in Brian2's language."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from snnplast.brian import (
    DEFAULT_CONSTANTS,
    DEFAULT_FUNCTIONS,
    DEFAULT_UNITS,
    Constant,
    Variable,
    get_unit,
    parse_expression_dimensions,
)
from snnplast.errors import UserError
from snnplast.network.code_check import dimension


def unit_of(expression: str, units: Mapping[str, str], functions: Mapping[str, Any] | None = None) -> str:
    """Brian2's unit of an expression, "1" where it has none.

    units: of the names in it. functions: those it calls beside Brian2's own.

    Raises `UserError` where the units in it do not fit together.

    >>> unit_of("v - VT", {"v": "volt", "VT": "volt"}), unit_of("v*w", {"v": "volt", "w": "1"})
    ('volt', 'volt')
    >>> unit_of("v - 1", {"v": "volt"})
    Traceback (most recent call last):
    snnplast.errors.UserError: 'v - 1': ...
    """
    if functions:
        return _worked_out(expression, units, functions)
    return _kept(expression, tuple(sorted(units.items())))


@functools.lru_cache(maxsize=1024)
def _kept(expression: str, units: tuple[tuple[str, str], ...]) -> str:
    return _worked_out(expression, dict(units), {})


def _worked_out(expression: str, units: Mapping[str, str], functions: Mapping[str, Any]) -> str:
    known = {name: Variable(name, dimensions=dimension(unit)) for name, unit in units.items()}
    known |= {name: Variable(name, dimensions=dimension("second")) for name in ("t", "dt")}
    try:
        found = parse_expression_dimensions(expression, {**_standard(), **functions, **known})
    except Exception as error:  # Brian2 raises several
        raise UserError(f"{expression!r}: {' '.join(str(error).split())}") from None
    return "1" if found.is_dimensionless else repr(get_unit(found))


@functools.cache
def _standard() -> dict[str, object]:
    """What Brian2 knows by itself: functions, constants and units."""
    units = {name: Constant(name, float(unit), dimensions=unit.dim) for name, unit in DEFAULT_UNITS.items()}
    return {**DEFAULT_FUNCTIONS, **DEFAULT_CONSTANTS, **units}
