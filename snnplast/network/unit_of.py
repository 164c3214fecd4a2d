"""The unit of an expression in Brian2's language."""

from __future__ import annotations

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
    known = {name: Variable(name, dimensions=dimension(unit)) for name, unit in units.items()}
    standard = {name: Constant(name, float(unit), dimensions=unit.dim) for name, unit in DEFAULT_UNITS.items()}
    known = {**DEFAULT_FUNCTIONS, **DEFAULT_CONSTANTS, **standard, **known}
    known |= {"dt": Variable("dt", dimensions=dimension("second")), "t": Variable("t", dimensions=dimension("second"))}
    try:
        found = parse_expression_dimensions(expression, known)
    except Exception as error:  # Brian2 raises several
        raise UserError(f"{expression!r}: {' '.join(str(error).split())}") from None
    return "1" if found.is_dimensionless else repr(get_unit(found))
