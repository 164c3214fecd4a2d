"""Readouts: populations that do not spike and whose activity is compared with a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.network import slots
from snnplast.network.fragments import Fragment, Update, Value
from snnplast.network.population import Population, PositiveTimes


class LeakyReadout(Population):
    r"""Non-spiking leaky readout of the spikes of the same step.

    y_k^t = kappa y_k^{t-1} + (1 - kappa) sum_j w_kj z_j^t,   kappa = exp(-dt/tau_out)

    tau_m: time constant tau_out, default 20 ms, > 0; number or one per readout.

    >>> LeakyReadout(2, tau_m=["20 ms", "30 ms"]).tau_m
    array([0.02, 0.03])
    """

    readout: ClassVar[bool] = True
    input_variable: ClassVar[str | None] = "y"
    tau_m: Annotated[PositiveTimes, Field(description="time constant tau_out")] = "20 ms"

    def input_gain(self, dt: float) -> Value:
        return 1 - np.exp(-dt / self.tau_m)

    def fragment(self, dt: float) -> Fragment:
        return Fragment(("dy/dt = -y/tau_m : 1",), {"tau_m": self.tau_m}, {"tau_m": "second"})


class RateReadout(Population):
    r"""Readout of a layer's rate representation z, or another variable, once per trial: y_k = sum_j w_kj z_j + b_k.

    Fed by projections with kind = "analog", every = "trial".

    biased: whether there is a bias b, default True; it is learnable and starts at 0.

    >>> RateReadout(10).parameters, RateReadout(10, biased=False).parameters
    ({'bias': 0.0}, {})
    """

    readout: ClassVar[bool] = True
    clock: ClassVar[Literal["step", "trial"]] = "trial"
    input_variable: ClassVar[str | None] = "drive"
    biased: Annotated[bool, Field(description="whether there is a bias b")] = True

    @property
    def parameters(self) -> Mapping[str, Value]:
        return {"bias": 0.0} if self.biased else {}

    def fragment(self, dt: float) -> Fragment:
        if not self.biased:
            return Fragment(("drive : 1", "y : 1"), updates=(Update("y = drive", *slots.READOUTS),))
        return Fragment(("drive : 1", "y : 1", "bias : 1"), updates=(Update("y = drive + bias", *slots.READOUTS),))
