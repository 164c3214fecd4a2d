"""Populations whose equations are the user's own: what they declare, its values, and where it begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

from pydantic import Field, model_validator

from snnplast.brian import Function
from snnplast.description import WrongValue
from snnplast.errors import UserError, nearest
from snnplast.network import code
from snnplast.network.code_check import Scope, check_fragment
from snnplast.network.fragments import FLAGS, LEARNING, Fragment, Update, Value, function_text
from snnplast.network.own_values import Draw, check_function, draws, quantity, worked_out
from snnplast.network.population import Population, refuse_undeclared
from snnplast.random_streams import stream

_NOISE = re.compile(r"\b(xi(?:_\w+)?)\b")


class OwnEquations(Population):
    """What such populations have in common.

    equations: Brian2 equations, one per line.
    constants: values of the names that the equations declare as '(constant)' or '(constant, shared)', or of further
        ones: a number or an array (n,), with the unit that is declared; or an expression of those before it, units,
        i, N and draws for each neuron, such as "20*ms*exp(0.3*randn())"; or a function that the code calls: a Brian2
        `TimedArray`, as stimulus(t) or stimulus(t, i), or `Function`.
    updates: code run each step, or with event = "trial" once per trial in the response step.
    persistent: variables that outlive a trial: reset leaves them alone, checkpoints hold them.
    learned: those that do and are learned, such as thresholds that adapt for good, declared as 'name : 1': statements
        change them while a training trial runs, and not in tests; kept and loaded with the weights.
    initial: values of variables where a trial begins, all others begin at 0: a number or an array (n,), with the unit
        that is declared, or an expression of constants and of those before it, such as "Vr + 5*mV*randn()".

    rand() in [0, 1] and randn() are drawn once per run for each neuron, as a function of the experiment's seed, the
    population and the name of what is drawn; whatever is checked before, is with their means, 0.5 and 0.
    """

    equations: str
    constants: dict[str, Any] = Field(default_factory=dict)
    updates: tuple[Update, ...] = ()
    persistent: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()
    initial: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> OwnEquations:
        self._at("equations", lambda: self._own(None))
        fragment = self._at("learned", lambda: self.own)
        self._at("equations", lambda: check_fragment(Fragment(fragment.equations), self._scope))
        for update in self.updates:
            self._at("updates", lambda update=update: self._scope.run(update.code))
        self._at("persistent", lambda: refuse_undeclared(fragment, self.persistent))
        self._at("initial", lambda: self.initial_values)
        return self

    def _at(self, field: str, check: Callable[[], Any]) -> Any:
        """What a check returns; what it finds wrong is said to be in a field."""
        try:
            return check()
        except WrongValue:
            raise
        except UserError as error:
            place = "constants" if str(error).startswith("constants[") else field
            raise WrongValue("", (place,), f": {error}") from None

    @property
    def own(self) -> Fragment:
        """What the equations and constants declare, and the updates; without draws, with the means of what is drawn."""
        return replace(self._own(None), learned=self.learned)

    def _own(self, draw: Draw | None) -> Fragment:
        lines = code.equation_lines(self.equations)
        declared = {found.name: found for found in map(code.equation, lines)}
        constants, units = {}, {}
        functions = {name: value for name, value in self.constants.items() if isinstance(value, Function)}
        for name, function in functions.items():
            check_function(f"constants[{name!r}]", name, function, declared, self._texts(), self.size)
        for name, value in self.constants.items():
            if name in functions:
                continue
            unit = declared[name].unit if name in declared else None
            if name in declared and not _constant(lines, name):
                raise UserError(f"constants[{name!r}]: the equations declare {name!r} as something that may change")
            known = {other: (constants[other], units[other]) for other in constants}
            rng = draw(name) if draw else None
            found = worked_out(f"constants[{name!r}]", value, unit, self.size, known, rng)
            constants[name], units[name] = found
        for name in declared:
            if _constant(lines, name) and name not in constants:
                raise UserError(f"{name!r} is declared to be constant; constants={{{name!r}: ...}} gives it a value")
        lines = tuple(line for line in lines if code.equation(line).name not in constants)
        for name in self.noise:
            if name in declared:
                raise UserError(f"{name!r} is what the noise is called here; another name is needed")
        if self.noise:
            lines = (*(_NOISE.sub(r"(noise_\1*dt**-0.5)", line) for line in lines), *(f"{n} : 1" for n in self.noise))
        return Fragment(lines, constants, units, self.updates, functions=functions)

    def _texts(self) -> list[str]:
        """All code of its own."""
        return [self.equations, *(update.code for update in self.updates)]

    @property
    def noise(self) -> tuple[str, ...]:
        """Variables that stand for `xi`, `xi_...` in the equations, times the root of a step."""
        lines = code.equation_lines(self.equations)
        return tuple(dict.fromkeys(f"noise_{name}" for line in lines for name in _NOISE.findall(line)))

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():  # type: ignore[misc]  (pydantic's)
            if name == "constants":
                value = {key: _Text(function_text(v)) if isinstance(v, Function) else v for key, v in value.items()}
            yield name, value

    @property
    def _scope(self) -> Scope:
        """What code of the population may name; `responding` is 1 in the response, and so on."""
        own = Scope.of(self.own, self.library_code())
        return Scope({*own.fixed, *FLAGS.values(), LEARNING} - own.variable, own.variable, own.functions)

    def library_code(self) -> Fragment:
        """What the library adds to the population's code, which code of its own may name."""
        return Fragment()

    @property
    def lasting(self) -> tuple[str, ...]:
        return self.persistent

    @property
    def initial_values(self) -> Mapping[str, Value]:
        """Variable -> where it begins, in SI units; without draws, with the means of what is drawn."""
        return self._begins(None)

    def _begins(self, draw: Draw | None) -> Mapping[str, Value]:
        own = self.own
        variables = {e.name: e.unit for e in map(code.equation, own.equations) if not e.subexpression}
        known = {name: (value, own.units[name]) for name, value in own.constants.items()}
        found: dict[str, Value] = {}
        for name, value in self.initial.items():
            if name not in variables:
                raise UserError(f"{name!r} is no variable of the equations; {nearest(name, variables)}")
            rng = draw(name) if draw else None
            known[name] = worked_out(f"initial[{name!r}]", value, variables[name], self.size, known, rng)
            found[name] = known[name][0]
        return found

    def drawn(self, seed: int, name: str) -> Self:
        """The same, as a seed draws it for a population of that name: each value is a function of both and its own."""
        if not any(map(draws, [*self.constants.values(), *self.initial.values()])):
            return self
        own = self._own(lambda constant: stream(seed, "constants", name, constant))
        constants = {c: quantity(value, own.units[c]) for c, value in own.constants.items()}
        settled = self.model_copy(update={"constants": {**self.constants, **constants}, **self._settled()})
        begins = settled._begins(lambda variable: stream(seed, "initial", name, variable))
        initial = {variable: quantity(value, settled._units[variable]) for variable, value in begins.items()}
        return settled.model_copy(update={"initial": initial})

    def _settled(self) -> dict[str, Any]:
        """Fields whose defaults are those of the means, whatever is drawn."""
        return {}

    @property
    def _units(self) -> dict[str, str]:
        own = self.own
        declared = {e.name: e.unit for e in map(code.equation, own.equations)}
        return {**dict.fromkeys(own.constants, "1"), **own.units, **declared}


