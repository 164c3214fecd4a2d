"""Where an unknown key may have been meant to stand: among all settings of the model and the rule that are chosen."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import get_origin

from pydantic.fields import FieldInfo

from snnplast import registry
from snnplast.config.layers import Leaf, UnknownKey
from snnplast.config.schema import choice_in, default_table, description_in
from snnplast.config.settings import Recording, Training
from snnplast.description import Description
from snnplast.engine import EngineChoice
from snnplast.errors import UserError, nearest
from snnplast.task.model import Model

OTHER_WORDS = {
    "lr": "learning_rate",
    "rate": "learning_rate",
    "batch_size": "batch",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "updates": "iterations",
    "steps": "iterations",
    "threads": "workers",
    "jobs": "workers",
    "hidden_size": "hidden",
    "n_hidden": "hidden",
    "output": "path",
}
"""What others call it, where ours has no such key."""


def with_hint(error: UnknownKey, model: type[Model] | None, rule: str | None) -> UserError:
    """The error, with the full key of what may have been meant where that is another table's.

    model, rule: the chosen ones as far as they are known.
    """
    beside = difflib.get_close_matches(error.key, error.known, n=1, cutoff=0.5)
    found = _elsewhere(error.key, list(known_settings(model, rule)), bool(beside))
    if found is None:
        return error
    return UserError(f"{error.place}: unknown key; did you mean '{found}'? {nearest('', error.known)}")


def _elsewhere(key: str, settings: Sequence[str], close_beside: bool) -> str | None:
    """A setting whose last part is the key, or means the same; or is close to it, unless something beside it is."""
    last: dict[str, str] = {}
    for setting in settings:
        last.setdefault(setting.rpartition(".")[2], setting)
    if key in last:
        return last[key]
    if close_beside:
        return None
    if OTHER_WORDS.get(key.lower()) in last:
        return last[OTHER_WORDS[key.lower()]]
    close = difflib.get_close_matches(key, last, n=1, cutoff=0.75)
    return last[close[0]] if close else None


def known_settings(model: type[Model] | None, rule: str | None) -> Iterator[str]:
    """All settings there are, as they are written after --set."""
    tables: Mapping[str, type[Description] | None] = {
        "train": Training,
        "model": model,
        f"rules.{rule}": _loaded(rule),
        "record": Recording,
        "engine": EngineChoice,
    }
    for path, kind in tables.items():
        yield from _fields(kind, path) if kind is not None else ()


def _loaded(rule: str | None) -> type[Description] | None:
    try:
        return registry.load("rule", rule) if rule else None
    except UserError:
        return None


def _fields(kind: type[Description], path: str) -> Iterator[str]:
    """A table's settings, then those of the tables in it."""
    yield from (f"{path}.{name}" for name in kind.model_fields)
    for name, field in kind.model_fields.items():
        inner = _inner(field)
        if inner is not None:
            yield from _fields(inner, f"{path}.{name}")


def _inner(field: FieldInfo) -> type[Description] | None:
    """The description that stands in a field unless something else is chosen; None for plain values and lists."""
    if get_origin(field.annotation) in (tuple, list, dict):
        return None
    choice, chosen = choice_in(field), default_table(field.default).get("name")
    if choice is None:
        return description_in(field.annotation)
    try:
        return choice.load(chosen.value) if isinstance(chosen, Leaf) else None
    except UserError:
        return None
