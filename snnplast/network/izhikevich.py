"""Izhikevich's simple model of spiking neurons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.network.biophysical import AnySynapses, refuse
from snnplast.network.citations import IZHIKEVICH_2003
from snnplast.network.firing_patterns import IZHIKEVICH, Patterns
from snnplast.network.fragments import Fragment, Value
from snnplast.network.population import Real
from snnplast.network.quantities import PositiveRates, PositiveVoltages, Voltages


class Izhikevich(AnySynapses):
    r"""Izhikevich's simple model of spiking neurons (2003).

        dv/dt = (0.04 v^2 + 5 v + 140 - u + I_ext + I_syn)/ms          v, u, I_ext in mV
        du/dt = a (b v - u)
        z = 1 where v >= v_peak:   v <- c,   u <- u + d

    With synapses = "current" ge and gi are in mV, and so are weights; conductances and their weights have no unit.
    A trial begins at v = c, u = b c. The default is regular spiking.

    a: rate of the recovery u, default 0.02 per ms, > 0. b: its sensitivity to v, default 0.2, of any sign.
    c: v after a spike, default -65 mV, below v_peak. d: what a spike adds to u, default 8 mV.
    v_peak: v at which a spike is cut off, default 30 mV. I_ext: constant input, default 0 mV.
    patterns: settings with which neurons fire as in the paper, by name: "regular spiking", "intrinsically bursting",
        "chattering", "fast spiking", "low-threshold spiking".
    surrogate_centre, surrogate_width: peak and scale of surrogate derivatives, defaults -50 mV and 10 mV: the onset of
        a spike. Around v_peak they would hear of its upstroke alone, in which gradients grow without measure.
    method: default "euler", for time steps up to 0.5 ms, as in the paper.

    >>> Izhikevich(10, a="0.1/ms", d="2 mV", b=0.25).initial_values
    {'v': -0.065, 'u': -0.01625}
    >>> Izhikevich(10, a=0.1)
    Traceback (most recent call last):
    snnplast.description.WrongValue: Izhikevich.a: 0.1 has no unit: a rate is needed, write '0.1 1/ms' if 1/ms is meant
    """

    name: ClassVar[str] = "izhikevich"
    reference: ClassVar[str] = IZHIKEVICH_2003
    patterns: ClassVar[Patterns] = IZHIKEVICH
    drive: ClassVar[Mapping[str, tuple[str, str | None]]] = {"current": ("volt", "mV"), "conductance": ("1", None)}

    a: Annotated[PositiveRates, Field(description="rate of the recovery u")] = "0.02/ms"
    b: Annotated[Real, Field(description="sensitivity of the recovery to v")] = 0.2
    c: Annotated[Voltages, Field(description="v after a spike, where trials begin")] = "-65 mV"
    d: Annotated[Voltages, Field(description="what a spike adds to u")] = "8 mV"
    v_peak: Annotated[Voltages, Field(description="v at which a spike is cut off")] = "30 mV"
    I_ext: Annotated[Voltages, Field(description="constant input")] = "0 mV"
    surrogate_centre: Annotated[Voltages, Field(description="peak of surrogate derivatives")] = "-50 mV"
    surrogate_width: Annotated[PositiveVoltages, Field(description="scale of surrogate derivatives")] = "10 mV"
    method: Annotated[Literal["euler", "rk2", "rk4"], Field(description="integrator of the equations")] = "euler"

    def check(self) -> None:
        refuse(np.asarray(self.c) >= self.v_peak, "c", "the neuron must be reset below v_peak")

    @property
    def threshold(self) -> str:
        return "v >= v_peak"

    @property
    def distance(self) -> str:
        return "v - surrogate_centre"

    def code(self, dt: float) -> Fragment:
        quadratic = f"0.04*v**2/mV + 5*v + 140*mV - u + I_ext{self.synaptic}"
        equations = (f"dv/dt = ({quadratic})/ms : volt{self.stands_still}", "du/dt = a*(b*v - u) : volt")
        return self.whole(equations, ("v = c", "u = u + d"))

    @property
    def initial_values(self) -> dict[str, Value]:
        return {"v": self.c, "u": self.b * self.c}
