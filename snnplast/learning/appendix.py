r"""The derived traces of a neuron, written down as the appendix of a paper would have them.

State and its order, the entries of P, U, R, g and k (see `snnplast.learning.linearised`) as expressions in Brian2's
language, the recursion with the entries that are not 0, and what is kept where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy

from snnplast.learning.derived import DerivedTraces
from snnplast.learning.linearised import ONE, Block
from snnplast.learning.traces import near_states, written_out

Section = tuple[str, str]
"""Title, text."""

_MEANING = {
    "P": "of the solved equations, at the state after the last reset",
    "U": "of the updates, once spikes have arrived",
    "R": "of the reset, at a spike; the identity elsewhere",
}

_SYMBOLS = """eps: derivative of the state by a weight; e: eligibility trace; G: gradient
q: spikes that arrive in this step; w_unit: what a weight of 1 adds
gate: 1 where arrivals change what stands still while the neuron is refractory
L, F: learning signal, and the filter of the readouts that it comes from"""


def appendix(traces: DerivedTraces) -> Iterator[Section]:
    """Everything that is derived of a population, section by section."""
    whole = traces.linearised
    yield "State h", ", ".join(f"{state} ({whole.step.units[state]})" for state in whole.step.states)
    blocks = {"P": whole.flow, "U": whole.updates, "R": whole.reset}
    for name, block in blocks.items():
        yield f"{name}: derivatives {_MEANING[name]}", _matrix(name, block, traces.live)
    yield "g: derivatives of the distance to the threshold", _vector("g", whole.slope)
    kicks = _vector("k", whole.kicks) or "0: the surrogate derivative of a spike does not act through its reset"
    yield "k: what a spike adds to a state, which its surrogate derivative acts through", kicks
    yield "psi: surrogate derivative of a spike", traces.psi
    yield "Other symbols", _SYMBOLS
    for into in dict.fromkeys(traces.into(projection) for projection in traces.incoming):
        yield f"Traces of a weight that adds to {into}", "\n".join(_recursion(traces, into))
    recorded = (name.removeprefix("post.") for name in traces.factored().recorded)
    yield "What is recorded at every step for the factored gradient", ", ".join(recorded)


def _matrix(name: str, block: Block, live: tuple[str, ...]) -> str:
    """Entries of the rows that are no unit rows."""
    rows = [state for state in live if not block.unit(state)]
    wanted = [(f"{name}[{row}, {c}]", block.row(row)[c]) for row in rows for c in live if c in block.row(row)]
    lines, _ = written_out(wanted, block.tape, ())
    lines += [f"{name}[{row}, :] = 0" for row in rows if not block.row(row)]
    return "\n".join(lines) or "the identity"


def _vector(name: str, entries: Mapping[str, sympy.Expr]) -> str:
    lines, _ = written_out([(f"{name}[{state}]", entry) for state, entry in entries.items()], {}, ())
    return "\n".join(lines)


def _recursion(traces: DerivedTraces, into: str) -> Iterator[str]:
    """One step of the traces eps of a weight, and where each is kept."""
    whole, live = traces.linearised, traces.linearised.live([into])
    for state in live:
        arrived = f" + {'gate*' if state in whole.step.flagged else ''}w_unit*q" if state == into else ""
        yield f"eps_{state} <- {_row('P', whole.flow, state, live)}{arrived}"
    for state in live:
        if not whole.updates.unit(state):
            yield f"eps_{state} <- {_row('U', whole.updates, state, live)}"
    slopes = [f"eps_{s}" if whole.slope[s] == ONE else f"g[{s}]*eps_{s}" for s in live if s in whole.slope]
    yield f"e <- psi*{slopes[0]}" if len(slopes) == 1 else f"e <- psi*({' + '.join(slopes)})"
    for state in live:
        if not whole.reset.unit(state):
            yield f"eps_{state} <- {_row('R', whole.reset, state, live)}  at a spike"
    for state in live:
        if state in whole.kicks:
            yield f"eps_{state} <- eps_{state} + k[{state}]*e"
    yield "G <- G + L*F(e)"
    alike = not any(p.unequal_delays for p in traces.incoming if traces.into(p) == into)
    near = near_states(whole, live, into, alike)
    yield f"kept once per source neuron: {', '.join(f'eps_{s}' for s in near) or 'nothing'}"
    yield f"kept per synapse: {', '.join(f'eps_{s}' for s in live if s not in near) or 'G alone'}"


def _row(name: str, block: Block, row: str, live: tuple[str, ...]) -> str:
    terms = [
        f"eps_{column}" if block.row(row)[column] == ONE else f"{name}[{row}, {column}]*eps_{column}"
        for column in live
        if column in block.row(row)
    ]
    return " + ".join(terms) or "0"
