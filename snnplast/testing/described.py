"""What plugins of every kind say of themselves: a name, a sentence, and every parameter on its own."""

from __future__ import annotations

import inspect
from typing import Any

from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.network.population import Population
from snnplast.testing.bench import promise

MISSPELT = "no_such_parameter"


def check_described(place: str, plugin: type[Description], named: bool = True) -> None:
    """Whether a class can be listed, shown and configured. named: whether it must have a name of its own."""
    name = getattr(plugin, "name", "")
    promise(not named or (isinstance(name, str) and name), f"{place}: it has no name, by which configs choose it")
    promise((plugin.__doc__ or "").strip(), f"{place}: it has no docstring, whose first line its list shows")
    open_ended = plugin.model_config.get("extra") != "forbid" or _takes_anything(plugin)
    said = "it takes keys that it does not declare (**kwargs), so that a misspelt one goes unnoticed"
    promise(not open_ended, f"{place}: {said}; one field per parameter is needed")
    for key, field in plugin.model_fields.items():
        promise(field.description, f"{place}: the parameter {key!r} has no description")


def _takes_anything(plugin: type[Description]) -> bool:
    """Whether it has a constructor of its own that hides its parameters."""
    owner = next(base for base in plugin.__mro__ if "__init__" in base.__dict__)
    if owner in (Description, Population):  # which refuse what is no field
        return False
    kinds = [each.kind for each in inspect.signature(owner.__init__).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds or inspect.Parameter.VAR_POSITIONAL in kinds


def check_refusal(place: str, plugin: type[Description], **settings: Any) -> None:
    """A key that there is not is refused."""
    try:
        plugin(**settings, **{MISSPELT: 1})
    except UserError:
        return
    promise(False, f"{place}: it takes a parameter {MISSPELT!r}, which it does not declare")
