"""Frozen, validated descriptions: the common base of populations, projections, rules, sources and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, Union, dataclass_transform, get_args, get_origin

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from snnplast.documented import Documented, document
from snnplast.errors import UserError, nearest, short

if TYPE_CHECKING:
    # Type checkers know the fields of a description by name and by type. Those that take more than their type says
    # ("20 ms" for a time, a name or a table for a plugin) are `Any` to them, and checked when the program runs.
    @dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
    class _Validated:
        model_fields: ClassVar[dict[str, FieldInfo]]
        model_fields_set: ClassVar[set[str]]

        def model_copy(self, *, update: dict[str, Any]) -> Self: ...
        def model_dump(self, **settings: Any) -> dict[str, Any]: ...
        def model_dump_json(self, **settings: Any) -> str: ...
else:
    _Validated = BaseModel


class WrongValue(UserError):
    """A wrong value in a description: `path` leads from the description to it, `complaint` says what is wrong."""

    def __init__(self, owner: str, path: tuple[str, ...], complaint: str) -> None:
        super().__init__(".".join([owner, *path]) + complaint)
        self.path, self.complaint = path, complaint


class Description(_Validated, metaclass=Documented):
    """Typed, immutable data. A wrong value raises `UserError` naming the class, field, value and what is allowed.

    >>> class Box(Description):
    ...     width: int = 1
    >>> Box(width=2.5)
    Traceback (most recent call last):
    snnplast.description.WrongValue: Box.width = 2.5: an integer is needed
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True, allow_inf_nan=False
    )

    if not TYPE_CHECKING:  # whose signatures would hide those of the fields

        @classmethod
        def __pydantic_init_subclass__(cls, **settings: Any) -> None:
            super().__pydantic_init_subclass__(**settings)
            document(cls)

        def __init__(self, **values: Any) -> None:
            for name, value in values.items():
                if complaint := _coerced(type(self), name, value):
                    raise WrongValue(type(self).__name__, (name,), f" = {short(value)}: {complaint}")
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise WrongValue(type(self).__name__, *_complaint(error, type(self), values)) from None

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def _coerced(model: type[Any], name: str, value: Any) -> str:
    """What is wrong with a number, text or truth value that would be taken for another of them; "" if nothing is."""
    field = next((found for key, found in model.model_fields.items() if name in (key, found.alias)), None)
    if field is None or any(hasattr(item, "validate") or isinstance(item, BeforeValidator) for item in field.metadata):
        return ""
    kinds, words = _alternatives(field.annotation)
    if object in kinds:
        return ""
    if kinds & {int, float}:
        if isinstance(value, str) and str not in kinds and value not in words:
            return _needed("a number", words)
        if isinstance(value, bool | np.bool_) and bool not in kinds:
            return _needed("a number", words)
        if isinstance(value, float | np.floating) and float not in kinds:
            return _needed("an integer", words)
    elif bool in kinds and isinstance(value, int | float | str) and not isinstance(value, bool):
        return "true or false is needed"
    return ""


def _needed(number: str, words: list[str]) -> str:
    return " or ".join([number, *map(repr, words)]) + " is needed"


def _alternatives(annotation: Any) -> tuple[set[type], list[str]]:
    """The plain types that an annotation allows, `object` for all that has rules of its own, and its words."""
    if get_origin(annotation) is Literal:
        return set(), list(get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        parts = [_alternatives(part) for part in get_args(annotation)]
        return set().union(*(kinds for kinds, _ in parts)), [word for _, words in parts for word in words]
    return {annotation if annotation in (bool, int, float, str, type(None)) else object}, []


def _complaint(error: ValidationError, model: type[Any], given: Any) -> tuple[tuple[str, ...], str]:
    """Where the first wrong value stands, seen from the outermost description, and what is wrong with it."""
    first = error.errors()[0]
    path = _path(first["loc"], given)
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, WrongValue):
        return path + inner.path, inner.complaint
    value, message = first.get("input"), first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        return path, f": unknown key; {nearest(path[-1], known)}"
    if first["type"] == "missing":
        return path, ": a value is required"
    shown = short(value)
    if first["type"] == "value_error" and (not path or repr(value) in message or shown in message):
        return path, f": {message}"
    if first["type"] == "none_required":
        message = "only none is allowed"
    return path, f" = {shown}: {message[0].lower()}{message[1:]}"


def _path(location: Sequence[str | int], given: Any) -> tuple[str, ...]:
    """The keys of a pydantic location; what pydantic adds to tell the members of a union apart is left out."""
    path = []
    for part in location:
        if isinstance(given, Mapping):
            given = given.get(part)
        elif isinstance(given, list | tuple) and isinstance(part, int) and part < len(given):
            given = given[part]
        else:
            break
        path.append(str(part))
    return tuple(path)
