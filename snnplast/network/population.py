"""Populations: what all share, and those that are neither spiking neurons nor readouts.

Times, voltages and the like carry units: Brian2 quantities, or strings such as "20 ms"; weights are numbers.
A value that may differ between neurons is a number or an array with one entry per neuron.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args

import numpy as np
from pydantic import BeforeValidator, Field, model_validator
from pydantic.fields import FieldInfo

from snnplast.brian import Quantity
from snnplast.described import reals
from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.network.fragments import Fragment, Value
from snnplast.ordered import mean
from snnplast.units import NonNegativeRate, PositiveRate, parse_quantity


@dataclass(frozen=True)
class Each:
    """What tables say of a field with a number or an array (n,): its unit, "" for none, and its range."""

    unit: str
    allowed: str
    low: float | None = None
    strict: bool = False

    @classmethod
    def of(cls, field: Any) -> Each | None:
        """That of a field, also inside `Voltages | None`; None for any other field."""
        inside = field.annotation if isinstance(field, FieldInfo) else field
        own = list(getattr(field, "metadata", None) or getattr(field, "__metadata__", ()))
        found = [item for item in own if isinstance(item, cls)]
        return found[0] if found else next((each for part in get_args(inside) if (each := cls.of(part))), None)


def each(unit: str | None, low: float | None = None, strict: bool = False) -> tuple[BeforeValidator, Each]:
    """Validator of a number or an array (n,), in SI units, finite and above `low`; and what tables say of it."""

    def convert(value: Any) -> Value:
        array = np.array(reals("", value)) if unit is None else _quantities(value, unit)
        if low is not None and not np.all(array > low if strict else array >= low):
            raise ValueError(
                f"{value!r} is out of range: {'greater than' if strict else 'at least'} {low:g} is allowed"
            )
        return float(array) if array.ndim == 0 else array

    allowed = (
        "" if low is None else f"{'above' if strict else 'at least'} {low:g} {unit or ''}".strip().replace(" 1/", "/")
    )
    return BeforeValidator(convert), Each(unit or "", allowed, low, strict)


def _quantities(value: Any, unit: str) -> np.ndarray:
    """SI values () or (n,) of a quantity, of an array with a unit, or of a list of quantities."""
    if isinstance(value, list | tuple):
        return np.array([parse_quantity(entry, unit) for entry in value])
    if np.ndim(value) == 0:
        return np.asarray(parse_quantity(value, unit))
    if not isinstance(value, Quantity):
        raise ValueError(f"an array has a unit, or is a list such as ['20 {unit}', '30 {unit}']: multiply it by {unit}")
    return np.array([parse_quantity(entry, unit) for entry in value])


def as_times(value: Any) -> Value:
    """Times >= 0 in seconds: a number or an array (n,). Raises `ValueError` or `UserError` for anything else."""
    array = _quantities(value, "ms")
    if not np.all(array >= 0):
        raise ValueError(f"{value!r} is out of range: at least 0 is allowed")
    return float(array) if array.ndim == 0 else array


if TYPE_CHECKING:
    PositiveTimes = Any
    NonNegativeTimes = Any
    Positive = Any
    NonNegative = Any
    Real = Any
else:
    PositiveTimes = Annotated[Value, *each("ms", 0, strict=True)]
    NonNegativeTimes = Annotated[Value, *each("ms", 0)]
    Positive = Annotated[Value, *each(None, 0, strict=True)]
    NonNegative = Annotated[Value, *each(None, 0)]
    Real = Annotated[Value, *each(None)]


class LayerNorm(Description):
    r"""Rate representation of a layer: subtractive and divisive inhibition from one interneuron pool.

        z = (r - mean(r)) / sqrt(var(r) + offset),   r = spike count / duration

    offset: regulariser of the variance, Hz^2, default 1, > 0.

    >>> LayerNorm()(np.array([10.0, 20.0, 30.0])).round(2)
    array([-1.22,  0.  ,  1.22])
    """

    offset: Annotated[float, Field(gt=0, description="added to the variance (Hz^2)")] = 1.0

    def __call__(self, rates: np.ndarray) -> np.ndarray:
        """rates (n,) in Hz -> z (n,)."""
        apart = rates - mean(rates)
        return apart / math.sqrt(mean(apart * apart) + self.offset)

    def back(self, rates: np.ndarray, xi: np.ndarray) -> np.ndarray:
        """xi (n,), a derivative by z, as one by the rates (n,) that z is made of: (xi - mean(xi) - z mean(xi z)) / sd.

        >>> LayerNorm().back(np.array([10.0, 20.0, 30.0]), np.array([1.0, 0.0, 0.0])).round(3)
        array([ 0.021, -0.041,  0.019])
        """
        z = self(rates)
        return (xi - xi.mean() - z * np.mean(xi * z)) / np.sqrt(rates.var() + self.offset)


class Population(Description):
    """Neurons of one kind.

    size: number of neurons, an integer, >= 1.

    What others ask of it is declared here; a kind of population says otherwise in its own class.

    spiking: whether it spikes. readout: whether an objective may be about its activity `y`.
    clock: whether its variables take their values at every step, or once per trial, in the response step.
    input_variable: the variable that projections add to; None: it takes no input.
    in_steps: names of fields that are times in whole steps of the simulation.
    """

    clock: ClassVar[Literal["step", "trial"]] = "step"
    in_steps: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        size: int = Field(kw_only=False)
    else:
        size: Annotated[int, Field(ge=1, description="number of neurons")]
    spiking: ClassVar[bool] = False
    readout: ClassVar[bool] = False
    input_variable: ClassVar[str | None] = None

    if not TYPE_CHECKING:

        def __init__(self, size: int, **values: Any) -> None:
            super().__init__(size=size, **values)

    @model_validator(mode="after")
    def _one_entry_per_neuron(self) -> Population:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and value.shape not in ((), (self.size,)):
                raise ValueError(f"{name} has shape {value.shape}; allowed is a number or shape ({self.size},)")
        return self

    @property
    def input_variable_name(self) -> str | None:
        """Variable that projections add to; None: takes no input."""
        return self.input_variable

    @property
    def parameters(self) -> Mapping[str, Value]:
        """Its own variables that a rule may learn, with what they start from: {'bias': 0.0}."""
        return {}

    @property
    def weight_units(self) -> Mapping[str, str]:
        """Variable -> unit of weights that add to it, unless their projection names another."""
        return {}

    @property
    def lasting(self) -> tuple[str, ...]:
        """Variables that outlive a trial: reset leaves them alone, checkpoints hold them."""
        return ()

    @property
    def rate_representation(self) -> LayerNorm | None:
        """What makes the rate representation z of its firing rates, for layer-wise rules; None: it has none."""
        return None

    @property
    def adaptation(self) -> tuple[Value, Value] | None:
        """(beta, tau): strength and time constant (s) of an adaptive threshold A = theta + beta a; None: constant."""
        return None

    def fragment(self, dt: float) -> Fragment:
        """Its equations in Brian2's language, for a time step `dt` (s); a source has none."""
        return Fragment()

    @property
    def initial_values(self) -> Mapping[str, Value]:
        """Variable -> where it begins in every trial, in SI units; all others begin at 0."""
        return {}

    def drawn(self, seed: int, name: str) -> Self:
        """The same, with what is drawn for its neurons once per run; name: the population's in its network."""
        return self

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
    """Spikes handed over by the task in every trial: integers (steps, indices), see `Segment`.

    >>> from snnplast import Segment
    >>> SpikeSource(3).spiking
    True
    >>> Segment(10, {"input": ([0, 9], [2, 0])}).inputs["input"]
    (array([0, 9]), array([2, 0]))
    """

    spiking: ClassVar[bool] = True

    @property
    def driven(self) -> bool:
        """Whether the task says what it shows: then every trial must."""
        return True


class PoissonSource(SpikeSource):
    r"""Poisson spikes from values u in [0, 1]: P(spike in a step) = u * peak_rate * dt, independently.

    peak_rate: firing rate at u = 1, default 200 Hz, > 0.
    rate: of every neuron at every step, for a background that the task knows nothing of; default none.

    >>> PoissonSource(64, peak_rate="100 Hz").peak_rate
    100.0
    >>> PoissonSource(64, rate="5 Hz").driven
    False
    >>> PoissonSource(64, peak_rate=100)
    Traceback (most recent call last):
    snnplast.description.WrongValue: PoissonSource.peak_rate: 100 has no unit: a rate is needed, write '100 Hz' if ...
    """

    peak_rate: Annotated[PositiveRate, Field(description="firing rate at input value 1")] = "200 Hz"
    rate: Annotated[NonNegativeRate | None, Field(description="constant rate of a background")] = None

    @property
    def driven(self) -> bool:
        return self.rate is None
