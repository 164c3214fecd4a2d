"""Brian2's C++ generator, but for three things: masks and `clip` without branches, exponentials that are kept."""

from __future__ import annotations

import re
from typing import Any

from snnplast.brian import DEFAULT_FUNCTIONS, CPPCodeGenerator, Function, get_identifiers

FLOATS = ("double", "float")
NOTHING = ("0", "0.0")
_EXP, _KEPT = re.compile(r"\bexp\("), "snnplast::kept_exp<__COUNTER__>("
_CLIP = re.compile(r"\b_clip\(")


class EngineGenerator(CPPCodeGenerator):
    """Statements such as `psi = int(not_refractory)*f(v)`: 0 where a boolean is false.

    Brian2 writes `if (!not_refractory) psi = 0.0; else psi = f(v);`, a branch in the loop over neurons. The bits of
    f(v) under a mask are the same number, in vector code.
    """

    def translate_statement(self, statement: Any) -> str:
        kind = self.c_data_type(statement.dtype)
        found = _switched(statement) if kind in FLOATS else None
        if found is None or not self._harmless(found[1]):
            return super().translate_statement(statement)
        switch, value = found
        declared, operator = (f"{kind} ", "=") if statement.op == ":=" else ("", statement.op)
        masked = f"snnplast::masked<{kind}>({self.translate_expression(value)}, {switch})"
        return f"{declared}{statement.var} {operator} {masked};"

    def translate_expression(self, expr: str) -> str:
        """Brian2's `clip` returns early, which makes branches of it."""
        text = super().translate_expression(expr)
        own = self.variables.get("clip") is DEFAULT_FUNCTIONS["clip"]
        return _CLIP.sub("snnplast::clip(", text) if own else text

    def translate_statement_sequence(self, sc_statements: Any, ve_statements: Any) -> Any:
        """Exponentials before a loop, of a time step and a time constant, are found anew when those change."""
        scalar, vector, keywords = super().translate_statement_sequence(sc_statements, ve_statements)
        if self.variables.get("exp") is DEFAULT_FUNCTIONS["exp"]:
            scalar = {block: [_EXP.sub(_KEPT, line) for line in lines] for block, lines in scalar.items()}
        return scalar, vector, keywords

    def _harmless(self, expression: str) -> bool:
        """Whether it may be evaluated in vain: it draws no random number, and divides no integers."""
        used = (self.variables.get(name) for name in get_identifiers(expression))
        return not any(sign in expression for sign in ("%", "//")) and all(
            function.stateless for function in used if isinstance(function, Function)
        )


def _switched(statement: Any) -> tuple[str, str] | None:
    """The one boolean of a statement and its expression where that is true, if it is 0 where that is false."""
    switches = statement.used_boolean_variables or ()
    if len(switches) != 1:
        return None
    values = {key[0][1]: value for key, value in statement.boolean_simplified_expressions.items()}
    return (switches[0], values[True]) if values[False] in NOTHING else None
