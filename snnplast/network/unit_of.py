"""The unit of an expression in Brian2's language."""

from __future__ import annotations

import functools
from collections.abc import Mapping

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


def unit_of(expression: str, units: Mapping[str, str]) -> str:
    """Brian2's unit of an expression, "1" where it has none. units: of the names in it.

    Raises `UserError` where the units in it do not fit together.

    >>> unit_of("v - VT", {"v": "volt", "VT": "volt"}), unit_of("v*w", {"v": "volt", "w": "1"})
    ('volt', 'volt')
    >>> unit_of("v - 1", {"v": "volt"})
    Traceback (most recent call last):
    snnplast.errors.UserError: 'v - 1': ...
    """
    return _unit_of(expression, tuple(sorted(units.items())))


@functools.lru_cache(maxsize=1024)
def _unit_of(expression: str, units: tuple[tuple[str, str], ...]) -> str:
    known = {name: Variable(name, dimensions=dimension(unit)) for name, unit in units}
    known |= {name: Variable(name, dimensions=dimension("second")) for name in ("t", "dt")}
    try:
        found = parse_expression_dimensions(expression, {**_standard(), **known})
    except Exception as error:  # Brian2 raises several
        raise UserError(f"{expression!r}: {' '.join(str(error).split())}") from None
    return "1" if found.is_dimensionless else repr(get_unit(found))


@functools.cache
def _standard() -> dict[str, object]:
    """What Brian2 knows by itself: functions, constants and units."""
    units = {name: Constant(name, float(unit), dimensions=unit.dim) for name, unit in DEFAULT_UNITS.items()}
    return {**DEFAULT_FUNCTIONS, **DEFAULT_CONSTANTS, **units}
