"""Leaky integrate-and-fire neurons with exponential currents (CUBA) or conductances (COBA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.network.biophysical import BiophysicalPopulation, Method, Nonlinear, Synapses, refuse
from snnplast.network.citations import VOGELS_2005
from snnplast.network.fragments import Fragment, Value
from snnplast.network.population import NonNegativeTimes, PositiveTimes
from snnplast.network.quantities import Capacitances, PositiveConductances, Voltages


class _LeakyVolts(BiophysicalPopulation):
    """What CUBA and COBA have in common.

    E_L: resting potential, default -60 mV. v_threshold: spikes, default -50 mV, above v_reset.
    v_reset: v after a spike, default -60 mV. refractory: time after a spike in which v stands still, default 5 ms.
    surrogate_width: scale of surrogate derivatives, default v_threshold - v_reset, > 0 mV.
    """

    reference: ClassVar[str] = VOGELS_2005

    E_L: Annotated[Voltages, Field(description="resting potential, where trials begin")] = "-60 mV"
    v_threshold: Annotated[Voltages, Field(description="spike threshold")] = "-50 mV"
    v_reset: Annotated[Voltages, Field(description="v after a spike")] = "-60 mV"
    refractory: Annotated[NonNegativeTimes, Field(description="refractory time, in which v stands still")] = "5 ms"

    def check(self) -> None:
        refuse(np.asarray(self.v_reset) >= self.v_threshold, "v_reset", "the neuron must be reset below v_threshold")

    @property
    def threshold(self) -> str:
        return "v > v_threshold"

    @property
    def distance(self) -> str:
        return "v - v_threshold"

    @property
    def own_width(self) -> str:
        return "(v_threshold - v_reset)"

    @property
    def initial_values(self) -> dict[str, Value]:
        """At rest, or as after a spike where a neuron that is left alone does not rest but spikes."""
        found = np.where(np.asarray(self.E_L) < self.v_threshold, self.E_L, self.v_reset)
        return {"v": float(found) if found.ndim == 0 else found}


class CUBA(_LeakyVolts):
    r"""Leaky integrate-and-fire neurons with exponential currents (Vogels & Abbott, 2005).

        tau_m dv/dt = E_L - v + ge - gi,   dge/dt = -ge/tau_e,   dgi/dt = -gi/tau_i
        z = 1 where v > v_threshold:   v <- v_reset

    Weights are in mV: what a spike adds to ge, or to gi for a projection that says `into="gi"`; both are positive. A
    trial begins at v = E_L; Brian2's example CUBA has E_L = -49 mV, above the threshold, and begins at v_reset.

    tau_m: membrane time constant, default 20 ms, > 0.
    method: default "exact", for which tau_m, tau_e and tau_i differ.

    >>> CUBA(10, tau_e="3 ms").weight_units["ge"]
    'mV'
    >>> CUBA(10, tau_i="20 ms")
    Traceback (most recent call last):
    snnplast.description.WrongValue: CUBA.method: the exact solution divides by the difference of tau_m and tau_i, ...
    """

    name: ClassVar[str] = "cuba"
    drive: ClassVar[Mapping[str, tuple[str, str | None]]] = {"current": ("volt", "mV")}

    tau_m: Annotated[PositiveTimes, Field(description="membrane time constant")] = "20 ms"
    method: Annotated[Method, Field(description="integrator of the equations")] = "exact"

    @property
    def chains(self) -> Sequence[Mapping[str, Value]]:
        return ({"tau_m": self.tau_m, "tau_e": self.tau_e, "tau_i": self.tau_i},)

    def code(self, dt: float) -> Fragment:
        return self.whole((f"dv/dt = (E_L - v{self.synaptic})/tau_m : volt{self.stands_still}",), ("v = v_reset",))


class COBA(_LeakyVolts):
    r"""Leaky integrate-and-fire neurons with exponential conductances (Vogels & Abbott, 2005).

        C dv/dt = g_L (E_L - v) + ge (E_e - v) + gi (E_i - v),   dge/dt = -ge/tau_e,   dgi/dt = -gi/tau_i
        z = 1 where v > v_threshold:   v <- v_reset

    Weights are in nS: what a spike adds to ge, or to gi for a projection that says `into="gi"`; both are positive. A
    trial begins at v = E_L.

    C: capacitance, default 200 pF, > 0. g_L: leak conductance, default 10 nS, > 0: tau_m = C/g_L = 20 ms.
    E_e, E_i: reversal potentials of excitation and inhibition, defaults 0 mV and -80 mV.
    method: default "exponential_euler".

    >>> COBA(10, E_i="-75 mV").input_variable_name
    'ge'
    >>> COBA(10, E_i=-75)
    Traceback (most recent call last):
    snnplast.description.WrongValue: COBA.E_i: -75 has no unit: a voltage is needed, write '-75 mV' if mV is meant
    """

    name: ClassVar[str] = "coba"

    C: Annotated[Capacitances, Field(description="membrane capacitance")] = "200 pF"
    g_L: Annotated[PositiveConductances, Field(description="leak conductance")] = "10 nS"
    E_e: Annotated[Voltages, Field(description="reversal potential of excitation")] = "0 mV"
    E_i: Annotated[Voltages, Field(description="reversal potential of inhibition")] = "-80 mV"
    method: Annotated[Nonlinear, Field(description="integrator of the equations")] = "exponential_euler"

    @property
    def kind(self) -> Synapses:
        return "conductance"

    def code(self, dt: float) -> Fragment:
        equations = (f"dv/dt = (g_L*(E_L - v){self.synaptic})/C : volt{self.stands_still}",)
        return self.whole(equations, ("v = v_reset",))
