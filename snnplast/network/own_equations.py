"""Populations whose equations are the user's own: what they declare, its values, and where it begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from snnplast.brian import DEFAULT_UNITS, Quantity, get_unit
from snnplast.described import reals, shaped
from snnplast.description import WrongValue
from snnplast.errors import UserError, nearest
from snnplast.network import code
from snnplast.network.code_check import Scope, check_fragment, dimension
from snnplast.network.fragments import FLAGS, Fragment, Update, Value
from snnplast.network.initial import value_at_start
from snnplast.network.population import Population, refuse_undeclared
from snnplast.network.unit_of import unit_of
from snnplast.units import parse_quantity

_QUANTITY = re.compile(r"[-+.\deE]+\s*\*?\s*([A-Za-z_]\w*)")
_NOISE = re.compile(r"\b(xi(?:_\w+)?)\b")


class OwnEquations(Population):
    """What such populations have in common.

    equations: Brian2 equations, one per line.
    constants: values of the names that the equations declare as '(constant)' or '(constant, shared)', or of further
        ones: a number or an array (n,), with the unit that is declared.
    updates: code run each step, or with event = "trial" once per trial in the response step.
    persistent: variables that outlive a trial: reset leaves them alone, checkpoints hold them.
    initial: values of variables where a trial begins, all others begin at 0: a number or an array (n,), with the unit
        that is declared, or an expression of constants and of those before it, such as "Vr + 5*mV*randn()", which is
        drawn once for each neuron.
    """

    equations: str
    constants: dict[str, Any] = Field(default_factory=dict)
    updates: tuple[Update, ...] = ()
    persistent: tuple[str, ...] = ()
    initial: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> OwnEquations:
        fragment = self._at("equations", lambda: self.own)
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
            raise WrongValue("", (field,), f": {error}") from None

    @property
    def own(self) -> Fragment:
        """What the equations and constants declare, and the updates."""
        lines = code.equation_lines(self.equations)
        declared = {found.name: found for found in map(code.equation, lines)}
        constants, units = {}, {}
        for name, value in self.constants.items():
            unit = declared[name].unit if name in declared else _unit_of(value)
            if name in declared and not _constant(lines, name):
                raise UserError(f"constants[{name!r}]: the equations declare {name!r} as something that may change")
            constants[name], units[name] = in_unit(f"constants[{name!r}]", value, unit, self.size), unit
        for name in declared:
            if _constant(lines, name) and name not in constants:
                raise UserError(f"{name!r} is declared to be constant; constants={{{name!r}: ...}} gives it a value")
        lines = tuple(line for line in lines if code.equation(line).name not in constants)
        if self.noise:
            lines = (*(_NOISE.sub(r"(noise_\1*dt**-0.5)", line) for line in lines), *(f"{n} : 1" for n in self.noise))
        return Fragment(lines, constants, units, self.updates)

    @property
    def noise(self) -> tuple[str, ...]:
        """Variables that stand for `xi`, `xi_...` in the equations, times the root of a step."""
        lines = code.equation_lines(self.equations)
        return tuple(dict.fromkeys(f"noise_{name}" for line in lines for name in _NOISE.findall(line)))

    @property
    def _scope(self) -> Scope:
        """What code of the population may name; `responding` is 1 in the response, and so on."""
        own = Scope.of(self.own, self.library_code())
        return Scope({*own.fixed, *FLAGS.values()} - own.variable, own.variable)

    def library_code(self) -> Fragment:
        """What the library adds to the population's code, which code of its own may name."""
        return Fragment()

    @property
    def lasting(self) -> tuple[str, ...]:
        return self.persistent

    @property
    def initial_values(self) -> Mapping[str, Value]:
        """Variable -> where it begins, in SI units."""
        return self._begins(None)

    def starts(self, rng: np.random.Generator) -> Mapping[str, Value]:
        return self._begins(rng)

    def _begins(self, rng: np.random.Generator | None) -> Mapping[str, Value]:
        """Variable -> where it begins; without a generator, with the means of what is drawn."""
        variables = {e.name: e.unit for e in map(code.equation, self.own.equations) if not e.subexpression}
        found: dict[str, Value] = {}
        for name, value in self.initial.items():
            place = f"initial[{name!r}]"
            if name not in variables:
                raise UserError(f"{name!r} is no variable of the equations; {nearest(name, variables)}")
            if isinstance(value, str) and is_code(value):
                units = self._units
                if dimension(unit_of(value, units)) is not dimension(variables[name]):
                    raise UserError(f"{place} = {value!r} is in {unit_of(value, units)}, {name!r} in {variables[name]}")
                found[name] = value_at_start(value, self.own, found, self.size, rng)
            else:
                found[name] = in_unit(place, value, variables[name], self.size)
        return found

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


def is_code(text: str) -> bool:
    """Whether a text is an expression, not a quantity such as '20 ms'."""
    try:
        return bool(code.names(code.expression(text)) or code.functions(code.expression(text)))
    except UserError:
        return False


def _constant(lines: tuple[str, ...], name: str) -> bool:
    line = next(line for line in lines if code.equation(line).name == name)
    flags = line.rpartition(":")[2].partition("(")[2].rstrip(") ").split(",")
    return "constant" in [flag.strip() for flag in flags]


def _unit_of(value: Any) -> str:
    """The unit of a constant that no equation declares."""
    if isinstance(value, str) and (found := _QUANTITY.fullmatch(value)) and found[1] in DEFAULT_UNITS:
        value = DEFAULT_UNITS[found[1]]
    return "1" if not isinstance(value, Quantity) or value.dim.is_dimensionless else repr(get_unit(value.dim))


def in_unit(place: str, value: Any, unit: str, size: int) -> Value:
    """A number or an array (size,) in SI units, of the unit that is declared."""
    wanted = dimension(unit)
    if wanted.is_dimensionless:
        if isinstance(value, str) or callable(value):
            raise UserError(f"{place} = {value!r}: a number or an array ({size},) is needed")
        array = reals(place, value)
    elif isinstance(value, Quantity) and value.dim is wanted:
        array = reals(place, np.asarray(value))
    elif isinstance(value, Quantity) or np.ndim(value) == 0:
        array = np.asarray(_at_place(place, lambda: parse_quantity(value, _plain(unit))))
    else:
        array = np.array([_at_place(place, lambda entry=entry: parse_quantity(entry, _plain(unit))) for entry in value])
    array = shaped(place, array, (), (size,))
    return float(array) if array.ndim == 0 else array


def _plain(unit: str) -> str:
    return unit.replace(" ", "")


def _at_place(place: str, convert: Callable[[], float]) -> float:
    try:
        return convert()
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
