r"""Eligibility traces of learnable constants, one per neuron.

    eps   <- P eps + dPhi/dp;   eps <- U eps + dU/dp
    e     = psi (g . eps + d distance/dp)
    eps   <- R eps + dR/dp + k e                                  R: identity where the neuron does not spike

A constant that a variable starts at has eps = 1 there at the beginning of a trial, and nothing after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from snnplast.errors import UserError
from snnplast.learning.chain import ByParameter
from snnplast.learning.gathering import Gathering
from snnplast.learning.linearised import Linearised
from snnplast.learning.traces import Entries, Recursion, ratio
from snnplast.network import slots
from snnplast.network.fragments import Fragment, Update
from snnplast.network.learnable import Learnt


def moved_by(linearised: Linearised, constants: Iterable[Learnt]) -> frozenset[str]:
    """States that change with learnable constants. Raises `UserError` for one that no spike depends on."""
    found: frozenset[str] = frozenset()
    for one in constants:
        driven = _driven(linearised, one)
        if not linearised.live(driven) and one.name not in linearised.slope_by:
            raise UserError(f"learnable: no spike depends on {one.name!r} by a derivative; leave it out")
        found |= driven
    return found


def _driven(linearised: Linearised, constant: Learnt) -> frozenset[str]:
    return linearised.driven(constant.name) | ({constant.starts} if constant.starts else set())


def constant_traces(entries: Entries, constant: Learnt, gather: Gathering | None) -> tuple[Fragment, list[str]]:
    """Code of the neurons that traces one constant, and what to read of it after a trial.

    gather: None where only the entries that are needed are asked for.
    """
    name, whole = constant.name, entries.linearised
    recursion = Recursion(entries, whole.live(_driven(whole, constant)), parameter=name)
    equations, begin = recursion.variables(), []
    if constant.starts:
        trace, begun = recursion.name(constant.starts), f"begun_{name}"
        begin = [f"{trace} = {trace} + 1 - {begun}", f"{begun} = 1"]
        equations.append(f"{begun} : 1")
    if gather is None:
        recursion.lines([], [])
        return Fragment(), []
    declared, lines, read = gather(recursion.eligibility, "", f"_{name}", ratio("1", whole.step.units[name]))
    update = Update("\n".join([*begin, *recursion.lines([], lines)]), *slots.TRACES)
    code = Fragment((*equations, *declared.equations), declared.constants, declared.units, (update,))
    return code, [f"post.{variable}" for variable in read]


def by_constant(
    entries: Entries, constant: Learnt, index: Mapping[str, int], value: Callable[[str | None], np.ndarray]
) -> ByParameter:
    """Derivatives by one constant, for the factored gradient. value: of an entry by its name."""
    name, whole = constant.name, entries.linearised

    def rows(kind: str) -> list[tuple[int, np.ndarray]]:
        own = (row for row, by in entries.block(kind).parameters if by == name and row in index)
        return [(index[row], value(entries.of(kind, row, name))) for row in own]

    slope = value(entries.slope(name)) if name in whole.slope_by else None
    start = [(index[constant.starts], value(None))] if constant.starts else []
    return ByParameter(slope, rows("reset"), rows("update"), rows("flow"), start)
