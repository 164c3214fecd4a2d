"""Neurons of a plain Brian2 script, described: what a rule needs to know of them, or why it cannot."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnplast.brian import (
    DEFAULT_CONSTANTS,
    DEFAULT_UNITS,
    CodeRunner,
    NeuronGroup,
    Quantity,
    StateUpdateMethod,
    UnsupportedEquationsException,
    second,
    str_to_sympy,
)
from snnplast.errors import UserError
from snnplast.learning.membrane import decay, names, value
from snnplast.network import code
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Fragment, Update, substitute
from snnplast.network.population import LayerNorm
from snnplast.network.readouts import LeakyReadout


@dataclass
class Neurons:
    """A group of the script. membrane: the variable that spikes add to. namespace: names around its code.

    constants: what its decay and its threshold are made of, by name, as they were when it was described.
    """

    group: Any
    membrane: str
    namespace: Mapping[str, Any]
    threshold: str = ""

    def __post_init__(self) -> None:
        place, group = f"attach: {self.group.name}", self.group
        equations = group.user_equations
        own = equations.get(self.membrane)
        if own is None or not own.dim.is_dimensionless:
            raise UserError(f"{place}: {self.membrane!r} has a unit; membranes and weights are dimensionless")
        if "unless refractory" in own.flags:
            raise UserError(
                f"{place}: {self.membrane!r} stands still 'unless refractory', which traces of one exponential do not; "
                "a membrane that decays all the time is needed"
            )
        inner = {e.varname: f"({e.expr.code})" for e in equations.values() if e.type == "subexpression"}
        for _ in inner:
            self.threshold = substitute(self.threshold, inner)
        regular = [runner for runner in group.contained_objects if type(runner) is CodeRunner]
        updates = tuple(Update(r.abstract_code, r.when, r.order) for r in regular)
        reset = group.event_codes.get("spike") or ""
        lines = {e.varname: str(e) for e in equations.values()}
        fragment = Fragment(tuple(lines.values()), updates=updates, on_spike=(reset,) if reset else ())
        self.slope = decay(place, group.name, self.membrane, fragment)
        _refuse_other_methods(place, group)
        self.fixed = names(self.slope) | (code.names(code.expression(self.threshold)) if self.threshold else set())
        self.constants = self._values()
        used = set().union(*(e.identifiers for e in equations.values()), self.fixed)
        used |= set().union(
            *(code.names(s.value) for text in (reset, *(u.code for u in updates)) for s in code.statements(text))
        )
        outside = {name: found for name in used - set(lines) if (found := self._outside(name)) is not None}
        parameters = {name for name in self.constants if name in lines}
        self.code = {
            "equations": "\n".join(line for name, line in lines.items() if name not in parameters),
            "constants": {**outside, **{name: self._parameter(name) for name in parameters}},
            "updates": updates,
            "reset": reset,
        }
        rates = value(place, self.slope, self.constants)
        if not np.all(rates < 0):
            raise UserError(
                f"{place}: {self.membrane!r} does not decay; d{self.membrane}/dt = -{self.membrane}/tau is needed"
            )
        self.tau: float | np.ndarray = float(-1 / rates) if rates.ndim == 0 else -1 / rates

    def _values(self) -> dict[str, Any]:
        """What decay and threshold are made of, as it is now, in SI units."""
        found = {name: self._known(name) for name in sorted(self.fixed)}
        return {name: np.array(given, dtype=float) for name, given in found.items() if given is not None}

    def _known(self, name: str) -> Any:
        equation = self.group.user_equations.get(name)
        if equation is None:
            return self._outside(name)
        return self._parameter(name) if equation.type == "parameter" else None

    def _parameter(self, name: str) -> Any:
        given = getattr(self.group, name)[:]
        return given[0] if np.ndim(given) and np.ptp(np.asarray(given)) == 0 else given

    def _outside(self, name: str) -> Any:
        """A constant of the script."""
        if name in self.group.namespace or not (name in DEFAULT_UNITS or name in DEFAULT_CONSTANTS):
            given = self.group.namespace.get(name, self.namespace.get(name))
            return given if isinstance(given, Quantity | int | float | np.ndarray | np.number) else None
        return None

    def refuse_changed(self) -> None:
        """What decay and threshold are made of is as it was described."""
        now = self._values()
        for name, before in self.constants.items():
            if not np.array_equal(before, now[name]):
                raise UserError(
                    f"attach: {self.group.name}: {name!r} has changed since; detach() and attach() again are needed"
                )

    def described(self, dt: float, representation: LayerNorm | None) -> CustomNeurons | LeakyReadout:
        """The same as a description. representation: rate representation of neurons that spike."""
        place, tau = f"attach: {self.group.name}", self.tau * second
        if not self.threshold:
            return LeakyReadout(self.group.N, tau_m=tau)
        known = code.names(code.expression(self.threshold)) <= {*self.constants, *DEFAULT_UNITS}
        height = (
            value(place, str_to_sympy(self.threshold), self.constants) if known else 1.0
        )  # else refused by the rule
        if not np.all(np.asarray(height) > 0):
            raise UserError(f"{place}: threshold {self.threshold}: a positive one is needed, psi is in parts of it")
        code_of = {
            "threshold": self.group.events["spike"],
            "distance": f"{self.membrane} - ({self.threshold})",
            "threshold_scale": f"({self.threshold})",
            "representation": representation,
        }
        still = (0 if self.group._refractory is False else dt) * second  # whether, not how long: psi asks the group
        try:
            return CustomNeurons(
                self.group.N, **self.code, **code_of, membrane=self.membrane, tau_m=tau, refractory=still
            )
        except UserError as error:
            raise UserError(f"{place}: {error}") from None


def spiking(group: Any, namespace: Mapping[str, Any]) -> Neurons:
    """A group with a threshold 'membrane >= something constant'."""
    text = group.events["spike"]
    found = code.expression(text)
    sides = (found.left, found.ops[0], found.comparators[0]) if isinstance(found, ast.Compare) else None
    if sides and isinstance(sides[1], ast.Gt | ast.GtE) and isinstance(sides[0], ast.Name):
        return Neurons(group, sides[0].id, namespace, ast.unparse(sides[2]))
    raise UserError(f"attach: {group.name}: threshold = {text!r}: a membrane and a constant, 'v > 1', is needed")


def _refuse_other_methods(place: str, group: NeuronGroup) -> None:
    """Its equations are integrated so that a membrane decays by exp(-dt/tau)."""
    chosen = group.state_updater.method_choice
    if chosen in ("exact", "linear", "exponential_euler"):
        return
    if not isinstance(chosen, str) and chosen[0] in ("exact", "linear"):
        try:
            StateUpdateMethod.stateupdaters["exact"](group.equations, group.variables, None)
            return
        except UnsupportedEquationsException:
            pass
    raise UserError(f"{place}: method = {chosen!r}: its membrane must decay exactly; method='exact' is needed")
