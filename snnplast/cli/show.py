"""What `snnplast rules`, `third-factors`, `models` and `neurons` print: documentation from the plugins themselves."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Collection, Mapping
from textwrap import indent
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from snnplast import registry
from snnplast.cli.injected import examples, injected
from snnplast.config.model_file import load_model
from snnplast.config.schema import choice_in, table_of
from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.learning.rule import Rule, hears
from snnplast.network.neurons import LIF, SpikingPopulation
from snnplast.network.population import Each, LayerNorm
from snnplast.report.console import emit
from snnplast.task.model import Model
from snnplast.units import format_quantity, in_unit


def show_all(console: Console, kind: str) -> None:
    """One line per plugin of a kind; one that cannot be loaded says why."""
    names, broken = registry.names(kind), registry.broken(kind)
    found = {name: registry.load(kind, name) for name in names if name not in broken}
    kinds = {name: _kind(plugin) for name, plugin in found.items() if kind == "rule"}
    width, wide = (max(map(len, words), default=0) for words in (names, kinds.values()))
    for name in names:
        text = _first_line(found[name]) if name in found else broken[name]
        told = f"  {kinds.get(name, ''):{wide}}" if kinds else ""
        emit(console, Text.assemble((f"{name:{width}}", "bold"), (told, "italic"), f"  {text}"), wrap=False)


def _kind(rule: type[Rule]) -> str:
    """When a rule changes weights, of what, and whether it hears a third factor."""
    parts = [rule.changes, "readouts" if rule.learns == "readouts" else "", "third factor" if hears(rule) else ""]
    return ", ".join(filter(None, parts))


def show_one(console: Console, kind: str, name: str) -> None:
    """Everything about one plugin: documentation, parameters, the Brian2 code of a rule, reference."""
    plugin = registry.load(kind, name)
    emit(console, Text(f"{name}: {_first_line(plugin)}", style="bold"), wrap=False)
    for text in (_doc(sys.modules[plugin.__module__]), _doc(plugin).partition("\n")[2].strip()):
        section(console, "", text)
    section(console, "Parameters", _parameters(plugin))
    if kind == "rule":
        for title, code in injected(plugin, examples(LIF(3, refractory="5 ms", bias=0.0, representation=LayerNorm()))):
            section(console, title, code)
    if kind == "neuron":
        section(console, "Brian2 code", neuron_code(plugin(1)))
    if kind == "model":
        section(console, "Network", _network(plugin))
        section(console, "Settings it comes with", _defaults(name))
    section(console, "Reference", getattr(plugin, "reference", ""))


def section(console: Console, title: str, content: Table | str) -> None:
    """A heading and what stands under it; nothing where there is nothing to say."""
    if not content:
        return
    emit(console, "")
    if title:
        emit(console, Text(title, style="bold"), wrap=False)
    if isinstance(content, str):
        emit(console, indent(content, "  ") if title else content, wrap=False)
    else:
        emit(console, Padding(content, (0, 0, 0, 2)))


def _table(*columns: str) -> Table:
    table = Table(*columns, box=None, show_header=bool(columns), padding=(0, 2, 0, 0), header_style="italic")
    if not columns:
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
    return table


def _first_line(plugin: Any) -> str:
    return _doc(plugin).partition("\n")[0]


def _doc(documented: Any) -> str:
    """Its own documentation, not one inherited from a base class; examples are for Python's `help`."""
    return re.split(r"^ *>{3} ", inspect.cleandoc(documented.__doc__ or ""), maxsplit=1, flags=re.M)[0].rstrip()


def _parameters(plugin: type[Description]) -> Table | str:
    table = _table("name", "default", "allowed", "unit", "meaning")
    for name, field in plugin.model_fields.items():
        row = (name, _default(field), _allowed(field), _unit(field), field.description or "")
        table.add_row(*(Text(part, overflow="fold") for part in row))
    return table if table.row_count else ""


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


def _network(model_class: type[Model]) -> Table | str:
    try:
        network = model_class().network()
    except UserError as error:
        return str(error)
    table = _table()
    for name, population in network.populations.items():
        table.add_row(name, f"{type(population).__name__}, size {population.size}")
    for name, p in network.projections.items():
        plastic = ", plastic" if p.plastic else ""
        table.add_row(name, f"{p.source} -> {p.target}, {p.kind}{plastic}, weights {type(p.weights).__name__}")
    return table


def _defaults(name: str) -> str:
    _, path = load_model(name)
    return path.read_text(encoding="utf-8").strip() if path else ""
