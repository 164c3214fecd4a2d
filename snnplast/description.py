"""Frozen, validated descriptions: the common base of populations, projections, rules, sources and settings."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from snnplast.errors import UserError, nearest


class Description(BaseModel):
    """Typed, immutable data. A wrong value raises `UserError` naming the class, the field, the value and what is allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UserError(sentence(error, type(self))) from None

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


def sentence(error: ValidationError, model: type[BaseModel], place: str | None = None) -> str:
    """The first complaint of a pydantic error in one sentence."""
    first = error.errors()[0]
    where = ".".join([place or model.__name__, *(str(part) for part in first["loc"])])
    value, message = first.get("input"), first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        owner: Any = model
        for part in first["loc"][:-1]:
            annotation = owner.model_fields[str(part)].annotation if hasattr(owner, "model_fields") else None
            owner = annotation if isinstance(annotation, type) else None
        known = getattr(owner, "model_fields", {})
        return f"{where}: unknown key; {nearest(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"{where}: a value is required"
    if first["type"] == "value_error" and repr(value) in message:
        return f"{where}: {message}"
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return f"{where} = {shown}: {message[0].lower()}{message[1:]}"
