"""Whether code makes sense where it stands: it reads what is declared there, and writes what may be written."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Set
from typing import Any

from snnplast.brian import (
    DEFAULT_CONSTANTS,
    DEFAULT_FUNCTIONS,
    DEFAULT_UNITS,
    Equations,
    dimensions_and_type_from_string,
)
from snnplast.errors import nearest, unknown
from snnplast.network import code
from snnplast.network.code import WrongCode
from snnplast.network.fragments import Fragment, Injection

EVERYWHERE = frozenset(
    "t dt t_in_timesteps i j N True False not_refractory lastspike lastupdate delay "
    "N_pre N_post N_incoming N_outgoing i_pre i_post lastspike_pre lastspike_post not_refractory_pre "
    "not_refractory_post".split()
)
"""What Brian2 itself gives to the code of neurons or synapses."""

_CPP = frozenset(
    "alignas alignof asm auto bool break case catch char class const constexpr continue default delete do double "
    "enum explicit export extern false float friend goto inline long mutable namespace new noexcept nullptr "
    "operator private protected public register short signed sizeof static struct switch template this throw "
    "true typedef typeid typename union unsigned using virtual void volatile xor xor_eq and_eq or_eq not_eq bitand "
    "bitor compl".split()
)
BASE_UNITS = "second hertz metre kilogram volt amp ohm siemens farad coulomb mole mmolar kelvin joule watt".split()

PARAMETERS = frozenset({"bias"})
"""What learning changes in neurons, as it does the weights w of synapses: code of rules that learn after the trial
reads it only."""
GATE = frozenset({"learning", "w_min", "w_max"})
"""What the library adds to synapses whose weights change within a trial, beside `learning` of neurons."""


class Scope:
    """The names around a piece of code.

    fixed: names it may read. variable: those it may also write. functions: those it may call beside Brian2's own.
    """

    def __init__(self, fixed: Iterable[str] = (), variable: Iterable[str] = (), functions: Iterable[str] = ()) -> None:
        self.functions = frozenset(functions)
        self.fixed, self.variable = frozenset(fixed), frozenset(variable)
        self.declared = self.fixed | self.variable

    @classmethod
    def of(cls, *fragments: Fragment) -> Scope:
        """Of the code of one owner."""
        variable = frozenset().union(*(fragment.variables() for fragment in fragments))
        fixed = frozenset().union(*(fragment.names() for fragment in fragments)) - variable
        return cls(fixed, variable, frozenset().union(*(fragment.functions for fragment in fragments)))

    @classmethod
    def of_synapses(cls, own: Fragment, pre: Scope, post: Scope, within: bool = False) -> Scope:
        """Of the code of synapses: what they have themselves, the weight, and both ends.

        within: whether it may change weights and neurons' parameters.
        """
        inner, suffixed = cls.of(own), []
        kept = frozenset() if within else PARAMETERS
        for end, scope in (("pre", pre), ("post", post)):
            of_end = scope.variable - kept, scope.fixed | scope.variable & kept
            suffixed.append([{f"{name}_{end}" for name in names} for names in of_end])
        (pre_variable, pre_fixed), (post_variable, post_fixed) = suffixed
        fixed = inner.fixed | pre_fixed | post_fixed | post.fixed | post.variable & kept
        weights = frozenset({"w"})
        fixed, variable = (fixed | GATE, inner.variable | weights) if within else (fixed | weights, inner.variable)
        return cls(fixed, variable | pre_variable | post_variable | (post.variable - fixed))

    def read(self, parsed: ast.expr, text: str, local: Iterable[str] = ()) -> None:
        """Raise `WrongCode` for an expression that names what is not there, or draws random numbers."""
        drawn = [name for name in code.functions(parsed) if not _stateless(name)]
        drawn += [name for name in code.names(parsed) if name == "xi" or name.startswith("xi_")]
        if drawn:
            raise WrongCode(
                f"{text!r} draws random numbers ({drawn[0]}), which runs of one seed would not draw alike; "
                "PoissonSource(..., rate=...) is a background that they do"
            )
        known = self.functions | DEFAULT_FUNCTIONS.keys()
        for name in sorted(code.functions(parsed) - known):
            raise WrongCode(f"{text!r}: {unknown('function', name, known)}")
        for name in sorted(code.names(parsed) - self.declared - set(local) - EVERYWHERE):
            if name not in DEFAULT_CONSTANTS and name not in DEFAULT_UNITS:
                raise WrongCode(f"{text!r}: {self._unknown(name)}")

    def run(self, block: str) -> None:
        """Raise `WrongCode` for statements that read what is not there, or write what is not to be written."""
        local: dict[str, str] = {}
        used: set[str] = set()
        for statement in code.statements(block):
            self.read(statement.value, statement.text, local)
            used |= code.names(statement.value)
            name = statement.target
            if name in self.variable:
                continue
            if name in self.fixed or name in EVERYWHERE:
                raise WrongCode(f"{statement.text!r} writes {name!r}, which is not to be changed there")
            if statement.operator != "=" and name not in local:
                raise WrongCode(f"{statement.text!r}: {self._unknown(name)}")
            local[name] = statement.text
        for name in local.keys() - used:
            raise WrongCode(f"{local[name]!r}: nothing reads {name!r}; {self._unknown(name)}")

    def _unknown(self, name: str) -> str:
        standard = difflib.get_close_matches(name, [*DEFAULT_CONSTANTS, *EVERYWHERE], n=1, cutoff=0.8)
        return unknown("name", name, {*self.declared, *standard})


def check_fragment(fragment: Fragment, scope: Scope) -> None:
    """Raise `WrongCode` for the first piece of a fragment that makes no sense within a scope."""
    for name in sorted(fragment.names()):
        check_name(name)
    for line in fragment.equations:
        found = code.equation(line)
        dimension(found.unit)
        if found.value is not None:
            scope.read(found.value, found.text)
    for block in fragment.blocks:
        scope.run(block)


def check_injection(injection: Injection, source: Fragment, target: Fragment, within: bool = False) -> None:
    """Raise `WrongCode` for code of a rule that makes no sense between two populations.

    within: whether the rule changes weights within a trial; where it does not, code that does so is refused.
    """
    if not isinstance(injection, Injection):
        raise WrongCode(f"inject() returns {injection!r}; an Injection is needed")
    for own, given in ((source, injection.pre), (target, injection.post)):
        if not within:
            _refuse_learning(given, PARAMETERS)
        scope = Scope.of(own, given)
        check_fragment(given, Scope({*scope.fixed, "learning"}, scope.variable, scope.functions) if within else scope)
    synapse = injection.synapse
    if not within:
        _refuse_learning(synapse, {"w", *PARAMETERS, *(f"{name}_post" for name in PARAMETERS)})
    for name in sorted({"w", *(GATE if within else ())} & synapse.names()):
        raise WrongCode(f"{name!r} is {_MEANINGS[name]}; the rule's own variables need other names")
    ends = Scope.of(source, injection.pre), Scope.of(target, injection.post)
    check_fragment(synapse, Scope.of_synapses(synapse, *ends, within))


_MEANINGS = {
    "w": "the weight of a synapse",
    "learning": "1 while weights may change",
    "w_min": "the lowest weight of a synapse",
    "w_max": "the highest weight of a synapse",
}


def _refuse_learning(fragment: Fragment, parameters: Set[str]) -> None:
    if fragment.learned:
        raise WrongCode(f"{fragment.learned[0]!r} is learned within a trial: {_WITHIN}")
    for block in fragment.blocks:
        for statement in code.statements(block):
            if statement.target in parameters - fragment.names():
                raise WrongCode(f"{statement.text!r} changes {statement.target!r} within a trial: {_WITHIN}")


_WITHIN = (
    "a rule derived from WithinTrial may; one that learns after the trial gathers what is to be learned in a variable "
    "of its own, and returns it as the gradient"
)


def check_name(name: str) -> None:
    """Raise `WrongCode` for a name that nothing can be called by."""
    try:
        Equations.check_identifier(name)
    except (SyntaxError, ValueError) as error:
        raise WrongCode(str(error)) from None
    if name in _CPP:
        raise WrongCode(f"{name!r} is a word of C++, which the code is translated to; another name is needed")
    if name.endswith(("_pre", "_post")):
        raise WrongCode(f"{name!r} ends like the name of a variable at one end of a synapse; another name is needed")


def dimension(unit: str) -> Any:
    """Brian2's dimension of an equation's unit. Raises `WrongCode` for what is none."""
    try:
        return dimensions_and_type_from_string(unit)[0]
    except (ValueError, TypeError, SyntaxError, AttributeError):
        hint = nearest(unit, [*BASE_UNITS, "1", "boolean", "integer"])
        raise WrongCode(f"{unit!r} is no unit of an equation; {hint}, and products and powers of units") from None


def _stateless(name: str) -> bool:
    return name not in DEFAULT_FUNCTIONS or DEFAULT_FUNCTIONS[name].stateless
