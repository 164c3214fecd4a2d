"""Spiking neurons whose equations, threshold and reset are the user's own."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from snnplast.description import WrongValue
from snnplast.errors import UserError
from snnplast.network.code import equation, equation_lines, expression
from snnplast.network.fragments import Fragment, Value, merge
from snnplast.network.initial import value_at_start
from snnplast.network.integration import check_method
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.own_equations import OwnEquations
from snnplast.network.own_values import in_unit, is_code, quantity
from snnplast.network.population import as_times, refuse_undeclared
from snnplast.network.unit_of import unit_of
from snnplast.units import of_any_unit


def _is_quantity(text: str) -> bool:
    """Whether a text is a number with a unit."""
    try:
        of_any_unit(text)
    except UserError:
        return False
    return True


def _refractory(value: Any) -> Any:
    """A time in seconds, or Brian2 code: a text that names something."""
    if isinstance(value, str):
        try:
            return as_times(value)
        except (UserError, ValueError):
            if _is_quantity(value):
                raise
            return value
    return as_times(value)


class CustomNeurons(OwnEquations, SpikingPopulation):
    r"""Your own Brian2 equations, with units if you like. Rules derive their traces from this code.

    equations, constants, updates, persistent, initial: see `OwnEquations`.
    method: how Brian2 integrates the equations, default "exact"; "exponential_euler", "euler", "rk2", "rk4", ... With
        noise, xi or xi_name, whose numbers are those of the trial: "euler" (Euler-Maruyama), or "heun" and "milstein"
        where its strength depends on no state, which are the same there.
    threshold: Brian2 condition of a spike. reset: Brian2 statements at a spike.
    into: the variable that spikes add to unless their projection names another, default "v".
    refractory: a time in whole steps, default 0 ms, or Brian2 code: a time such as "tau_ref", or a condition such as
        "v > -40*mV", asked before the equations of a step are solved; while it holds, the neuron cannot spike.
        Variables flagged (unless refractory) stand still while it is refractory.
    distance: how far the neuron is above its threshold; default, of a threshold "a > b", "a - (b)". It need not be 0
        there: where a spike is cut off far above its onset, centre it at the onset.
    threshold_scale: scale of surrogate derivatives, > 0, in the unit of the distance; default how far below the
        threshold a trial begins.
    through: variables of the reset that the surrogate derivative of a spike acts through; default all but those that
        the distance grows with.
    derivatives: function of your own -> its derivatives by each argument, in `x`, or `x1`, `x2`, ...
    representation, learnable: see `LIF`.

    >>> qif = CustomNeurons(10, equations="dv/dt = (v**2 - v)/(20*ms) : 1", threshold="v > 2", reset="v = 0",
    ...                     method="euler")
    >>> qif.distance, qif.threshold_scale_value
    ('v - (2)', 2.0)
    >>> given = {"E": "-70 mV", "tau": "20*ms*exp(0.3*randn())"}
    >>> leaky = CustomNeurons(10, equations="dv/dt = (E - v)/tau : volt", threshold="v > -50*mV", reset="v = E",
    ...                       constants=given, initial={"v": "E + 5*mV*rand()"})
    >>> leaky.distance_unit, round(leaky.threshold_scale_value, 6)
    ('volt', 0.0175)
    >>> CustomNeurons(10, equations="dv/dt = -v/(20*ms) : volt", threshold="u > 2")
    Traceback (most recent call last):
    snnplast.description.WrongValue: CustomNeurons.threshold: 'u > 2': unknown name 'u': Known: exploring, ...
    """

    in_steps: ClassVar[tuple[str, ...]] = ("refractory",)

    method: str = "exact"
    threshold_code: str = Field(alias="threshold")
    reset: str = ""
    into: str = "v"
    refractory: Annotated[Any, BeforeValidator(_refractory)] = 0.0
    distance_code: str | None = Field(default=None, alias="distance")
    threshold_scale_given: Any = Field(default=None, alias="threshold_scale")
    through_names: tuple[str, ...] | None = Field(default=None, alias="through")
    derivatives_given: dict[str, tuple[str, ...]] = Field(default={}, alias="derivatives")

    @model_validator(mode="after")
    def _spikes_as_it_says(self) -> CustomNeurons:
        if self.representation is not None and "z" in self.own.names():
            raise WrongValue("", ("equations",), ": 'z' is the rate representation here; another name is needed")
        self._at("method", lambda: check_method(self.method, equation_lines(self.equations), bool(self.noise)))
        self._at("into", lambda: refuse_undeclared(self.own, (self.into,)))
        self._at("threshold", lambda: self._scope.read(expression(self.threshold), self.threshold))
        if isinstance(self.refractory, str):
            self._at("refractory", self._check_refractory)
        self._at("distance", lambda: self._scope.read(expression(self.distance), self.distance))
        self._at("reset", lambda: self._scope.run(self.reset))
        if self.through_names is not None:
            self._at("through", lambda: refuse_undeclared(self.own, self.through_names or ()))
        self._at("learnable", lambda: self.learnt)
        self._at("threshold_scale", lambda: self.threshold_scale_value)
        return self

    def _check_refractory(self) -> None:
        """A time, or a condition."""
        text, parsed = self.refractory, expression(self.refractory)
        self._scope.read(parsed, text)
        names = {e.name for e in map(equation, self.own.equations) if e.unit == "boolean"}
        negated = isinstance(parsed, ast.UnaryOp) and isinstance(parsed.op, ast.Not)
        constant = isinstance(parsed, ast.Constant) and isinstance(parsed.value, bool)
        unit = unit_of(text, self._units, self.own.functions)
        if negated or constant or isinstance(parsed, ast.Compare | ast.BoolOp) or text.strip() in names:
            return
        if unit != "second":
            raise UserError(f"{text!r} is {'a number' if unit == '1' else f'in {unit}'}; a time or condition is needed")

    @property
    def offered(self) -> Mapping[str, Value]:
        return self.own.constants

    @property
    def integration(self) -> str:
        return self.method

    @property
    def distance(self) -> str:
        if self.distance_code is not None:
            return self.distance_code
        found = expression(self.threshold)
        sides = (found.left, found.comparators[0]) if isinstance(found, ast.Compare) and len(found.ops) == 1 else None
        if sides is None or not isinstance(found.ops[0], ast.Gt | ast.GtE | ast.Lt | ast.LtE):  # type: ignore[union-attr]
            raise UserError(f"threshold = {self.threshold!r} is not 'a > b': distance='...' is needed")
        high, low = sides if isinstance(found.ops[0], ast.Gt | ast.GtE) else sides[::-1]  # type: ignore[union-attr]
        return f"{ast.unparse(high)} - ({ast.unparse(low)})"

    @property
    def distance_unit(self) -> str:
        return unit_of(self.distance, self._units, self.own.functions)

    @property
    def threshold_scale(self) -> str:
        return "surrogate_scale"

    @property
    def threshold_scale_value(self) -> Value:
        """The scale of surrogate derivatives in SI units."""
        if self.threshold_scale_given is not None:
            scale = self._scale_given(self.threshold_scale_given)
        else:
            scale = -np.asarray(value_at_start(self.distance, self.own, self.initial_values, self.size))
        if not np.all(np.isfinite(scale)) or not np.all(scale > 0):
            raise UserError(
                f"a trial begins {scale.flat[0]:.6g} below the threshold ({self.distance}); "
                "threshold_scale='...', positive and of its unit, is needed, or initial={...} where it begins"
            )
        return float(scale) if scale.ndim == 0 else scale

    def _scale_given(self, given: Any) -> np.ndarray:
        if isinstance(given, str) and (is_code(given) or self.distance_unit == "1"):
            if unit_of(given, self._units) != self.distance_unit:
                raise UserError(f"{given!r} is in {unit_of(given, self._units)}, the distance in {self.distance_unit}")
            return np.asarray(value_at_start(given, self.own, self.initial_values, self.size))
        return np.asarray(in_unit("threshold_scale", given, self.distance_unit, self.size))

    def _settled(self) -> dict[str, Any]:
        return {"threshold_scale_given": quantity(self.threshold_scale_value, self.distance_unit)}

    @property
    def threshold(self) -> str:
        return self.threshold_code

    @property
    def through(self) -> tuple[str, ...] | None:
        return self.through_names

    @property
    def derivatives(self) -> Mapping[str, tuple[str, ...]]:
        return self.derivatives_given

    @property
    def input_variable_name(self) -> str | None:
        return self.into

    @property
    def refractory_code(self) -> str | None:
        if isinstance(self.refractory, str):
            return self.refractory
        return "refractory_time" if np.any(np.asarray(self.refractory) > 0) else None

    def library_code(self) -> Fragment:
        found = Fragment(self._representation())
        if self.refractory_code == "refractory_time":
            found = Fragment(found.equations, {"refractory_time": self.refractory}, {"refractory_time": "second"})
        return found

    def code(self, dt: float) -> Fragment:
        reset = Fragment(on_spike=(self.reset,) if self.reset else ())
        unit = self.distance_unit
        units = {} if unit == "1" else {"surrogate_scale": unit}
        scale = Fragment(constants={"surrogate_scale": self.threshold_scale_value}, units=units)
        return merge(type(self).__name__, [self.own, self.library_code(), scale, reset])
