"""Adaptive exponential integrate-and-fire neurons."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.network.biophysical import AnySynapses, Nonlinear, refuse
from snnplast.network.citations import BRETTE_2005
from snnplast.network.firing_patterns import ADEX, Patterns
from snnplast.network.fragments import Fragment, Value
from snnplast.network.population import PositiveTimes
from snnplast.network.quantities import (
    Capacitances,
    Conductances,
    Currents,
    PositiveConductances,
    PositiveVoltages,
    Voltages,
)


class AdEx(AnySynapses):
    r"""Adaptive exponential integrate-and-fire neurons (Brette & Gerstner, 2005).

        C dv/dt = -g_L (v - E_L) + g_L Delta_T exp((v - V_T)/Delta_T) - w + I_ext + I_syn
        tau_w dw/dt = a (v - E_L) - w
        z = 1 where v > V_cut:   v <- V_r,   w <- w + b

    with I_syn as chosen by `synapses`. A trial begins at v = E_L, w = 0.

    C: capacitance, default 281 pF, > 0. g_L: leak conductance, default 30 nS, > 0.
    E_L: leak reversal potential, default -70.6 mV, below V_T.
    V_T: threshold, where the spike begins, default -50.4 mV. Delta_T: its sharpness, default 2 mV, > 0.
    tau_w: time constant of the adaptation, default 144 ms, > 0.
    a: adaptation by the membrane, default 4 nS, of any sign. b: adaptation by a spike, default 80.5 pA.
    V_r: v after a spike, default -70.6 mV, below V_cut.
    V_cut: v at which a spike is cut off, above V_T; default V_T + 5 Delta_T. The paper has 20 mV: with an explicit
        integrator the last step up to there is as steep as exp((V_cut - V_T)/Delta_T), and so are gradients.
    I_ext: constant current, default 0 pA.
    surrogate_centre: where surrogate derivatives have their peak, default V_T. surrogate_width: default V_T - E_L.
    patterns: settings with which neurons fire as in Naud et al. (2008), by name: "tonic", "adapting", "initial burst",
        "regular bursting", "delayed accelerating", "delayed bursting", "transient", "irregular".
    method: default "euler", for time steps up to about 0.5 ms; "exponential_euler" for longer ones.

    >>> AdEx(10, V_r="-48 mV", b="30 pA", synapses="conductance").weight_units["gi"]
    'nS'
    >>> AdEx(10, **AdEx.patterns["adapting"]).b
    6e-11
    >>> AdEx(10, V_cut="-60 mV")
    Traceback (most recent call last):
    snnplast.description.WrongValue: AdEx.V_cut: a spike must be cut off above V_T
    """

    name: ClassVar[str] = "adex"
    reference: ClassVar[str] = BRETTE_2005
    patterns: ClassVar[Patterns] = ADEX

    C: Annotated[Capacitances, Field(description="membrane capacitance")] = "281 pF"
    g_L: Annotated[PositiveConductances, Field(description="leak conductance")] = "30 nS"
    E_L: Annotated[Voltages, Field(description="leak reversal potential, where trials begin")] = "-70.6 mV"
    V_T: Annotated[Voltages, Field(description="threshold, where the spike begins")] = "-50.4 mV"
    Delta_T: Annotated[PositiveVoltages, Field(description="sharpness of the spike's onset")] = "2 mV"
    tau_w: Annotated[PositiveTimes, Field(description="time constant of the adaptation w")] = "144 ms"
    a: Annotated[Conductances, Field(description="adaptation by the membrane")] = "4 nS"
    b: Annotated[Currents, Field(description="adaptation by a spike")] = "80.5 pA"
    V_r: Annotated[Voltages, Field(description="v after a spike")] = "-70.6 mV"
    V_cut: Annotated[Voltages | None, Field(description="v at which a spike is cut off; none: V_T + 5 Delta_T")] = None
    I_ext: Annotated[Currents, Field(description="constant current")] = "0 pA"
    surrogate_centre: Annotated[Voltages | None, Field(description="peak of surrogate derivatives; none: V_T")] = None
    method: Annotated[Nonlinear, Field(description="integrator of the equations")] = "euler"

    def check(self) -> None:
        refuse(np.asarray(self.E_L) >= self.V_T, "E_L", "the neuron must rest below V_T")
        refuse(self._cut <= np.asarray(self.V_T), "V_cut", "a spike must be cut off above V_T")
        refuse(np.asarray(self.V_r) >= self._cut, "V_r", "the neuron must be reset below V_cut")

    @property
    def _cut(self) -> Value:
        return self.V_T + 5 * self.Delta_T if self.V_cut is None else self.V_cut

    @property
    def threshold(self) -> str:
        return "v > V_cut" if self.V_cut is not None else "v > V_T + 5*Delta_T"

    @property
    def distance(self) -> str:
        return "v - V_T" if self.surrogate_centre is None else "v - surrogate_centre"

    @property
    def own_width(self) -> str:
        return "(V_T - E_L)"

    def code(self, dt: float) -> Fragment:
        membrane = f"g_L*(E_L - v) + g_L*Delta_T*exp((v - V_T)/Delta_T) - w + I_ext{self.synaptic}"
        equations = (
            f"dv/dt = ({membrane})/C : volt{self.stands_still}",
            "dw/dt = (a*(v - E_L) - w)/tau_w : amp",
        )
        return self.whole(equations, ("v = V_r", "w = w + b"))

    @property
    def initial_values(self) -> dict[str, Value]:
        return {"v": self.E_L}
