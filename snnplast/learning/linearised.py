r"""A neuron's step, linearised along its trajectory: what eligibility traces of any neuron are made of.

    P = dPhi/dh   at the state after the last reset            g   = d distance / dh   before the reset
    U = dU/dh     at the state after the arrivals              k_X = R_X(h) - h_X      for X that the spike's own
    R = dR/dh     at the state before the reset, at a spike          derivative acts through (`through`)

and likewise the derivatives by the neuron's learnable constants. Entries that are 0 are left out. The code is
differentiated line by line, so that nothing swells; short forms are put together where they stay short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sympy

from snnplast.brian import sympy_to_str
from snnplast.errors import UserError
from snnplast.learning.derivative import DRAWS, Expr, Given, NoDerivative, Symbol, derivative, shown, symbol
from snnplast.learning.step_code import FREE, Line, Step

Entries = dict[tuple[str, str], Expr]
"""(row, column) -> entry: the derivative of what the row names by what the column names."""

SHORT = 60
"""Operations up to which an entry is written as one expression."""

ONE = sympy.Integer(1)


@dataclass(frozen=True)
class Block:
    """A piece of code, linearised.

    entries: by states. parameters: by learnable constants. tape: names that long entries are made of -> their values,
    in their order. values: state -> what the code makes of it.
    """

    entries: Entries
    parameters: Entries
    tape: Mapping[Symbol, Expr]
    values: Mapping[str, Expr]

    def row(self, state: str) -> dict[str, Expr]:
        """Column -> entry of a row."""
        return {column: entry for (row, column), entry in self.entries.items() if row == state}

    def unit(self, state: str) -> bool:
        """Whether the row leaves its state as it is."""
        return self.row(state) == {state: ONE}


@dataclass(frozen=True)
class Linearised:
    """A step and its derivatives. slope: g. kicks: k. slope_by: d distance / d parameter."""

    step: Step
    flow: Block
    updates: Block
    reset: Block
    slope: Mapping[str, Expr]
    slope_by: Mapping[str, Expr]
    kicks: Mapping[str, Expr]

    def driven(self, parameter: str) -> frozenset[str]:
        """States that a parameter changes at once, or through the surrogate derivative of a spike."""
        blocks = (self.flow, self.updates, self.reset)
        changed = {row for block in blocks for row, by in block.parameters if by == parameter}
        return frozenset(changed | (self.kicks.keys() if parameter in self.slope_by else set()))

    def live(self, into: Iterable[str]) -> tuple[str, ...]:
        """States that change with what is added to `into`, and that a later spike depends on."""
        arrows = {pair for block in (self.flow, self.updates, self.reset) for pair in block.entries}
        arrows |= {(kicked, state) for kicked in self.kicks for state in self.slope}
        changed = _closure(set(into), arrows)
        heard = _closure(set(self.slope), {(column, row) for row, column in arrows})
        return tuple(state for state in self.step.states if state in changed & heard)


def _closure(start: set[str], arrows: Iterable[tuple[str, str]]) -> set[str]:
    """All that follows from a start; arrows: (what follows, from what)."""
    arrows, found = set(arrows), set(start)
    while more := {to for to, origin in arrows if origin in found} - found:
        found |= more
    return found


def linearise(
    step: Step, through: Sequence[str] | None = None, learnable: Sequence[str] = (), given: Given | None = None
) -> Linearised:
    """All derivatives of a step. given: derivatives of functions that users define.

    through: variables of the reset that the surrogate derivative of the spike acts through; None: all that it writes
    but those that the distance to the threshold grows with (the membrane).
    learnable: constants to differentiate by as well.
    Raises `UserError` for a term whose derivative is not known.
    """
    given = given or {}
    flow = _block("equations", step.flow, step, learnable, given)
    updates = _block("updates", step.updates, step, learnable, given)
    reset = _block("reset", step.reset, step, learnable, given, gated=False)
    slope = _of_distance(step, step.states, given)
    written = dict.fromkeys(name for name, _ in step.reset if name in step.states)
    if through is None:
        through = [name for name in written if not _rises(slope.get(name))]
    kicks = {name: reset.values[name] - symbol(name) for name in through if name in written}
    return Linearised(step, flow, updates, reset, slope, _of_distance(step, learnable, given), kicks)


def _rises(slope: Expr | None) -> bool:
    return slope is not None and not (slope.is_number and slope < 0) and not sympy_to_str(slope).startswith("-")


def _of_distance(step: Step, names: Sequence[str], given: Given) -> dict[str, Expr]:
    try:
        found = {name: derivative(step.distance, symbol(name), given) for name in names}
    except NoDerivative as error:
        raise UserError(f"distance: {error}") from None
    return {name: entry for name, entry in found.items() if entry != 0}


def _block(
    place: str, lines: Sequence[Line], step: Step, learnable: Sequence[str], given: Given, gated: bool = True
) -> Block:
    """Forward mode, line by line: beside each value its derivatives by what the code began with."""
    began = [*step.states, *learnable]
    slopes: dict[Symbol, dict[str, Expr]] = {symbol(name): {name: ONE} for name in began}
    now: dict[str, Symbol] = {name: symbol(name) for name in step.states}
    tape: dict[Symbol, Expr] = {}

    def keep(name: str, value: Expr) -> Symbol:
        own = symbol(f"{name.strip('_')}_{len(tape) + 1}")
        tape[own] = value
        return own

    for target, written in lines:
        if gated:  # a refractory neuron's own factor of 0 may divide by 0; it is chosen by `FREE` below
            written = written.subs(FREE, 1)
        value = written.xreplace({symbol(name): own for name, own in now.items()})
        slope: dict[str, Expr] = {}
        for name in sorted(value.free_symbols & slopes.keys(), key=str):
            try:
                part = derivative(value, name, given)
            except NoDerivative as error:
                raise UserError(f"{place}: {target} = {shown(written)}: {error}") from None
            for began_with, entry in slopes[name].items():
                slope[began_with] = slope.get(began_with, sympy.Integer(0)) + part * entry
        if gated and target in step.flagged:
            old = now[target]
            value = FREE * value + (1 - FREE) * old
            both = {**slopes.get(old, {}), **slope}
            slope = {
                name: FREE * slope.get(name, sympy.Integer(0))
                + (1 - FREE) * slopes.get(old, {}).get(name, sympy.Integer(0))
                for name in both
            }
        _refuse_draws(place, target, written, slope)
        own = now[target] = keep(target, value)
        slopes[own] = {
            name: entry if entry.is_Atom else keep(f"{target}_{name}", entry)
            for name, entry in slope.items()
            if entry != 0
        }
    return _put_together(tape, now, slopes, step, learnable)


def _refuse_draws(place: str, target: str, value: Expr, slope: Mapping[str, Expr]) -> None:
    for name, entry in slope.items():
        drawn = [call for call in entry.atoms(sympy.core.function.AppliedUndef) if call.func.__name__ in DRAWS]
        if drawn:
            raise UserError(
                f"{place}: {target} = {shown(value)}: {shown(drawn[0])} multiplies {name!r}, and the draw would be "
                "another one in its derivative; noise that is added to a state is allowed"
            )


def _put_together(
    tape: dict[Symbol, Expr],
    now: Mapping[str, Symbol],
    slopes: Mapping[Symbol, Mapping[str, Expr]],
    step: Step,
    learnable: Sequence[str],
) -> Block:
    """Entries in terms of what the code began with where that is short, else of the tape."""
    short = dict[Symbol, Expr]()
    for own, value in tape.items():
        short[own] = value.xreplace({name: short[name] for name in value.free_symbols if name in short})
    values = {state: short.get(own, own) for state, own in now.items()}
    entries: Entries = {}
    for row in step.states:
        for column, entry in slopes[now[row]].items():
            whole = entry.xreplace({name: short[name] for name in entry.free_symbols if name in short})
            brief = int(sympy.count_ops(whole)) <= SHORT or step.settles(whole)
            entries[row, column] = _tidy(whole) if brief else entry
    entries = {pair: entry for pair, entry in entries.items() if entry != 0}
    return Block(
        {pair: entry for pair, entry in entries.items() if pair[1] not in learnable},
        {pair: entry for pair, entry in entries.items() if pair[1] in learnable},
        tape,
        values,
    )


def _tidy(entry: Expr) -> Expr:
    """The shorter one of an entry and what sympy makes of it."""
    return min((entry, sympy.factor_terms(entry), sympy.expand(entry)), key=sympy.count_ops)
