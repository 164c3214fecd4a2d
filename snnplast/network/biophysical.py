"""Neurons in physical units: how spikes reach them, and how their fields become constants of their code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from snnplast.description import WrongValue
from snnplast.network.fragments import Fragment, Value, merge
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.population import Each, NonNegativeTimes, PositiveTimes
from snnplast.network.quantities import BASE, PositiveVoltages, Voltages

Synapses = Literal["current", "conductance", "delta"]
Method = Literal["exact", "exponential_euler", "euler", "rk2", "rk4"]
Nonlinear = Literal["exponential_euler", "euler", "rk2", "rk4"]


class BiophysicalPopulation(SpikingPopulation):
    r"""Neurons with a membrane in volts that spikes reach through exponential synapses, or at once.

        current        I_syn = ge - gi
        conductance    I_syn = ge (E_e - v) + gi (E_i - v)         dge/dt = -ge/tau_e,  dgi/dt = -gi/tau_i
        delta          v <- v + w

    A spike adds w >= 0 to ge, or to gi of a projection that says `into="gi"`; both kinds of weights are positive.

    tau_e, tau_i: decay of ge and gi, defaults 5 ms and 10 ms, > 0.
    refractory: time after a spike in which v stands still, default 0 ms, >= 0, in whole steps.
    method: how Brian2 integrates the equations: "exact" where they are linear, "exponential_euler" where they are by
        one variable, "euler", "rk2", "rk4".
    surrogate_width: scale of surrogate derivatives, > 0 mV; the default is each neuron's own.
    Every value is one for all neurons, or one per neuron: a list of quantities, or an array with a unit.

    drive: what exponential synapses of a kind add to: unit, and the unit of weights.
    """

    in_steps: ClassVar[tuple[str, ...]] = ("refractory",)
    drive: ClassVar[Mapping[str, tuple[str, str | None]]] = {"current": ("amp", "pA"), "conductance": ("siemens", "nS")}

    tau_e: Annotated[PositiveTimes, Field(description="decay of excitation ge")] = "5 ms"
    tau_i: Annotated[PositiveTimes, Field(description="decay of inhibition gi")] = "10 ms"
    refractory: Annotated[NonNegativeTimes, Field(description="refractory time, in which v stands still")] = "0 ms"
    method: Annotated[Method, Field(description="integrator of the equations")] = "euler"
    surrogate_width: Annotated[PositiveVoltages | None, Field(description="scale of surrogate derivatives")] = None

    @model_validator(mode="after")
    def _makes_sense(self) -> BiophysicalPopulation:
        constants = self.code(1e-3).constants
        for name in self._fields():
            if name in self.model_fields_set and name not in constants:
                raise WrongValue("", (name,), f": it has no part in the equations {self._variant()}")
        self.check_learnable()
        if self.integration == "exact":
            for times in self.chains:
                _refuse_equal(times)
        self.check()
        return self

    def check(self) -> None:
        """Raise `UserError` for values that do not go together."""

    def _variant(self) -> str:
        chosen = [f"{n} = {getattr(self, n)!r}" for n in ("synapses", "level") if n in type(self).model_fields]
        return f"with {', '.join(chosen)}" if chosen else "of these neurons"

    @property
    def chains(self) -> Sequence[Mapping[str, Value]]:
        """Time constants (s) of an equation, first, and of all that it hears: the exact solution divides by their
        differences."""
        return ()

    @property
    def kind(self) -> Synapses:
        """How spikes reach it."""
        return "current"

    @property
    def integration(self) -> str:
        return self.method

    @property
    def distance_unit(self) -> str:
        return "volt"

    @property
    def input_variable_name(self) -> str | None:
        return "v" if self.kind == "delta" else "ge"

    @property
    def weight_units(self) -> Mapping[str, str]:
        unit = self.drive[self.kind][1] if self.kind != "delta" else None
        return {"v": "mV", **({"ge": unit, "gi": unit} if unit else {})}

    @property
    def refractory_code(self) -> str | None:
        return "refractory_time" if np.any(np.asarray(self.refractory) > 0) else None

    @property
    def stands_still(self) -> str:
        """The flag of variables that keep their value while the neuron is refractory."""
        return " (unless refractory)" if self.refractory_code else ""

    @property
    def synaptic(self) -> str:
        """Expression of + I_syn, empty where spikes act on v at once."""
        return {"current": " + ge - gi", "conductance": " + ge*(E_e - v) + gi*(E_i - v)", "delta": ""}[self.kind]

    def whole(self, equations: tuple[str, ...], reset: tuple[str, ...], **values: Value) -> Fragment:
        """Equations and reset with those of the synapses, and the constants that they, threshold and distance name.

        values: of fields that are none, or of names that are no fields.
        """
        if self.kind != "delta":
            unit = self.drive[self.kind][0]
            equations += (f"dge/dt = -ge/tau_e : {unit}", f"dgi/dt = -gi/tau_i : {unit}")
        code = Fragment(equations + self._representation(), on_spike=reset)
        spoken = " ".join([self.threshold, self.distance, self.threshold_scale, self.refractory_code or ""])
        named = code.identifiers() | set(re.findall(r"[A-Za-z_]\w*", spoken))
        own: dict[str, Value] = {"refractory_time": self.refractory, **self._fields(), **values}
        constants = {name: value for name, value in own.items() if name in named}
        units = {name: _unit(type(self).model_fields, name) for name in constants}
        return merge(
            type(self).__name__,
            [code, Fragment((), constants, {name: unit for name, unit in units.items() if unit != "1"})],
        )

    def _fields(self) -> dict[str, Value]:
        """Its physical fields that have a value."""
        physical = [n for n, field in type(self).model_fields.items() if Each.of(field) and n != "refractory"]
        return {name: getattr(self, name) for name in physical if getattr(self, name) is not None}

    @property
    def threshold_scale(self) -> str:
        return "surrogate_width" if self.surrogate_width is not None else self.own_width

    @property
    def own_width(self) -> str:
        """Expression of the width of surrogate derivatives unless a user gives one."""
        raise NotImplementedError


class AnySynapses(BiophysicalPopulation):
    """Neurons whose synapses are chosen by name.

    synapses: "current" (default), "conductance" or "delta", see above; weights are in pA, nS and mV.
    E_e, E_i: reversal potentials of conductances, defaults 0 mV and -80 mV.
    """

    synapses: Annotated[Synapses, Field(description="how spikes reach the membrane")] = "current"
    E_e: Annotated[Voltages, Field(description="reversal potential of excitation")] = "0 mV"
    E_i: Annotated[Voltages, Field(description="reversal potential of inhibition")] = "-80 mV"

    @property
    def kind(self) -> Synapses:
        return self.synapses


def _unit(fields: Mapping[str, Any], name: str) -> str:
    each = Each.of(fields["refractory" if name == "refractory_time" else name])
    return BASE[each.unit if each else ""]


def _refuse_equal(times: Mapping[str, Value]) -> None:
    (one, first), *others = times.items()
    for other, time in others:
        refuse(
            np.isclose(first, time, rtol=1e-9, atol=0),
            "method",
            f"the exact solution divides by the difference of {one} and {other}, which are equal; "
            "'exponential_euler' is allowed, or values that differ",
        )


def refuse(condition: Any, field: str, complaint: str) -> None:
    """Raise `WrongValue` of a field where a condition holds for any neuron."""
    if np.any(condition):
        raise WrongValue("", (field,), f": {complaint}")
