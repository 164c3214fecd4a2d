r"""Eligibility traces of any neuron as Brian2 code: its linearised step, run forwards beside it.

    eps   <- P eps;   eps_into <- eps_into + gain * gate * q;   eps <- U eps        q: arrivals in this step
    e     = psi (g . eps)
    eps   <- R eps + k e                                          R: identity where the neuron does not spike

A component that is alike for all targets of a source, since all that moves it is, is kept once per source neuron (or
beside it); all others per synapse. Traces of a learnable constant p are kept per neuron, and take d Phi/dp, dU/dp and
dR/dp instead of arrivals. Names of entries: flow_r_c for P, update_r_c for U, reset_r_c for R, slope_r for g, kick_r
for k; those that keep their value are constants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from snnplast.learning.derivative import Expr, Symbol, shown, symbol
from snnplast.learning.linearised import ONE, Block, Linearised
from snnplast.network import slots
from snnplast.network.fragments import Fragment, Update, Value


def ratio(over: str, under: str) -> str:
    """Brian2's unit of a derivative, without brackets, which would begin the flags of an equation.

    >>> ratio("volt", "siemens"), ratio("1", "volt"), ratio("amp", "1"), ratio("volt", "metre**2/second")
    ('volt/siemens', '1/volt', 'amp', 'volt/metre**2*second')
    """
    if over == under:
        return "1"
    if under == "1":
        return over
    turned = re.sub(r"(?<!\*)\*(?!\*)|/", lambda sign: "*" if sign[0] == "/" else "/", under.replace(" ", ""))
    return f"{over}/{turned}"


@dataclass
class Entries:
    """The entries of a linearised step that are asked for, as constants and variables of its neurons."""

    linearised: Linearised
    value: Callable[[Expr], Value]
    constants: dict[str, Value] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    varying: dict[str, tuple[str, Expr]] = field(default_factory=dict)
    """Name -> (piece of code it belongs to, entry)."""
    afterwards: bool = False
    """Whether what only learning changes is worked out after the trial, and no variable of the neurons."""
    settled: dict[str, Expr] = field(default_factory=dict)
    """Name -> entry of that kind."""

    def named(self, kind: str, row: str, column: str | None, entry: Expr, unit: str) -> str | None:
        """What an entry is called, None for 1."""
        if entry == ONE and unit == "1":
            return None
        name = f"{kind}_{row}" + (f"_{column}" if column else "")
        if name in self.constants or name in self.varying or name in self.settled:
            return name
        if self.linearised.step.keeps(entry):
            self.constants[name] = self.value(entry)
        elif self.afterwards and self.linearised.step.settles(entry):
            self.settled[name] = entry
        else:
            self.varying[name] = kind, entry
        if unit != "1":
            self.units[name] = unit
        return name

    def block(self, kind: str) -> Block:
        """P ("flow"), U ("update") or R ("reset")."""
        whole = self.linearised
        return {"flow": whole.flow, "update": whole.updates, "reset": whole.reset}[kind]

    def of(self, kind: str, row: str, column: str) -> str | None:
        """What an entry of P, U or R, or of their derivatives by a parameter, is called; None for 1."""
        block, units = self.block(kind), self.linearised.step.units
        entry = {**block.entries, **block.parameters}[row, column]
        return self.named(kind, row, column, entry, ratio(units[row], units[column]))

    def slope(self, name: str) -> str | None:
        """What the derivative of the distance by a state or parameter is called; None for 1."""
        whole = self.linearised
        entry = {**whole.slope, **whole.slope_by}[name]
        return self.named("slope", name, None, entry, ratio(whole.step.distance_unit, whole.step.units[name]))

    def kick(self, state: str) -> str:
        """What an entry of k is called."""
        whole = self.linearised
        return self.named("kick", state, None, whole.kicks[state], whole.step.units[state]) or "1"

    def fragment(self) -> Fragment:
        """Code of the neurons that works the entries out."""
        step, updates = self.linearised.step, []
        needed = {kind: [(n, e) for n, (k, e) in self.varying.items() if k == kind] for kind in _KINDS}
        before: set[str] = set()
        for kind, (when, order) in _KINDS.items():
            tape = self.block(kind).tape if kind in ("flow", "update", "reset") else {}
            lines, read = written_out(needed[kind], tape, step.states if kind == "flow" else ())
            before |= read
            if lines:
                updates.append(Update("\n".join(lines), when, order))
        if before:
            kept = sorted(before)
            updates.insert(0, Update("\n".join(f"{name}_before = {name}" for name in kept), *slots.BEFORE))
        equations = [f"{name} : {self.units.get(name, '1')}" for name in self.varying]
        equations += [f"{name}_before : {step.units[name]}" for name in sorted(before)]
        units = {name: unit for name, unit in self.units.items() if name in self.constants}
        return Fragment(tuple(equations), self.constants, units, tuple(updates))


_KINDS = {
    "flow": slots.FLOW,
    "update": slots.ARRIVED,
    "slope": slots.SURROGATE,
    "reset": slots.SURROGATE,
    "kick": slots.SURROGATE,
}


def written_out(
    wanted: Sequence[tuple[str, Expr]], tape: Mapping[Symbol, Expr], states: Iterable[str]
) -> tuple[list[str], set[str]]:
    """Lines that give entries their values, and the states whose value before the step they read."""
    needed: set[Symbol] = set()
    todo = [name for _, entry in wanted for name in entry.free_symbols if name in tape]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += [inner for inner in tape[name].free_symbols if inner in tape]
    lines = [(str(name), value) for name, value in tape.items() if name in needed] + [*wanted]
    read = {str(name) for _, value in lines for name in value.free_symbols} & set(states)
    put = {symbol(name): symbol(f"{name}_before") for name in read}
    return [f"{name} = {shown(value.xreplace(put))}" for name, value in lines], read


def near_states(linearised: Linearised, live: Sequence[str], into: str, alike: bool) -> tuple[str, ...]:
    """Live states whose traces are alike for all targets of a source.

    alike: whether arrivals at `into` are: of one gain and one delay.
    """
    step, flow = linearised.step, linearised.flow
    near = {
        state
        for state in live
        if all(step.alike(entry) for column, entry in flow.row(state).items() if column in live)
        and linearised.updates.unit(state)
        and linearised.reset.unit(state)
        and state not in linearised.kicks
        and (state != into or (alike and into not in step.flagged))
    }
    while more := {state for state in near if (flow.row(state).keys() & set(live)) - near}:
        near -= more
    return tuple(state for state in live if state in near)


@dataclass(frozen=True)
class Recursion:
    """One step of traces, as lines of code.

    kept: components that are kept where the code runs; near: those kept per source. suffix: of neurons' variables,
    "_post" in synapses. parameter: the constant whose traces these are; None: a weight's.
    """

    entries: Entries
    kept: tuple[str, ...]
    near: tuple[str, ...] = ()
    suffix: str = ""
    parameter: str | None = None

    def name(self, state: str) -> str:
        """What a component is called where it is kept."""
        return f"eps_{state}_{self.parameter}" if self.parameter else f"eps_{state}"

    @property
    def eligibility(self) -> str:
        """What e is called."""
        return f"eligibility_{self.parameter}" if self.parameter else "eligibility"

    def variables(self) -> list[str]:
        """Equations of all that is kept."""
        units = self.entries.linearised.step.units
        by = units[self.parameter] if self.parameter else "1"
        of = {self.name(state): ratio(units[state], by) for state in self.kept}
        return [*(f"{name} : {unit}" for name, unit in of.items()), f"{self.eligibility} : {ratio('1', by)}"]

    def lines(self, arrivals: Sequence[str], gather: Sequence[str]) -> list[str]:
        """All of one step. arrivals: lines that add what arrived. gather: lines that use e."""
        whole = self.entries.linearised
        lines = [*self._rows("flow", self.kept), *arrivals]
        lines += self._rows("update", [row for row in self.kept if self._moved("update", row)])
        slopes = [self._times(self.entries.slope(c), self._now(c)) for c in self.states if c in whole.slope]
        if self.parameter in whole.slope_by:
            slopes.append(self._times(self.entries.slope(str(self.parameter)), "1"))
        lines.append(f"{self.eligibility} = psi{self.suffix}*({' + '.join(slopes) or '0'})")
        lines += [*gather, *self._rows("reset", [row for row in self.kept if self._moved("reset", row)])]
        kicked = [state for state in self.kept if state in whole.kicks]
        return lines + [f"{self.name(s)} += {self.entries.kick(s)}{self.suffix}*{self.eligibility}" for s in kicked]

    @property
    def states(self) -> tuple[str, ...]:
        return (*self.kept, *self.near)

    def _moved(self, kind: str, row: str) -> bool:
        block = self.entries.block(kind)
        return not block.unit(row) or (row, self.parameter) in block.parameters

    def _rows(self, kind: str, rows: Sequence[str]) -> list[str]:
        block, new = self.entries.block(kind), {}
        for row in rows:
            own = block.row(row)
            terms = [
                self._times(self.entries.of(kind, row, c), self._last(c) if kind == "flow" else self._now(c))
                for c in self.states
                if c in own
            ]
            if self.parameter and (row, self.parameter) in block.parameters:
                terms.append(self._times(self.entries.of(kind, row, self.parameter), "1"))
            total = " + ".join(terms) or "0"
            if kind == "reset":
                spiked = f"spiked{self.suffix}"
                total = f"(1 - {spiked})*{self.name(row)}" + (f" + {spiked}*({total})" if terms else "")
            if total != self.name(row):
                new[self.name(row)] = total
        if len(new) == 1:
            return [f"{name} = {total}" for name, total in new.items()]
        return [f"new_{name} = {total}" for name, total in new.items()] + [f"{name} = new_{name}" for name in new]

    def _now(self, state: str) -> str:
        return f"eps_{state}_pre" if state in self.near else self.name(state)

    def _last(self, state: str) -> str:
        return f"eps_{state}_last_pre" if state in self.near else self.name(state)

    def _times(self, entry: str | None, trace: str) -> str:
        if entry is None:
            return trace
        return f"{entry}{self.suffix}" if trace == "1" else f"{entry}{self.suffix}*{trace}"


def beside_source(entries: Entries, near: Sequence[str], into: str, gain: float) -> Fragment:
    """Code of the traces that are kept per source, with their values at the step before."""
    whole = entries.linearised
    if not near:
        return Fragment()
    own = Entries(whole, entries.value)
    units = {state: whole.step.units[state] for state in near}
    lines = [f"eps_{state}_last = eps_{state}" for state in near]
    for row in near:
        columns = [c for c in near if c in whole.flow.row(row)]
        names = {c: own.of("flow", row, c) for c in columns}
        terms = [f"eps_{c}_last" if name is None else f"{name}*eps_{c}_last" for c, name in names.items()]
        lines.append(f"eps_{row} = {' + '.join(terms) or '0'}")
    equations = [f"eps_{state}{end} : {unit}" for state, unit in units.items() for end in ("", "_last")]
    arrival: tuple[str, ...] = ()
    constants, declared = dict(own.constants), dict(own.units)
    if into in near:
        constants["trace_gain"] = gain
        declared |= {"trace_gain": units[into]} if units[into] != "1" else {}
        arrival = (f"eps_{into} = eps_{into} + trace_gain",)
    update = Update("\n".join(lines), *slots.FLOW)
    return Fragment(tuple(equations), constants, declared, (update,), on_spike=arrival)
