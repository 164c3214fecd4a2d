"""The library's way to write what is learned while a trial runs: through a gate, and within bounds."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from snnplast.network import code as language
from snnplast.network.fragments import Fragment

Limits = tuple[str, str] | None
"""Names of the lowest and highest value, or None where there are no bounds."""


def written(fragment: Fragment) -> frozenset[str]:
    """Names that its statements write."""
    return frozenset(s.target for block in fragment.blocks for s in language.statements(block))


def gated(fragment: Fragment, learned: Mapping[str, Limits], gate: str) -> Fragment:
    r"""The same code, with what is learned written through a gate, 1 where it is open and 0 where it is shut.

        x <- clip(x + gate (value - x), low, high)

    Code that writes nothing that is learned stays as it is.

    >>> stdp = Fragment(on_post=("w += 0.1*x_pre",))
    >>> gated(stdp, {"w": ("w_min", "w_max")}, "learning").on_post
    ('w = clip(w + learning*(0.1 * x_pre), w_min, w_max)',)
    >>> gated(Fragment(on_spike=("theta = 2*theta; v = 0",)), {"theta": None}, "learning").on_spike
    ('theta = theta + learning*(2 * theta - (theta))\nv = 0',)
    """

    def through(block: str) -> str:
        statements = language.statements(block)
        if not any(statement.target in learned for statement in statements):
            return block
        return "\n".join(_through(statement, learned, gate) for statement in statements)

    return fragment.exchanged(through)


def _through(statement: language.Statement, learned: Mapping[str, Limits], gate: str) -> str:
    name = statement.target
    if name not in learned:
        return statement.text
    given, operator = ast.unparse(statement.value), statement.operator
    if operator in ("+=", "-="):
        changed = f"{name} {operator[0]} {gate}*({given})"
    else:
        value = given if operator == "=" else f"{name} {operator[0]} ({given})"
        changed = f"{name} + {gate}*({value} - ({name}))"
    limits = learned[name]
    return f"{name} = {changed}" if limits is None else f"{name} = clip({changed}, {limits[0]}, {limits[1]})"
