"""What is said of a plugin, section by section: for the command line and for the reference on the site."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from snnplast import registry
from snnplast.cli.injected import examples, injected
from snnplast.config.model_file import load_model
from snnplast.config.schema import choice_in, table_of
from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.learning.rule import Rule, hears
from snnplast.network.neurons import LIF, SpikingPopulation
from snnplast.network.population import Each, LayerNorm
from snnplast.task.model import Model
from snnplast.units import format_quantity, in_unit


class Rows(NamedTuple):
    """A table. head: () for one without."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Section(NamedTuple):
    """A heading, "" for none, and what stands under it: prose, code, or a table."""

    title: str
    content: str | Rows
    code: bool = False


def sections(kind: str, name: str) -> Iterator[Section]:
    """Everything about one plugin: documentation, parameters, the Brian2 code of a rule, reference."""
    plugin = registry.load(kind, name)
    for text in (doc(sys.modules[plugin.__module__]), doc(plugin).partition("\n")[2].strip()):
        yield Section("", text)
    yield Section("Parameters", parameters(plugin))
    if kind == "rule":
        for title, code in injected(plugin, examples(LIF(3, refractory="5 ms", bias=0.0, representation=LayerNorm()))):
            yield Section(title, code, code=True)
    if kind == "neuron":
        yield Section("Brian2 code", neuron_code(plugin(1)), code=True)
    if kind == "model":
        yield Section("Network", _network(plugin))
        yield Section("Settings it comes with", _defaults(name), code=True)
    yield Section("Reference", getattr(plugin, "reference", ""), code=True)


def kind_of(rule: type[Rule]) -> str:
    """When a rule changes weights, of what, and whether it hears a third factor."""
    parts = [rule.changes, "readouts" if rule.learns == "readouts" else "", "third factor" if hears(rule) else ""]
    return ", ".join(filter(None, parts))


def first_line(plugin: Any) -> str:
    return doc(plugin).partition("\n")[0]


def doc(documented: Any) -> str:
    """Its own documentation, not one inherited from a base class; examples are for Python's `help`."""
    return re.split(r"^ *>{3} ", inspect.cleandoc(documented.__doc__ or ""), maxsplit=1, flags=re.M)[0].rstrip()


def parameters(plugin: type[Description]) -> Rows:
    """Its fields."""
    fields = plugin.model_fields.items()
    rows = [(name, _default(field), _allowed(field), _unit(field), field.description or "") for name, field in fields]
    return Rows(("name", "default", "allowed", "unit", "meaning"), rows)


def neuron_code(neuron: SpikingPopulation) -> str:
    """Equations, threshold and reset, and what surrogate derivatives are made of."""
    lines = [neuron.code(1e-3).text(), f"threshold: {neuron.threshold}", f"method: {neuron.integration}"]
    if neuron.refractory_code:
        lines.append(f"refractory: {neuron.refractory_code}")
    around = f"surrogate derivative: of {neuron.distance}, in parts of {neuron.threshold_scale}"
    return "\n".join([*lines, around])


def _unit(field: FieldInfo) -> str:
    """The unit of a quantity, "" for anything else."""
    quantity, each = in_unit(field), Each.of(field)
    return quantity.unit if quantity else each.unit if each else ""


def _default(field: FieldInfo) -> str:
    """A field's default as a config file would say it."""
    default, quantity = field.get_default(call_default_factory=True), in_unit(field)
    if field.is_required():
        return "required"
    if default is None or default == () or default == {}:
        return "none"
    if isinstance(default, Description):
        return _compact(table_of(default), default.model_fields_set)
    if isinstance(default, tuple):
        return ", ".join(_compact(table_of(e)) if isinstance(e, Description) else str(e) for e in default)
    if quantity and not isinstance(default, str):
        return format_quantity(default, quantity.unit)
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def _compact(table: Mapping[str, Any], keys: Collection[str] = ()) -> str:
    """A table in a few words: its name, and of its settings those in `keys`, or all where none is."""
    chosen = {key: value for key, value in table.items() if key != "name" and (not keys or key in keys)}
    shown = [f"{key} = {_compact(value) if isinstance(value, dict) else value}" for key, value in chosen.items()]
    settings, name = ", ".join(shown), table.get("name", "")
    return f"{name} ({settings})" if name and settings else name or settings


def _allowed(field: FieldInfo) -> str:
    choice = choice_in(field)
    if choice is not None:
        return ", ".join(choice.names())
    literal = _literal(field.annotation)
    if literal:
        return ", ".join(map(str, literal))
    quantity, each = in_unit(field), Each.of(field)
    if quantity or each:
        return quantity.range_text() if quantity else each.allowed if each else ""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    found = [(sign, getattr(item, key, None)) for item in field.metadata for key, sign in signs.items()]
    return ", ".join(f"{sign} {bound:g}" for sign, bound in found if bound is not None)


def _literal(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := _literal(part))), ())


def _network(model_class: type[Model]) -> Rows | str:
    try:
        network = model_class().network()
    except UserError as error:
        return str(error)
    rows = [(name, f"{type(p).__name__}, size {p.size}") for name, p in network.populations.items()]
    for name, p in network.projections.items():
        plastic = ", plastic" if p.plastic else ""
        rows.append((name, f"{p.source} -> {p.target}, {p.kind}{plastic}, weights {type(p.weights).__name__}"))
    return Rows((), rows)


def _defaults(name: str) -> str:
    _, path = load_model(name)
    return path.read_text(encoding="utf-8").strip() if path else ""