class Analog(OwnEquations):
    r"""Non-spiking units with your own equations, e.g. a rate reservoir or a feedback population.

    equations: may hold differential equations (integrated exactly or by Euler).
    into: the variable that projections add to unless they name another, default "drive".
    All else: see `OwnEquations`.

    >>> rates = "dr/dt = (tanh(drive) - r)/tau : 1\ndrive : 1\ntau : second (constant)"
    >>> Analog(5, equations=rates, constants={"tau": "50 ms"}).own.constants
    {'tau': 0.05}
    >>> Analog(5, equations=rates, constants={"tau": "50 ms"}, into="current")
    Traceback (most recent call last):
    snnplast.description.WrongValue: Analog.into: 'current' is not declared by the equations: drive, r, tau are
    """

    into: str = "drive"

    @model_validator(mode="after")
    def _takes_input(self) -> Analog:
        self._at("into", lambda: refuse_undeclared(self.own, (self.into,)))
        return self

    @property
    def input_variable_name(self) -> str | None:
        return self.into

    def fragment(self, dt: float) -> Fragment:
        return self.own


class _Text(str):
    """A text that shows itself without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _constant(lines: tuple[str, ...], name: str) -> bool:
    line = next(line for line in lines if code.equation(line).name == name)
    flags = line.rpartition(":")[2].partition("(")[2].rstrip(") ").split(",")
    return "constant" in [flag.strip() for flag in flags]
