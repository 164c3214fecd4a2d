r"""Surrogate derivatives: what stands for dz/dv of a spiking neuron in a learning rule.

    psi = gamma f(u),   u = (v - A) / width,   gamma = height / theta,   width = relative_width * theta

with the membrane v before the reset, the threshold A of this step and the base threshold theta; psi = 0 while
refractory. The shapes f:

    piecewise-linear   max(0, 1 - |u|)          Bellec et al. (2020), with height 0.3 and width theta
    exponential        exp(-|u|)                Shrestha & Orchard (2018)
    fast-sigmoid       1 / (1 + |u|)^2          Zenke & Ganguli (2018)
    arctan             1 / (1 + (pi u / 2)^2)   Fang et al. (2021)
    boxcar             1 where |u| <= 1, else 0  Kaiser et al. (2020), with height 1 and half the width
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from snnplast.description import Description
from snnplast.named import Named


class Surrogate(Description):
    """A shape with height and width.

    height: peak times the threshold, dimensionless, default 0.3, > 0.
    relative_width: width over the threshold, dimensionless, default 1, > 0.
    per_threshold: divide the height by the threshold (default, as in e-prop's papers) or not; where the membrane has a
        unit, it is divided in any case.

    >>> PiecewiseLinear(height=0.5)(np.array([-1.0, -0.5, 0.0]))
    array([0.  , 0.25, 0.5 ])
    >>> PiecewiseLinear(relative_width=0)
    Traceback (most recent call last):
    snnplast.description.WrongValue: PiecewiseLinear.relative_width = 0: input should be greater than 0
    """

    name: ClassVar[str]
    shape: ClassVar[str]
    """f as Brian2 code, of {u}."""

    height: Annotated[float, Field(gt=0, description="peak value, before division by the threshold")] = 0.3
    relative_width: Annotated[float, Field(gt=0, description="width over the threshold")] = 1.0
    per_threshold: Annotated[bool, Field(description="divide the height by the threshold")] = True

    def expression(self, distance: str, scale: str, unit: str = "1") -> str:
        """Brian2 expression of psi, given those of v - A and theta, and their unit."""
        height = f"{self.height!r}/{scale}" if self.per_threshold or unit != "1" else f"{self.height!r}"
        width = scale if self.relative_width == 1 else f"({self.relative_width!r}*{scale})"
        return f"{height}*{self.shape.format(u=f'(({distance})/{width})')}"

    def __call__(self, distance: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """psi for an array of v - A (any shape), e.g. to plot it."""
        height = self.height / scale if self.per_threshold else self.height
        return height * self.curve(np.asarray(distance) / (self.relative_width * scale))

    def curve(self, u: np.ndarray) -> np.ndarray:
        """f(u), of any shape."""
        raise NotImplementedError


class PiecewiseLinear(Surrogate):
    """f(u) = max(0, 1 - |u|)."""

    name: ClassVar[str] = "piecewise-linear"
    shape: ClassVar[str] = "clip(1 - abs{u}, 0, 1)"

    def curve(self, u: np.ndarray) -> np.ndarray:
        return np.clip(1 - np.abs(u), 0, 1)


class Exponential(Surrogate):
    """f(u) = exp(-|u|)."""

    name: ClassVar[str] = "exponential"
    shape: ClassVar[str] = "exp(-abs{u})"

    def curve(self, u: np.ndarray) -> np.ndarray:
        return np.exp(-np.abs(u))


class FastSigmoid(Surrogate):
    """f(u) = 1 / (1 + |u|)^2."""

    name: ClassVar[str] = "fast-sigmoid"
    shape: ClassVar[str] = "1/(1 + abs{u})**2"

    def curve(self, u: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.abs(u)) ** 2


class Arctan(Surrogate):
    """f(u) = 1 / (1 + (pi u / 2)^2)."""

    name: ClassVar[str] = "arctan"
    shape: ClassVar[str] = "1/(1 + (1.5707963267948966*{u})**2)"

    def curve(self, u: np.ndarray) -> np.ndarray:
        return 1 / (1 + (np.pi / 2 * u) ** 2)


class Boxcar(Surrogate):
    """f(u) = 1 where |u| <= 1, else 0."""

    name: ClassVar[str] = "boxcar"
    shape: ClassVar[str] = "int(abs{u} <= 1)"

    def curve(self, u: np.ndarray) -> np.ndarray:
        return (np.abs(u) <= 1).astype(float)


SURROGATES: dict[str, type[Surrogate]] = {
    s.name: s for s in (PiecewiseLinear, Exponential, FastSigmoid, Arctan, Boxcar)
}
if TYPE_CHECKING:
    AnySurrogate = Any
else:
    AnySurrogate = Annotated[SerializeAsAny[Surrogate], BeforeValidator(Named("surrogate", SURROGATES))]
"""A field that takes a surrogate derivative, its name, or its table."""
