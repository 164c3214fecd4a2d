"""Code in Brian2's language, parsed where it is handed over: what is no such code is said there, with the line.

An expression is Python's without calls of methods, indices and the like; a statement is `name = expression`, or with
+=, -=, *= or /=; an equation is `name : unit`, `name = expression : unit` or `dname/dt = expression : unit`.
"""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass

from snnplast.errors import UserError, unknown

SLOTS = tuple(
    f"{side}{slot}"
    for slot in ("start", "groups", "thresholds", "synapses", "resets", "end")
    for side in ("before_", "", "after_")
)
"""Slots of one step, in their order."""

_STATEMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*(\*\*|//|<<|>>|[-+*/%@&|^])?=(?!=)(.*)")
_EQUATION = re.compile(r"\s*(?:d([A-Za-z_]\w*)\s*/\s*dt|([A-Za-z_]\w*))\s*(?:=(?!=)(.*))?:([^:]*)")
_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip
_INSTEAD = {
    ast.BitXor: "'^' is no operator of it; '**' is a power",
    ast.BitAnd: "'&' is no operator of it; write 'and'",
    ast.BitOr: "'|' is no operator of it; write 'or'",
    ast.Subscript: "it has no indices",
    ast.Attribute: "it has no attributes",
    ast.IfExp: "it has no 'if'; int(condition) is 1 or 0",
    ast.Tuple: "it has no tuples",
    ast.List: "it has no lists",
}


class WrongCode(UserError):
    """A text that is no code in Brian2's language: what it is and why, without the place it stands at."""


@dataclass(frozen=True)
class Statement:
    """`target operator value`, such as `v += w`; text: as it was written."""

    target: str
    operator: str
    value: ast.expr
    text: str


@dataclass(frozen=True)
class Equation:
    """One equation: what it declares, its right-hand side if there is one, and whether that is the derivative."""

    name: str
    value: ast.expr | None
    differential: bool
    unit: str
    text: str

    @property
    def subexpression(self) -> bool:
        """Whether it stands for its right-hand side, and holds no value of its own."""
        return self.value is not None and not self.differential


def equation_lines(text: str) -> tuple[str, ...]:
    """Equations one to a line: without comments and empty lines, those that span several lines joined.

    >>> equation_lines("dv/dt = (-v  # leak\\n  + i0)/tau : 1\\n\\nw : 1")
    ('dv/dt = (-v + i0)/tau : 1', 'w : 1')
    """
    lines: list[str] = []
    for line in (line.partition("#")[0].strip() for line in text.splitlines()):
        if lines and line and ":" not in lines[-1]:
            lines[-1] = f"{lines[-1]} {line}"
        elif line:
            lines.append(line)
    return tuple(lines)


@functools.lru_cache(maxsize=4096)
def equation(line: str) -> Equation:
    """An equation. Raises `WrongCode` for a line that is none."""
    match = _EQUATION.fullmatch(line)
    if match is None:
        raise WrongCode(f"equation {line!r}: expected 'name : unit', 'name = expression : unit' or 'dname/dt = ...'")
    differential, plain, right, unit = match.groups()
    if differential and right is None:
        raise WrongCode(f"equation {line!r}: expected 'd{differential}/dt = expression : unit'")
    value = None if right is None else expression(right, line)
    if value is not None and (condition := _reckoned_with(value)):
        raise WrongCode(f"equation {line!r}: {condition!r} is a condition, no number; int({condition}) is 1 or 0")
    return Equation(differential or plain, value, bool(differential), unit.partition("(")[0].strip(), line.strip())


@functools.lru_cache(maxsize=4096)
def statements(code: str) -> tuple[Statement, ...]:
    """The statements of a piece of code, one to a line or parted by semicolons. Raises `WrongCode`."""
    found = []
    for line in re.split(r"[;\n]", code):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = _STATEMENT.fullmatch(text)
        if match is None:
            raise WrongCode(f"{text!r} is no statement: 'name = expression', or with +=, -=, *= or /=, is needed")
        target, operator, right = match.groups()
        if operator not in (None, "+", "-", "*", "/"):
            raise WrongCode(f"{text!r} is no statement: =, +=, -=, *= and /= are allowed, not {operator}=")
        found.append(Statement(target, f"{operator or ''}=", expression(right, text), text))
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def expression(code: str, line: str | None = None) -> ast.expr:
    """An expression. line: what it is part of, to be named. Raises `WrongCode` where it is none."""
    shown = repr((line or code).strip())
    if not code.strip():
        raise WrongCode(f"{shown}: an expression is missing")
    try:
        parsed = ast.parse(code.strip(), mode="eval").body
    except SyntaxError as error:
        raise WrongCode(f"{shown} is not in Brian2's language: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte; nested without end
        raise WrongCode(f"{shown} is not in Brian2's language: {error}") from None
    if wrong := _foreign(parsed):
        raise WrongCode(f"{shown} is not in Brian2's language: {wrong}")
    return parsed


def _reckoned_with(parsed: ast.expr) -> str:
    """A condition that stands where a number is needed, which Brian2 takes in statements, but not in equations."""
    sums = [node for node in ast.walk(parsed) if isinstance(node, ast.BinOp)]
    parts = [part for node in sums for part in (node.left, node.right)]
    return next((ast.unparse(part) for part in parts if isinstance(part, ast.Compare | ast.BoolOp)), "")


def _foreign(parsed: ast.expr) -> str:
    """What of Python is not part of Brian2's language in a parsed expression; "" if nothing is."""
    for node in ast.walk(parsed):
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            return "one comparison at a time is allowed; join two with 'and'"
        if isinstance(node, ast.Call):
            if (
                not isinstance(node.func, ast.Name)
                or node.keywords
                or any(isinstance(a, ast.Starred) for a in node.args)
            ):
                return "functions are called by their name, with arguments by position"
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, bool | int | float):
                return f"{node.value!r} is no number"
        elif not isinstance(node, (ast.Name, ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Load, *_OPERATORS)):
            kind = next((text for known, text in _INSTEAD.items() if isinstance(node, known)), "")
            return (
                kind or f"{ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__} is not part of it"
            )
    return ""


def names(parsed: ast.AST) -> set[str]:
    """Names of values in an expression; functions it calls are left out."""
    called = {id(node.func) for node in ast.walk(parsed) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(parsed) if isinstance(node, ast.Name) and id(node) not in called}


def functions(parsed: ast.AST) -> set[str]:
    """Names of the functions that an expression calls."""
    return {node.func.id for node in ast.walk(parsed) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def precedes(slot: str, other: str) -> bool:
    """Whether a slot comes before another one in a step."""
    return SLOTS.index(slot) < SLOTS.index(other)


def slot(place: str, name: str) -> None:
    """Raise `UserError` for a name that is no slot of a step."""
    if name not in SLOTS:
        raise UserError(f"{place}: {unknown('slot', str(name), SLOTS)}")
