"""Physical quantities from text: "20 ms" becomes 0.02 (seconds), checked, without eval.

Typed parameters use the annotated types below. Their values are plain floats in SI base units (second, hertz):

    class Rule(BaseModel):
        tau: PositiveTime = 0.02          # a default is written in SI base units; it prints as "20 ms"

    Rule(tau="25 ms"), Rule(tau=25 * ms)  # what a config file, and what Brian2 code, may say

Dumping a model writes "25 ms" back, so that a dump is a valid config. Other dimensions are one line each:
`Voltage = Annotated[float, InUnit("mV")]`.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from snnplast.errors import UserError, short, unknown

_NUMBER = re.compile(r"\s*([+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*", re.DOTALL)
_FACTOR = re.compile(r"\s*(1|[A-Za-z]\w*)\s*(?:(?:\*\*|\^)\s*([+-]?\d))?\s*")
_COMMON: Sequence[str] = (
    "second msecond usecond ms us hertz Hz kHz MHz volt mV amp uA nA pA farad uF nF pF siemens mS uS nS ohm Mohm"
    " metre mm um"
).split()


def parse_quantity(value: Any, unit: str) -> float:
    """Value of a quantity in SI base units.

    Parameters
    ----------
    value : str, Brian2 Quantity or number
        "20 ms", "0.5 1/ms", "3 nA/ms"; `20 * ms`; or a bare number where `unit` is "1" or the number is 0.
    unit : str
        A unit of the wanted dimension ("second" and "ms" both ask for a time); messages show it as the example.

    Returns
    -------
    float
        `parse_quantity("20 ms", "second") == 0.02`; equal to what `float(20 * ms)` is in Brian2.

    Raises
    ------
    UserError
        A missing, unknown or wrong unit, or a number that is not finite.
    """
    wanted = _unit(unit)
    if isinstance(value, str):
        return _from_text(value, unit, wanted)
    if getattr(value, "shape", ()) != ():
        raise UserError(f"{value} is an array: one value is needed, {_like(unit)}")
    if hasattr(value, "dim"):  # a Brian2 Quantity or Unit
        if value.dim is not wanted.dim:
            raise UserError(f"{value} is in {_dimension_name(value)}: {_article(unit)} is needed, {_like(unit)}")
        return _finite(float(value), value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise UserError(f"{short(value)} is no quantity: {_article(unit)} is needed, {_like(unit)}")
    try:
        number = float(value)
    except OverflowError:
        raise UserError(f"{short(value)} is too large: {_article(unit)} is needed, {_like(unit)}") from None
    return _bare(number, value, unit, wanted)


def format_quantity(value: float, unit: str | None) -> str:
    """Text of an SI value in `unit`, which `parse_quantity` reads back exactly: (0.02, "ms") gives "20 ms"."""
    if unit is None or unit == "1":
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    wanted = _unit(unit)
    scale = float(wanted)
    for digits in (12, 15, 17):
        text = f"{value / scale:.{digits}g}"
        if float(text) * scale == value:
            return f"{text} {unit}"
    return f"{value!r} {_dimension_name(wanted)}"


@dataclass(frozen=True)
class InUnit:
    """Pydantic annotation of a float field that holds a quantity: its unit for display, and its range.

    `gt` and `ge` are bounds in SI base units (exclusive, inclusive).
    """

    unit: str
    gt: float | None = None
    ge: float | None = None

    def validate(self, value: Any) -> float:
        """SI value of `value`, inside the range."""
        number = parse_quantity(value, self.unit)
        if (self.gt is not None and not number > self.gt) or (self.ge is not None and not number >= self.ge):
            raise UserError(f"{_shown(value)} is out of range: {_article(self.unit)} {self.range_text()} is needed")
        return number

    def range_text(self) -> str:
        """The range in words, "above 0 ms", or "" where every value is allowed."""
        if self.gt is not None:
            return f"above {format_quantity(self.gt, self.unit)}"
        return "" if self.ge is None else f"of at least {format_quantity(self.ge, self.unit)}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            self.validate,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: format_quantity(value, self.unit), return_schema=core_schema.str_schema()
            ),
        )


if TYPE_CHECKING:
    Time = Any
    NonNegativeTime = Any
    PositiveTime = Any
    Rate = Any
    NonNegativeRate = Any
    PositiveRate = Any
else:
    Time = Annotated[float, InUnit("ms")]
    NonNegativeTime = Annotated[float, InUnit("ms", ge=0)]
    PositiveTime = Annotated[float, InUnit("ms", gt=0)]
    Rate = Annotated[float, InUnit("Hz")]
    NonNegativeRate = Annotated[float, InUnit("Hz", ge=0)]
    PositiveRate = Annotated[float, InUnit("Hz", gt=0)]


def in_unit(field: FieldInfo) -> InUnit | None:
    """The `InUnit` of a pydantic field, also inside `Time | None` or `list[Time]`; None for a field without one."""
    found = [item for item in field.metadata if isinstance(item, InUnit)]
    return found[0] if found else _inside(field.annotation)


def _inside(annotation: Any) -> InUnit | None:
    for item in get_args(annotation):
        if isinstance(item, InUnit):
            return item
        found = _inside(item)
        if found:
            return found
    return None


def _from_text(text: str, unit: str, wanted: Any) -> float:
    match = _NUMBER.fullmatch(text)
    if not match:
        raise UserError(f"'{text}' is no quantity: {_article(unit)} is needed, {_like(unit)}")
    number = float(match[1])
    unit_text = match[2].removeprefix("*").strip()
    if not unit_text:
        return _bare(number, f"'{text}'", unit, wanted)
    if unit_text.startswith("/"):
        unit_text = f"1{unit_text}"
    try:
        given = _unit(unit_text, unit)
    except UserError as error:
        raise UserError(f"'{text}' has the {error}") from None
    if given.dim is not wanted.dim:
        raise UserError(f"'{text}' has the unit '{unit_text}': {_article(unit)} is needed, {_like(unit)}")
    return _finite(number * float(given), f"'{text}'")


def _bare(number: float, shown: Any, unit: str, wanted: Any) -> float:
    if number != 0 and not wanted.dim.is_dimensionless:
        add = f"write '{number:g} {unit}' if {unit} is meant"
        raise UserError(f"{shown} has no unit: {_article(unit)} is needed, {add}")
    return _finite(number, shown)


def _finite(number: float, shown: Any) -> float:
    if not math.isfinite(number):
        raise UserError(f"{shown} is not a finite number")
    return number


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


@functools.cache
def _names() -> dict[str, Any]:
    """All unit names of Brian2, and the symbols it prints ("s" for second)."""
    from snnplast.brian import Unit, allunits, stdunits

    units = {n: u for module in (allunits, stdunits) for n, u in vars(module).items() if isinstance(u, Unit)}
    return {u.dispname: u for u in units.values()} | units


@functools.cache
def _unit(text: str, wanted: str = "ms") -> Any:
    """Quantity of 1 `text`: names and 1, joined by * and /, with powers: "ms", "1/ms", "nA/ms", "metre**2"."""
    from snnplast.brian import Quantity

    product: Any = Quantity(1.0)
    place, operator = 0, "*"
    while operator in ("*", "/"):
        match = _FACTOR.match(text, place)
        if not match:
            break
        if match[1] != "1":
            if match[1] not in _names():
                raise UserError(unknown("unit", match[1], _known(wanted)))
            factor = _names()[match[1]] ** int(match[2] or 1)
            product = product * factor if operator == "*" else product / factor
        place = match.end() + 1
        if place > len(text):
            return Quantity(product)
        operator = text[place - 1]
    raise UserError(f"unreadable unit '{text}': {_article(wanted)} is needed, {_like(wanted)}")


def one(unit: str, wanted: str) -> Any:
    """Quantity of 1 in a unit. wanted: a unit of the dimension that messages give examples of.

    >>> float(one("nS", "siemens"))
    1e-09
    >>> one("nano", "siemens")
    Traceback (most recent call last):
    snnplast.errors.UserError: unknown unit 'nano': ...
    """
    return _unit(unit.replace(" ", ""), wanted)


def of_any_unit(text: str) -> Any:
    """The quantity that a text is, whatever its unit.

    >>> of_any_unit("100 Mohm")
    100. * Mohm
    """
    match = _NUMBER.fullmatch(text)
    if not match:
        raise UserError(f"'{text}' is no quantity: a number with a unit is needed, such as '20 ms'")
    unit = match[2].removeprefix("*").strip()
    return float(match[1]) * _unit(f"1{unit}" if unit.startswith("/") else unit or "1")


def _known(wanted: str) -> list[str]:
    """Common unit names, of the dimension of `wanted` where there are some."""
    dim = _unit(wanted).dim
    return [name for name in _COMMON if _names()[name].dim is dim] or list(_COMMON)


def _dimension_name(quantity: Any) -> str:
    from snnplast.brian import get_unit

    return str(get_unit(quantity.dim))


def _article(unit: str) -> str:
    wanted = _unit(unit)
    words = {_unit("second").dim: "a time", _unit("hertz").dim: "a rate", _unit("volt").dim: "a voltage"}
    if wanted.dim.is_dimensionless:
        return "a number without a unit"
    return words.get(wanted.dim, f"a quantity in {unit}")


def _like(unit: str) -> str:
    number = "0.5" if unit == "1" else f"20 {unit}"
    return f"such as '{number}'"
