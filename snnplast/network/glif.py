"""Generalised leaky integrate-and-fire neurons of the Allen Institute, levels 1 to 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.network.biophysical import AnySynapses, Method, refuse
from snnplast.network.citations import TEETER_2018
from snnplast.network.fragments import Fragment, Value
from snnplast.network.population import NonNegativeTimes, Real
from snnplast.network.quantities import (
    Capacitances,
    Currents,
    NonNegativeRates,
    PositiveConductances,
    PositiveRates,
    Voltages,
)


class GLIF(AnySynapses):
    r"""Generalised leaky integrate-and-fire neurons of five levels (Teeter et al., 2018).

        C dv/dt = g (E_L - v) + I_1 + I_2 + I_ext + I_syn           z = 1 where v > v_threshold + theta_s + theta_v
        dI_j/dt = -k_j I_j                                          j = 1, 2
        dtheta_s/dt = -b_s theta_s
        dtheta_v/dt = a_v (v - E_L) - b_v theta_v

    level: which of these, default 1:

    level 1  LIF                              v <- E_L
    level 2  reset rules                      v <- E_L + f_v (v - E_L) + delta_v,   theta_s <- theta_s + delta_theta
    level 3  after-spike currents             v <- E_L,   I_j <- f_j I_j + delta_j
    level 4  both                             as levels 2 and 3
    level 5  voltage-dependent threshold too  as level 4

    A level has no variables of another. In the refractory time v and theta_v stand still; the increments of a spike are
    those at its end, as in the paper: what decays in that time is added by as much larger. A trial begins at v = E_L.

    C: capacitance, default 58.72 pF, > 0. g: leak conductance, default 9.43 nS, > 0. E_L: rest, default -78.85 mV.
    v_threshold: threshold at rest, default -51.68 mV, above E_L. refractory: default 4 ms, >= 0, in whole steps.
    f_v, delta_v: reset of v, defaults 0.2 and 18.51 mV (AllenSDK's coefficients a and b).
    delta_theta, b_s: threshold after a spike, rise and decay, defaults 0.37 mV and 0.009 per ms, > 0.
    delta_1, delta_2: after-spike currents, defaults -9.18 pA and -198.94 pA; f_1, f_2: what is left of the last ones,
        default 1; k_1, k_2: their decay, defaults 0.003 and 0.1 per ms, > 0.
    a_v, b_v: voltage-dependent threshold, defaults 0.005 and 0.09 per ms, >= 0 and > 0.
    I_ext: constant current, default 0 pA.
    surrogate_width: scale of surrogate derivatives around the threshold of the moment, default v_threshold - E_L, > 0.
    method: default "exponential_euler"; the symbolic solution of "exact" takes half a minute at level 5.

    >>> GLIF(10, level=3, delta_1="-20 pA").threshold
    'v > v_threshold'
    >>> GLIF(10, level=1, delta_1="-20 pA")
    Traceback (most recent call last):
    snnplast.description.WrongValue: GLIF.delta_1: it has no part in the equations with synapses = 'current', level = 1
    """

    name: ClassVar[str] = "glif"
    reference: ClassVar[str] = TEETER_2018

    level: Annotated[Literal[1, 2, 3, 4, 5], Field(description="LIF, reset rules, after-spike currents, both, all")] = 1
    C: Annotated[Capacitances, Field(description="membrane capacitance")] = "58.72 pF"
    g: Annotated[PositiveConductances, Field(description="leak conductance, 1/R")] = "9.43 nS"
    E_L: Annotated[Voltages, Field(description="resting potential, where trials begin")] = "-78.85 mV"
    v_threshold: Annotated[Voltages, Field(description="threshold at rest")] = "-51.68 mV"
    refractory: Annotated[NonNegativeTimes, Field(description="refractory time, in which v stands still")] = "4 ms"
    f_v: Annotated[Real, Field(description="part of v - E_L that a spike leaves; levels 2, 4, 5")] = 0.2
    delta_v: Annotated[Voltages, Field(description="what the reset adds to v; levels 2, 4, 5")] = "18.51 mV"
    delta_theta: Annotated[Voltages, Field(description="rise of the threshold by a spike; levels 2, 4, 5")] = "0.37 mV"
    b_s: Annotated[PositiveRates, Field(description="its decay; levels 2, 4, 5")] = "0.009/ms"
    delta_1: Annotated[Currents, Field(description="first after-spike current; levels 3, 4, 5")] = "-9.18 pA"
    delta_2: Annotated[Currents, Field(description="second after-spike current; levels 3, 4, 5")] = "-198.94 pA"
    f_1: Annotated[Real, Field(description="part of the first that a spike leaves; levels 3, 4, 5")] = 1.0
    f_2: Annotated[Real, Field(description="part of the second that a spike leaves; levels 3, 4, 5")] = 1.0
    k_1: Annotated[PositiveRates, Field(description="decay of the first; levels 3, 4, 5")] = "0.003/ms"
    k_2: Annotated[PositiveRates, Field(description="decay of the second; levels 3, 4, 5")] = "0.1/ms"
    a_v: Annotated[NonNegativeRates, Field(description="rise of the threshold with v; level 5")] = "0.005/ms"
    b_v: Annotated[PositiveRates, Field(description="its decay; level 5")] = "0.09/ms"
    I_ext: Annotated[Currents, Field(description="constant current")] = "0 pA"
    method: Annotated[Method, Field(description="integrator of the equations")] = "exponential_euler"

    def check(self) -> None:
        refuse(np.asarray(self.E_L) >= self.v_threshold, "E_L", "the neuron must rest below v_threshold")
        linear = self.method != "exact" or self.synapses != "conductance"
        refuse(not linear, "method", "'exact' is for linear equations; others are allowed")

    @property
    def resets(self) -> bool:
        """Whether it has the reset rules of level 2."""
        return self.level in (2, 4, 5)

    @property
    def after_spike(self) -> bool:
        """Whether it has the after-spike currents of level 3."""
        return self.level >= 3

    @property
    def chains(self) -> Sequence[Mapping[str, Value]]:
        heard: dict[str, Value] = {"C/g": self.C / self.g}
        if self.synapses == "current":
            heard |= {"tau_e": self.tau_e, "tau_i": self.tau_i}
        if self.after_spike:
            heard |= {"1/k_1": 1 / self.k_1, "1/k_2": 1 / self.k_2}
        return (heard, {"1/b_v": 1 / self.b_v, **heard}) if self.level == 5 else (heard,)

    @property
    def _above(self) -> str:
        """What is added to the threshold at rest."""
        return (" + theta_s" if self.resets else "") + (" + theta_v" if self.level == 5 else "")

    @property
    def threshold(self) -> str:
        return f"v > v_threshold{self._above}"

    @property
    def distance(self) -> str:
        return f"v - v_threshold{self._above.replace('+', '-')}"

    @property
    def own_width(self) -> str:
        return "(v_threshold - E_L)"

    def code(self, dt: float) -> Fragment:
        currents = " + I_1 + I_2" if self.after_spike else ""
        equations = (f"dv/dt = (g*(E_L - v){currents} + I_ext{self.synaptic})/C : volt{self.stands_still}",)
        reset = ("v = E_L + f_v*(v - E_L) + delta_v" if self.resets else "v = E_L",)
        if self.after_spike:
            equations += tuple(f"dI_{j}/dt = -k_{j}*I_{j} : amp" for j in (1, 2))
            reset += tuple(f"I_{j} = f_{j}*I_{j} + delta_{j}{self._later(f'k_{j}')}" for j in (1, 2))
        if self.resets:
            equations += ("dtheta_s/dt = -b_s*theta_s : volt",)
            reset += (f"theta_s = theta_s + delta_theta{self._later('b_s')}",)
        if self.level == 5:
            equations += (f"dtheta_v/dt = a_v*(v - E_L) - b_v*theta_v : volt{self.stands_still}",)
        return self.whole(equations, reset)

    def _later(self, rate: str) -> str:
        """Makes up for the decay until the membrane moves again, one step before the refractory time is over."""
        return f"*exp({rate}*(refractory_time - dt))" if self.refractory_code else ""

    @property
    def initial_values(self) -> dict[str, Value]:
        return {"v": self.E_L}
