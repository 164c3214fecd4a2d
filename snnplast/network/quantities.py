"""Fields of neurons in physical units: a number with its unit, "-70.6 mV" or -70.6*mV, or one per neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from snnplast.network.fragments import Value
from snnplast.network.population import each

if TYPE_CHECKING:
    Voltages = Any
    PositiveVoltages = Any
    Currents = Any
    Conductances = Any
    PositiveConductances = Any
    Capacitances = Any
    NonNegativeRates = Any
    PositiveRates = Any
else:
    Voltages = Annotated[Value, *each("mV")]
    PositiveVoltages = Annotated[Value, *each("mV", 0, strict=True)]
    Currents = Annotated[Value, *each("pA")]
    Conductances = Annotated[Value, *each("nS")]
    PositiveConductances = Annotated[Value, *each("nS", 0, strict=True)]
    Capacitances = Annotated[Value, *each("pF", 0, strict=True)]
    NonNegativeRates = Annotated[Value, *each("1/ms", 0)]
    PositiveRates = Annotated[Value, *each("1/ms", 0, strict=True)]

BASE = {"mV": "volt", "pA": "amp", "nS": "siemens", "pF": "farad", "ms": "second", "1/ms": "hertz", "": "1"}
"""Unit that values are written in -> the one that Brian2 declares them in."""
