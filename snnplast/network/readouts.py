"""Readouts: populations that do not spike and whose activity is compared with a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.network import slots
from snnplast.network.fragments import Fragment, Update, Value
from snnplast.network.population import Population, PositiveTimes
from snnplast.units import PositiveTime


class LeakyReadout(Population):
    r"""Non-spiking leaky readout of the spikes of the same step.

        y_k^t = kappa y_k^{t-1} + (1 - kappa) sum_j w_kj z_j^t,   kappa = exp(-dt/tau_out)

    With tau_rise, the input is filtered once before; of one spike y then is the double exponential of a postsynaptic
    potential, or of the van Rossum distance:

        r_k^t = rho r_k^{t-1} + (1 - rho) sum_j w_kj z_j^t,   rho = exp(-dt/tau_rise)
        y_k^t = kappa y_k^{t-1} + (1 - kappa) r_k^t

    tau_m: time constant tau_out, default 20 ms, > 0; number or one per readout.
    tau_rise: of the first filter, default none, > 0. Weights onto such a readout do not learn.

    >>> LeakyReadout(2, tau_m=["20 ms", "30 ms"]).tau_m
    array([0.02, 0.03])
    """

    readout: ClassVar[bool] = True
    input_variable: ClassVar[str | None] = "y"
    tau_m: Annotated[PositiveTimes, Field(description="time constant tau_out")] = "20 ms"

    tau_rise: Annotated[PositiveTime | None, Field(description="time constant of a filter before that")] = None

    @property
    def input_variable_name(self) -> str | None:
        return "y" if self.tau_rise is None else "rising"

    def input_gain(self, dt: float) -> Value:
        return 1 - np.exp(-dt / (self.tau_m if self.tau_rise is None else self.tau_rise))

    def fragment(self, dt: float) -> Fragment:
        if self.tau_rise is None:
            return Fragment(("dy/dt = -y/tau_m : 1",), {"tau_m": self.tau_m}, {"tau_m": "second"})
        return Fragment(
            ("y : 1", "drising/dt = -rising/tau_rise : 1"),
            {"tau_m": self.tau_m, "tau_rise": self.tau_rise},
            {"tau_m": "second", "tau_rise": "second"},
            (Update("y = y*exp(-dt/tau_m) + (1 - exp(-dt/tau_m))*rising", *slots.READOUTS),),
        )


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
