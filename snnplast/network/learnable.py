"""Constants of neurons that rules learn: which, where they start, and within which bounds.

They are learned in parts of their first value: x = p / |p at the start|, or p in SI units where that is 0. A learning
rate of 0.005 thus means half a percent of a time constant as of a threshold; so does weight decay, which pulls x to 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from snnplast.errors import UserError, short, unknown
from snnplast.network.code_check import dimension
from snnplast.network.fragments import Fragment, Value
from snnplast.network.own_values import in_unit
from snnplast.units import format_quantity

Bounds = tuple[Value | None, Value | None]

SMALLEST = 1e-3
"""What is positive is kept above this part of its first value."""


def _as_learnable(value: Any) -> dict[str, tuple[Any, Any]]:
    """Name -> (lowest, highest), None for a side that is not given."""
    if isinstance(value, Mapping):
        for name, sides in value.items():
            if not isinstance(sides, list | tuple) or len(sides) != 2:
                raise ValueError(f"[{name!r}] = {short(sides)}: two entries, (lowest, highest), are needed")
        return {str(name): tuple(sides) for name, sides in value.items()}
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{short(value)}: names, or a table of names with (lowest, highest), are needed")
    for name in value:
        if list(value).count(name) > 1:
            raise ValueError(f"{name!r} is named twice")
    return dict.fromkeys(value, (None, None))


if TYPE_CHECKING:
    Learnable = Any
else:
    Learnable = Annotated[dict[str, tuple[Any, Any]], BeforeValidator(_as_learnable)]
"""A field that takes names, or names with bounds."""


@dataclass(frozen=True)
class Learnt:
    """One constant that is learned.

    name: of the variable that holds it. unit, value: of its first value, a number or one per neuron, in SI units.
    bounds: (lowest, highest) in SI units as they are given, None where a side is not.
    starts: variable that begins every trial at it; None: it is a constant of the code.
    """

    name: str
    unit: str
    value: Value
    bounds: Bounds = (None, None)
    starts: str | None = None

    def limits(self, dt: float, positive: bool = False, non_negative: bool = False) -> Bounds:
        """(lowest, highest), for a time step dt (s). positive, non_negative: what its field asks for.

        Raises `UserError` for bounds beyond that, and for a first value beyond them.
        """
        low, high = self.bounds
        if low is None:
            low = self._lowest(dt, positive, non_negative)
        elif (positive and np.any(np.asarray(low) <= 0)) or (non_negative and np.any(np.asarray(low) < 0)):
            raise UserError(f"{self.name} >= {self._shown(low)}: {'above' if positive else 'at least'} 0 is allowed")
        beyond = (low is not None and np.any(self.value < low)) or (high is not None and np.any(self.value > high))
        if beyond:
            sides = " to ".join("any" if side is None else self._shown(side) for side in (low, high))
            raise UserError(f"{self.name} begins at {self._shown(self.value)}, beyond its bounds, {sides}")
        return low, high

    def _shown(self, value: Value) -> str:
        """A value with its unit; of one per neuron, the smallest and the largest."""
        unit = "ms" if dimension(self.unit) is dimension("second") else self.unit.replace(" ", "")
        ends = dict.fromkeys((float(np.min(value)), float(np.max(value))))
        return " ... ".join(format_quantity(end, unit) for end in ends)

    def _lowest(self, dt: float, positive: bool, non_negative: bool) -> Value | None:
        """A time is at least one step; what is positive stays away from 0."""
        if self.starts is None and dimension(self.unit) is dimension("second"):
            return dt
        return SMALLEST * self.value if positive else 0.0 if non_negative else None


def learnt(
    chosen: Mapping[str, tuple[Any, Any]],
    constants: Mapping[str, Value],
    begins: Mapping[str, Value],
    units: Mapping[str, str],
    size: int,
) -> tuple[Learnt, ...]:
    """What is learned of a population. constants: those that may be; begins: variables whose first value may be.

    Raises `UserError` for a name that is neither, and for bounds that are none.
    """
    found = []
    for name, sides in chosen.items():
        if name not in constants and name not in begins:
            raise UserError(unknown("constant", name, {*constants, *begins}))
        unit = units.get(name, "1")
        low, high = (None if s is None else in_unit(name, s, unit, size) for s in sides)
        if low is not None and high is not None and np.any(np.asarray(low) > np.asarray(high)):
            raise UserError(f"{name} = ({sides[0]}, {sides[1]}): the lowest value must not exceed the highest")
        if name in constants:
            found.append(Learnt(name, unit, constants[name], (low, high)))
        else:
            found.append(Learnt(f"initial_{name}", unit, begins[name], (low, high), name))
    return tuple(found)


def with_variables(code: Fragment, constants: Sequence[Learnt]) -> Fragment:
    """The code with what is learned as variables of the neurons, one value each."""
    declared = code.variables()
    names = {one.name for one in constants}
    lines = tuple(f"{one.name} : {one.unit} (constant)" for one in constants if one.name not in declared)
    kept = {name: value for name, value in code.constants.items() if name not in names}
    return replace(code, equations=code.equations + lines, constants=kept)
