"""What `snnplast rules`, `third-factors` and `models` print: documentation from the plugins themselves."""

from __future__ import annotations

import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from textwrap import indent
from typing import Any, Literal, cast, get_args, get_origin

from pydantic.fields import FieldInfo
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from snnplast import registry
from snnplast.config.model_file import load_model
from snnplast.config.schema import choice_in, table_of
from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.learning.rule import Rule
from snnplast.network.fragments import Fragment, Injection
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.report.console import emit
from snnplast.simulation.design import design
from snnplast.task.model import Model
from snnplast.task.objective import CrossEntropy
from snnplast.units import format_quantity, in_unit


def show_all(console: Console, kind: str) -> None:
    """One line per plugin of a kind; one that cannot be loaded says why."""
    names, broken = registry.names(kind), registry.broken(kind)
    width = max(map(len, names), default=0)
    for name in names:
        text = broken[name] if name in broken else _first_line(registry.load(kind, name))
        emit(console, Text.assemble((f"{name:{width}}", "bold"), f"  {text}"), wrap=False)


def show_one(console: Console, kind: str, name: str) -> None:
    """Everything about one plugin: documentation, parameters, the Brian2 code of a rule, reference."""
    plugin = registry.load(kind, name)
    emit(console, Text(f"{name}: {_first_line(plugin)}", style="bold"), wrap=False)
    for text in (_doc(sys.modules[plugin.__module__]), _doc(plugin).partition("\n")[2].strip()):
        _section(console, "", text)
    _section(console, "Parameters", _parameters(plugin))
    if kind == "rule":
        for title, code in _injected(plugin):
            _section(console, title, code)
    if kind == "model":
        _section(console, "Network", _network(plugin))
        _section(console, "Settings it comes with", _defaults(name))
    _section(console, "Reference", getattr(plugin, "reference", ""))


def _section(console: Console, title: str, content: Table | str) -> None:
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
        quantity = in_unit(field)
        unit = quantity.unit if quantity else ""
        row = (name, _default(field), _allowed(field), unit, field.description or "")
        table.add_row(*(Text(part, overflow="fold") for part in row))
    return table if table.row_count else ""


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
    quantity = in_unit(field)
    if quantity:
        return quantity.range_text()
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    found = [(sign, getattr(item, key, None)) for item in field.metadata for key, sign in signs.items()]
    return ", ".join(f"{sign} {bound:g}" for sign, bound in found if bound is not None)


def _literal(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := _literal(part))), ())


def _injected(rule_class: type[Rule]) -> Iterator[tuple[str, str]]:
    """The code a rule injects into a small network, for both faces: title, text."""
    for evaluation, meaning in (("online", "traces in the synapses"), ("factored", "from records, after the trial")):
        title = f"Brian2 code it adds, evaluation = {evaluation!r} ({meaning})"
        try:
            yield title, _code(dict(injections(cast(Any, rule_class)(evaluation=evaluation)))) or "none"
        except UserError as error:
            yield title, str(error)


def injections(rule: Rule) -> Iterator[tuple[str, Injection]]:
    """Projection -> what the rule injects, on the first example network that the rule takes."""
    complaint: UserError | None = None
    for readout in (LeakyReadout(2), RateReadout(2)):
        try:
            designed = design(_example(readout), CrossEntropy(), rule, seed=0)
        except UserError as error:
            complaint = complaint or error
            continue
        yield from designed.injections.items()
        return
    assert complaint is not None
    raise complaint


def _example(readout: LeakyReadout | RateReadout) -> Network:
    """Source -> recurrent hidden layer -> readout."""
    net = Network()
    net.add("input", PoissonSource(4))
    net.add("hidden", LIF(3, refractory="5 ms", bias=0.0, representation=LayerNorm()))
    net.add("output", readout)
    net.connect("input", "hidden", plastic=True)
    net.connect("hidden", "hidden", plastic=True, self_connections=False)
    if isinstance(readout, LeakyReadout):
        net.connect("hidden", "output", plastic=True)
    else:
        net.connect("hidden", "output", plastic=True, kind="analog", variable="z", every="trial")
    return net


def _code(found: Mapping[str, Injection]) -> str:
    """Each piece of code once, with where it goes."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for location, where in (("pre", "source neurons"), ("post", "target neurons"), ("synapse", "synapses")):
        for projection, injection in found.items():
            fragment = getattr(injection, location)
            if fragment != Fragment():
                owners[where, fragment.text()].append(projection.replace("_to_", " -> "))
    parts = [f"{where} of {', '.join(names)}\n{indent(text, '    ')}" for (where, text), names in owners.items()]
    return "\n".join(parts)


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
