"""Populations: what all share, and those that are neither spiking neurons nor readouts.

Times carry units (Brian2 quantities or strings such as "20 ms"); membranes and weights are dimensionless.
A value that may differ between neurons is a number or an array with one entry per neuron.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

import numpy as np
from brian2 import Quantity
from pydantic import BeforeValidator, Field, model_validator

from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.fragments import Fragment, Update, Value
from snnplast.units import PositiveRate, parse_quantity


def _each(unit: str | None, low: float | None = None, strict: bool = False) -> BeforeValidator:
    """Validator of a number or an array (n,), in SI units, finite and above `low`."""

    def number(value: Any) -> float:
        try:
            return parse_quantity(value, unit) if unit else float(value)
        except TypeError:
            raise ValueError(f"{value!r} is no number") from None

    def convert(value: Any) -> Value:
        if isinstance(value, list | tuple) or (unit and isinstance(value, Quantity) and np.ndim(value) > 0):
            array = np.array([number(entry) for entry in value])
        elif isinstance(value, np.ndarray) and not unit:
            array = np.array(value, dtype=float)
        else:
            array = np.asarray(number(value))
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{value!r} is not finite")
        if low is not None and not np.all(array > low if strict else array >= low):
            raise ValueError(
                f"{value!r} is out of range: {'greater than' if strict else 'at least'} {low:g} is allowed"
            )
        return float(array) if array.ndim == 0 else array

    return BeforeValidator(convert)


_IN_MS = Field(json_schema_extra={"unit": "ms"})
PositiveTimes = Annotated[Value, _each("second", 0, strict=True), _IN_MS]
NonNegativeTimes = Annotated[Value, _each("second", 0), _IN_MS]
Positive = Annotated[Value, _each(None, 0, strict=True)]
NonNegative = Annotated[Value, _each(None, 0)]
Real = Annotated[Value, _each(None)]


class Population(Description):
    """Neurons of one kind.

    size: number of neurons, >= 1.
    """

    size: Annotated[int, Field(ge=1, description="number of neurons")]
    spiking: ClassVar[bool] = False
    readout: ClassVar[bool] = False
    input_variable: ClassVar[str | None] = None

    def __init__(self, size: int, **values: Any) -> None:
        super().__init__(size=size, **values)

    @model_validator(mode="after")
    def _one_entry_per_neuron(self) -> Population:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and value.shape != (self.size,):
                raise ValueError(f"{name} has shape {value.shape}; allowed is a number or shape ({self.size},)")
        return self

    @property
    def input_variable_name(self) -> str | None:
        """Variable that projections add to; None: takes no input."""
        return self.input_variable

    def fragment(self, dt: float) -> Fragment:
        """Its equations in Brian2's language, for a time step `dt` (s); a source has none."""
        return Fragment()

    def input_gain(self, dt: float) -> Value:
        """What one unit of weighted input adds to the membrane."""
        return 1.0


def refuse_undeclared(fragment: Fragment, wanted: Iterable[str]) -> None:
    """Raise `UserError` for a name that a population uses, but its equations do not declare."""
    names = fragment.names()
    for name in wanted:
        if name not in names:
            raise UserError(f"{name!r} is not declared by the equations: {', '.join(sorted(names))} are")


class SpikeSource(Population):
    """Spikes handed over by the task: arrays of steps and neuron indices."""

    spiking: ClassVar[bool] = True


class PoissonSource(SpikeSource):
    r"""Poisson spikes from values u in [0, 1]: P(spike in a step) = u * peak_rate * dt, independently.

    peak_rate: firing rate at u = 1, default 200 Hz, > 0.
    """

    peak_rate: Annotated[PositiveRate, Field(description="firing rate at input value 1")] = "200 Hz"  # type: ignore[assignment]


class LayerNorm(Description):
    r"""Rate representation of a layer: subtractive and divisive inhibition from one interneuron pool.

    z = (r - mean(r)) / sqrt(var(r) + offset),   r = spike count / duration

    offset: regulariser of the variance, Hz^2, default 1, > 0.
    """

    offset: Annotated[float, Field(gt=0, description="added to the variance (Hz^2)")] = 1.0

    def __call__(self, rates: np.ndarray) -> np.ndarray:
        """rates (n,) in Hz -> z (n,)."""
        return (rates - rates.mean()) / np.sqrt(rates.var() + self.offset)


class Analog(Population):
    """Non-spiking units with your own equations, e.g. a rate reservoir or a feedback population.

    equations: Brian2 equations, one per line; may hold differential equations (integrated exactly or by Euler).
    updates: code run each step, or with event = "trial" once per trial in the response step.
    into: the variable that projections add to unless they name another, default "drive".
    persistent: variables that outlive a trial: reset leaves them alone, checkpoints hold them.
    """

    equations: str
    updates: tuple[Update, ...] = ()
    into: str = "drive"
    constants: dict[str, Any] = Field(default_factory=dict)
    persistent: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _declares_what_it_names(self) -> Analog:
        refuse_undeclared(self.fragment(0.001), (self.into, *self.persistent))
        return self

    @property
    def input_variable_name(self) -> str | None:
        return self.into

    def fragment(self, dt: float) -> Fragment:
        lines = tuple(line.strip() for line in self.equations.splitlines() if line.strip())
        return Fragment(lines, self.constants, {}, self.updates)
