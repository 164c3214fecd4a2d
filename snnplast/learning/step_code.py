"""The discrete step of a neuron as code: what its integrator performs, its updates and its reset, as lines of sympy.

The order of one step, h being the state after the reset of the step before:

    groups             h <- Phi(h), the code that Brian2's integrator makes of the equations
    after_groups       spikes arrive: h_into <- h_into + c w;   then the updates, in their order
    thresholds         spikes, where the threshold holds and the neuron is not refractory
    resets             h <- R(h) where the neuron spiked

A variable that is flagged '(unless refractory)' keeps its value while the neuron is refractory, whatever writes it but
the reset.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import sympy

from snnplast.brian import DEFAULT_CONSTANTS, DEFAULT_UNITS, brian2, str_to_sympy
from snnplast.errors import UserError
from snnplast.learning.derivative import Expr, Symbol, condition, symbol
from snnplast.network import code as language
from snnplast.network.fragments import Fragment, constant_equations
from snnplast.network.integration import refused_by_method
from snnplast.network.neurons import SpikingPopulation

Line = tuple[str, Expr]
"""A statement: what it writes, and the value."""

FREE = condition(symbol("not_refractory"))
"""1 where the neuron is not refractory in this step."""


@dataclass(frozen=True)
class Step:
    """One step of a neuron. states: what changes, but conditions and counters, in the order of the equations.

    flow, updates, reset: lines of code in their order. distance: what is compared with 0 for a spike,
    in `distance_unit`.
    units: Brian2 unit of states and constants. flagged: states that stand still while refractory; empty, where the
    neuron never is. constants: names with one value per neuron, or with one for all (`shared`), that nothing changes.
    learnable: names that only learning changes, between trials.
    """

    states: tuple[str, ...]
    flow: tuple[Line, ...]
    updates: tuple[Line, ...]
    reset: tuple[Line, ...]
    distance: Expr
    distance_unit: str
    units: Mapping[str, str]
    flagged: frozenset[str]
    constants: frozenset[str]
    shared: frozenset[str]
    learnable: frozenset[str] = frozenset()

    def keeps(self, entry: Expr) -> bool:
        """Whether an expression keeps its value during a trial, and from trial to trial."""
        return self._made_of(entry, self.constants)

    def settles(self, entry: Expr) -> bool:
        """Whether it keeps its value during a trial."""
        return self._made_of(entry, self.constants | self.learnable)

    def _made_of(self, entry: Expr, allowed: frozenset[str]) -> bool:
        names = {str(name) for name in entry.free_symbols}
        own = names - {"dt", "i", "N"} - DEFAULT_CONSTANTS.keys() - DEFAULT_UNITS.keys()
        return own <= allowed and not entry.atoms(sympy.core.function.AppliedUndef)

    def alike(self, entry: Expr) -> bool:
        """Whether it keeps it, and it is the same for all neurons."""
        names = {str(name) for name in entry.free_symbols}
        return self.keeps(entry) and not (names & self.constants) - self.shared and "i" not in names


def step_of(population: SpikingPopulation, fragment: Fragment, dt: float) -> Step:
    """The step of a population whose code is `fragment`. Raises `UserError` for code that is none of a step."""
    equations = [language.equation(line) for line in fragment.equations]
    inner = {symbol(e.name): _sympy(e.value) for e in equations if e.subexpression and e.value is not None}
    flagged = frozenset(
        e.name for e in equations if e.differential and "unless refractory" in e.text.rpartition(":")[2]
    )
    flagged = flagged if population.active else frozenset()
    flow = _flow(population, fragment, dt)
    whole = {e.name for e in equations if e.unit in ("boolean", "integer")}
    blocks = {
        "flow": _lines(flow, inner, whole),
        "updates": _lines("\n".join(_updates(fragment)), inner, whole),
        "reset": _lines("\n".join(fragment.on_spike), inner, whole),
    }
    variables = [e.name for e in equations if not e.subexpression and e.name not in whole]
    written = {name for lines in blocks.values() for name, _ in lines}
    return Step(
        tuple(name for name in variables if name in written),
        distance=closed(_sympy(language.expression(population.distance)), inner),
        distance_unit=population.distance_unit,
        units={**{e.name: e.unit for e in equations}, **dict.fromkeys(fragment.constants, "1"), **fragment.units},
        flagged=flagged,
        constants=frozenset(fragment.constants),
        shared=frozenset(name for name, value in fragment.constants.items() if np.ndim(value) == 0),
        learnable=frozenset(one.name for one in population.learnt),
        **blocks,
    )


def _sympy(expression: ast.expr) -> Expr:
    return str_to_sympy(ast.unparse(expression))


def closed(expression: Expr, inner: Mapping[Symbol, Expr]) -> Expr:
    """The expression with what its names stand for put in, until none is left."""
    while found := {name: inner[name] for name in expression.free_symbols if name in inner}:
        expression = expression.xreplace(found)
    return expression


def _lines(block: str, inner: Mapping[Symbol, Expr], whole: set[str]) -> tuple[Line, ...]:
    """Statements with subexpressions put in; those that write conditions or counters are left out."""
    found: list[Line] = []
    for statement in language.statements(block):
        if statement.target in whole or statement.target == "not_refractory":
            continue
        value = closed(_sympy(statement.value), inner)
        if statement.operator != "=":
            before = symbol(statement.target)
            value = {"+": before + value, "-": before - value, "*": before * value, "/": before / value}[
                statement.operator[0]
            ]
        found.append((statement.target, value))
    return tuple(found)


def _flow(population: SpikingPopulation, fragment: Fragment, dt: float) -> str:
    """The code that Brian2's integrator makes of the equations."""
    if not any(language.equation(line).differential for line in fragment.equations):
        return ""
    group = brian2.NeuronGroup(
        1,
        "\n".join([*fragment.equations, *constant_equations(fragment)]),
        method=population.integration,
        threshold="False",
        reset="",
        refractory=cast(Any, "False") if population.active else False,
        clock=brian2.Clock(dt * brian2.second),
        name="derived*",
        namespace=dict(fragment.functions),
    )
    group._network = cast(Any, "none")  # Brian2 warns of objects that were made for none
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            group.equations.check_units(group, run_namespace={})
            group.state_updater.update_abstract_code(run_namespace={})
    except Exception as error:  # Brian2 has no common class for it
        told = refused_by_method(population.integration, error)
        raise UserError(
            told or f"Brian2 refuses its code, with method = {population.integration!r}: {_one_line(error)}"
        ) from error
    return str(group.state_updater.abstract_code)


def _updates(fragment: Fragment) -> list[str]:
    """Code between arrivals and threshold, in its order. Raises `UserError` for code elsewhere that changes a state."""
    moved = {language.equation(line).name for line in fragment.equations if language.equation(line).differential}
    own = [update for update in fragment.updates if update.event is None]
    for update in fragment.updates:
        changed = [s.target for s in language.statements(update.code) if s.target in moved]
        if changed and (update.event is not None or update.when != "after_groups" or update.order < 0):
            raise UserError(
                f"{update.code!r} changes {changed[0]!r} in slot {update.when!r}, order {update.order}: updates in "
                "'after_groups', of order 0 or more, are what traces can be derived from"
            )
    return [u.code for u in sorted(own, key=lambda u: u.order) if u.when == "after_groups" and u.order >= 0]


def _one_line(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())
