"""Surrogate derivatives: what stands for dz/dv of a spiking neuron in a learning rule."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny

from snnplast.description import Description
from snnplast.named import Named


class PiecewiseLinear(Description):
    r"""Triangle around the threshold.

    psi = gamma max(0, 1 - |v - A| / width),  gamma = height/theta, width = relative_width * theta

    with the membrane v before the reset, the threshold A of this step and the base threshold theta; psi = 0 while
    refractory. Bellec et al. (2020), eq. 4 (there height 0.3 and width theta).

    height: factor gamma_pd of the paper, dimensionless, default 0.3, > 0.
    relative_width: width over theta, dimensionless, default 1, > 0.
    per_threshold: divide the height by theta (default, as in e-prop's papers) or not.
    """

    name: ClassVar[str] = "piecewise-linear"
    height: Annotated[float, Field(gt=0, description="peak value, before division by the threshold")] = 0.3
    relative_width: Annotated[float, Field(gt=0, description="half width over the threshold")] = 1.0
    per_threshold: Annotated[bool, Field(description="divide the height by the threshold")] = True

    def expression(self, distance: str, scale: str) -> str:
        """Brian2 expression of psi, given those of v - A and theta."""
        height = f"{self.height!r}/{scale}" if self.per_threshold else f"{self.height!r}"
        width = scale if self.relative_width == 1 else f"({self.relative_width!r}*{scale})"
        return f"{height}*clip(1 - abs({distance})/{width}, 0, 1)"

    def __call__(self, distance: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """psi for an array of v - A (any shape)."""
        height = self.height / scale if self.per_threshold else self.height
        return height * np.clip(1 - np.abs(distance) / (self.relative_width * scale), 0, 1)


SURROGATES = {"piecewise-linear": PiecewiseLinear}
AnySurrogate = Annotated[SerializeAsAny[PiecewiseLinear], BeforeValidator(Named("surrogate", SURROGATES))]
"""A field that takes a surrogate derivative, its name, or its table."""
