"""Neurons of a plain Brian2 script, described: what a rule needs to know of them, or why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snnplast.brian import (
    DEFAULT_CONSTANTS,
    DEFAULT_UNITS,
    CodeRunner,
    Function,
    Quantity,
    StateUpdateMethod,
    UnsupportedEquationsException,
    get_unit,
    second,
)
from snnplast.errors import UserError
from snnplast.learning.membrane import decay, names, value
from snnplast.network import code
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Fragment, Update, substitute
from snnplast.network.population import LayerNorm
from snnplast.network.readouts import LeakyReadout


class Neurons:
    """A group of the script. into: the variable that spikes add to. namespace: names around its code.

    constants: those that its code is made of, by name, as they were when it was described.
    """

    def __init__(self, group: Any, into: str, namespace: Mapping[str, Any]) -> None:
        self.group, self.into, self.namespace, self.place = group, into, namespace, f"attach: {group.name}"
        equations = group.user_equations
        regular = [runner for runner in group.contained_objects if type(runner) is CodeRunner]
        self.updates = tuple(Update(r.abstract_code, r.when, r.order) for r in regular)
        self.reset = group.event_codes.get("spike") or ""
        self.lines = {e.varname: _line(e) for e in equations.values()}
        used = set().union(*(e.identifiers for e in equations.values()))
        texts = (self.reset, *(u.code for u in self.updates))
        parsed = [s.value for text in texts for s in code.statements(text)]
        parsed += [code.expression(group.events["spike"])] if "spike" in group.events else []
        used |= set().union(*(code.names(value) | code.functions(value) for value in parsed))
        self.used = used - set(self.lines)
        self.constants = self._values()
        self.level = self._level()

    def _values(self) -> dict[str, Any]:
        """Constants around its code, and parameters of its own, as they are now."""
        found = {name: given for name in sorted(self.used) if (given := self._outside(name)) is not None}
        return found | {e.varname: self._parameter(e.varname) for e in self.group.user_equations.values() if _fixed(e)}

    def _level(self) -> dict[str, Any]:
        """Parameters of its own that its threshold is made of, as they are now: surrogates are scaled by it."""
        equations, text = self.group.user_equations, self.group.events.get("spike", "False")
        inner = {e.varname: f"({e.expr.code})" for e in equations.values() if e.type == "subexpression"}
        for _ in inner:
            text = substitute(text, inner)
        named = code.names(code.expression(text))
        return {
            e.varname: self._parameter(e.varname)
            for e in equations.values()
            if e.type == "parameter" and e.varname in named
        }

    def _parameter(self, name: str) -> Any:
        given = getattr(self.group, name)[:]
        return given[0] if np.ndim(given) and np.ptp(np.asarray(given)) == 0 else given

    def _outside(self, name: str) -> Any:
        """A constant of the script, or a function that its code calls."""
        if name in self.group.namespace or not (name in DEFAULT_UNITS or name in DEFAULT_CONSTANTS):
            given = self.group.namespace.get(name, self.namespace.get(name))
            return given if isinstance(given, Quantity | int | float | np.ndarray | np.number | Function) else None
        return None

    def refuse_changed(self) -> None:
        """What its code is made of is as it was described."""
        now = {**self._values(), **self._level()}
        for name, before in {**self.constants, **self.level}.items():
            if not np.array_equal(np.asarray(before), np.asarray(now.get(name))):
                raise UserError(
                    f"attach: {self.group.name}: {name!r} has changed since; detach() and attach() again are needed"
                )

    @property
    def method(self) -> str:
        """What integrates its equations."""
        chosen = self.group.state_updater.method_choice
        if isinstance(chosen, str):
            return chosen
        for name in chosen:
            try:
                StateUpdateMethod.stateupdaters[name](self.group.equations, self.group.variables, None)
                return str(name)
            except UnsupportedEquationsException:
                continue
        raise UserError(f"{self.place}: method = {chosen!r}: none of them solves its equations")

    def described(
        self, representation: LayerNorm | None, settings: Mapping[str, Any] | None = None
    ) -> CustomNeurons | LeakyReadout:
        """The same as a description. representation: of its rates. settings: more of it."""
        still = self.group._refractory
        text = None if still is False else still if isinstance(still, str) else "False"  # psi asks the group
        begins = {e.varname: self._parameter(e.varname) for e in self.group.user_equations.values() if not _given(e)}
        try:
            return CustomNeurons(
                self.group.N,
                equations="\n".join(line for name, line in self.lines.items() if name not in self.constants),
                constants=self.constants,
                updates=self.updates,
                initial={name: start for name, start in begins.items() if np.any(np.asarray(start) != 0)},
                method=self.method,
                threshold=self.group.events["spike"],
                reset=self.reset,
                into=self.into,
                refractory=0 * second if text is None else text,
                representation=representation,
                **(settings or {}),
            )
        except UserError as error:
            hint = ""
            if "threshold_scale" in str(error) and "threshold_scale" not in (settings or {}):
                hint = f"; surrogates={{{self.group.name!r}: {{'threshold_scale': ...}}}} gives it"
            raise UserError(f"{self.place}: {error}{hint}") from None


class Readout(Neurons):
    """A group without a threshold, whose activity is one exponential of what arrives."""

    def __init__(self, group: Any, into: str, namespace: Mapping[str, Any]) -> None:
        super().__init__(group, into, namespace)
        own = group.user_equations.get(into)
        if own is None or not own.dim.is_dimensionless:
            raise UserError(f"{self.place}: {into!r} has a unit; a readout has none")
        if "unless refractory" in own.flags:
            raise UserError(f"{self.place}: {into!r} stands still 'unless refractory'; a readout decays all the time")
        fragment = Fragment(tuple(self.lines.values()), updates=self.updates)
        slope = decay(self.place, group.name, into, fragment)
        if self.method not in ("exact", "linear", "exponential_euler"):
            raise UserError(f"{self.place}: method = {self.method!r}: it must decay exactly; method='exact' is needed")
        known = {name: np.asarray(given, dtype=float) for name, given in self.constants.items()}
        known |= {n: np.asarray(self._parameter(n), dtype=float) for n in names(slope) if n in self.lines}
        rates = value(self.place, slope, known)
        if not np.all(rates < 0):
            raise UserError(f"{self.place}: {into!r} does not decay; d{into}/dt = -{into}/tau is needed")
        self.tau: float | np.ndarray = float(-1 / rates) if rates.ndim == 0 else -1 / rates

    def described(
        self, representation: LayerNorm | None, settings: Mapping[str, Any] | None = None
    ) -> CustomNeurons | LeakyReadout:
        return LeakyReadout(self.group.N, tau_m=self.tau * second)


def _line(equation: Any) -> str:
    """An equation as it is written."""
    left = f"d{equation.varname}/dt" if equation.type == "differential equation" else equation.varname
    value = "" if equation.expr is None else f" = {equation.expr.code}"
    unit = str(equation.var_type) if str(equation.var_type) != "float" else unit_text(equation.dim)
    flags = f" ({', '.join(equation.flags)})" if equation.flags else ""
    return f"{left}{value} : {unit}{flags}"


def unit_text(dimension: Any) -> str:
    """Brian2's name of a unit, "1" where there is none."""
    return "1" if dimension.is_dimensionless else repr(get_unit(dimension))


def _fixed(equation: Any) -> bool:
    return equation.type == "parameter" and "constant" in equation.flags


def _given(equation: Any) -> bool:
    """Whether a variable has no state of its own."""
    return equation.type == "subexpression" or _fixed(equation) or str(equation.var_type) != "float"
