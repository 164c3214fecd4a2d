"""Choosing an engine: one object says which, and opens it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from snnplast.description import Description
from snnplast.engine.base import BrianModel, Engine
from snnplast.errors import UserError, short, unknown

ENGINES = ("compiled", "runtime")
TARGETS = ("auto", "numpy", "cython")
PRECISIONS = ("double", "single")


def _one_of(what: str, names: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in names:
            raise UserError(unknown(what, value, names))
        return value

    return AfterValidator(check)


class EngineChoice(Description):
    """What runs a network.

    name: "compiled" (default; needs a C++ compiler, see `compiler_available`) or "runtime".
    target: how the runtime engine makes its code: "numpy", "cython", or "auto" (default) for Cython where it works.
        The compiled engine makes C++ and leaves it at "auto".
    precision: of the compiled engine's variables, weights included: "double" (default, 64 bits) or "single" (32 bits),
        half the memory, and faster where that counts; but some spikes come at other times, and what follows from them
        differs (benchmarks/README.md measures it). Times stay in double precision, and so do gradients that are made
        after a trial.
    Raises `UserError` for an unknown name, target or precision, for a target of the compiled engine, and for single
    precision of the runtime engine.

    >>> EngineChoice(name="runtime", target="numpy").target
    'numpy'
    >>> EngineChoice(precision="single").summary
    'compiled, single precision'
    >>> EngineChoice(name=3)
    Traceback (most recent call last):
    snnplast.description.WrongValue: EngineChoice.name = 3: input should be a valid string
    """

    name: Annotated[str, _one_of("engine", ENGINES), Field(description="'compiled' or 'runtime'")] = "compiled"
    target: Annotated[
        str, _one_of("target", TARGETS), Field(description="'auto', 'numpy' or 'cython': code of the runtime engine")
    ] = "auto"
    precision: Annotated[
        str,
        _one_of("precision", PRECISIONS),
        Field(description="'double' or 'single': of the compiled engine"),
    ] = "double"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.name == "compiled" and self.target != "auto":
            raise UserError(
                f"the compiled engine has no target {self.target!r}; 'auto', or the runtime engine, is allowed"
            )
        if self.name == "runtime" and self.precision != "double":
            raise UserError(
                f"the runtime engine has no {self.precision} precision; 'double', or the compiled engine, is allowed"
            )
        return self

    @property
    def summary(self) -> str:
        """Its name, and its precision where that is single."""
        return self.name if self.precision == "double" else f"{self.name}, {self.precision} precision"

    @classmethod
    def of(cls, given: str | EngineChoice, place: str) -> EngineChoice:
        """The choice that a user has given, perhaps as a mere name. place: how a sentence about it begins."""
        if isinstance(given, str):
            return cls(name=given)
        if not isinstance(given, EngineChoice):
            raise UserError(f"{place} = {short(given)}: the name of an engine, or an EngineChoice, is needed")
        return given


COMPILED = EngineChoice()
NUMPY = EngineChoice(name="runtime", target="numpy")
"""What needs no compiler: Cython would, too."""


def open_engine(construct: Callable[[], BrianModel], choice: EngineChoice = COMPILED) -> Engine:
    """Build the network that `construct` describes and open an engine on it.

    construct: makes the Brian2 objects under whichever device is active. It is called inside a private Brian2 state
    and must make everything itself, the clock included.
    """
    if choice.name == "runtime":
        from snnplast.engine.runtime import RuntimeEngine

        return RuntimeEngine(construct, choice.target)
    from snnplast.engine.compiled import CompiledEngine

    return CompiledEngine(construct, choice.precision)
