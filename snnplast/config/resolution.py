"""From a model's name or an experiment file to what an experiment is made of: all settings checked, all parts built.

Three layers, the later wins: the model's default .toml, the user's file, `--set`. Within a layer the more specific
table wins: [rules.NAME.model] over [model], [rules.NAME.train] over [train], a rule's own third_factor table over
[third_factors.NAME]. So what a user writes in [model] beats what the model's defaults say for one rule.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, get_origin

from snnplast import registry
from snnplast.config.hints import with_hint
from snnplast.config.layers import (
    NONE,
    Leaf,
    Node,
    Source,
    Table,
    UnknownKey,
    annotate,
    as_table,
    check_keys,
    combine,
    name_of,
    overlay,
    parse_sets,
    place_of,
    plain,
    rank,
    read_toml,
    toml_of,
)
from snnplast.config.model_file import load_model, users_code
from snnplast.config.schema import choice_in, chosen_class, construct, entries, settings, with_name
from snnplast.config.settings import Recording, Training
from snnplast.config.targets import Target, read_target
from snnplast.engine import EngineChoice
from snnplast.errors import UserError, nearest, short, unknown
from snnplast.files import located
from snnplast.learning.rule import Rule
from snnplast.learning.third_factor import ThirdFactor
from snnplast.named import Named
from snnplast.network.memory import refuse_too_large
from snnplast.reads import Reads
from snnplast.task.model import Model

TABLES = ("rule", "engine", "model", "rules", "third_factors", "train", "record")
LENGTHS = ("iterations", "epochs")
DEFAULTS, FILE, OPTIONS = range(3)
"""Ranks of the layers."""


def resolve(target: str | os.PathLike[str], sets: Sequence[str] = ()) -> dict[str, Any]:
    """Attributes of an experiment, as a name of a model or a file says them, changed by "key=value" texts.

    Raises
    ------
    UserError
        One sentence with the file or option, the table and key, the value, what is allowed and the nearest name.
    """
    target = os.fspath(target)
    given = read_target(target)
    layers = _layers(given, sets)
    name = _name_of_model(layers, target)
    reads = Reads()
    model_class, defaults = _model(name, reads)
    if defaults is not None and not (given.path is not None and given.path.resolve() == defaults.resolve()):
        source = Source(f"{defaults.name}: ", DEFAULTS, defaults.parent)
        layers.insert(0, _layer(read_toml(defaults), source, model=name))
    return _attributes(layers, name, model_class, reads)


def resolve_text(text: str, opening: str, sets: Sequence[str] = ()) -> dict[str, Any]:
    """The same of a config that states every setting, as `Experiment.text` does: no defaults are laid under it.

    opening: how a sentence about one of its keys begins. Raises `UserError` as `resolve` does.
    """
    here = Path.cwd()
    given, options = Source(opening, FILE, here), Source("--set ", OPTIONS, here)
    layers = [_layer(toml_of(text, opening.rstrip(": ")), given), _layer(parse_sets(sets), options)]
    name = _name_of_model(layers, opening.rstrip(": "))
    reads = Reads()
    return _attributes(layers, name, _model(name, reads)[0], reads)


def _attributes(layers: list[Table], name: Leaf, model_class: type[Model], reads: Reads) -> dict[str, Any]:
    resolution = _Resolution(layers, name, model_class, reads)
    try:
        for layer in layers:
            check_keys(layer, TABLES, ())
        return resolution.attributes()
    except UnknownKey as error:
        rule = name_of(resolution.table("rule"))
        raise with_hint(error, model_class, rule if isinstance(rule, str) else None) from None


def _name_of_model(layers: list[Table], target: str) -> Leaf:
    name = (_fold(layers, "model") or {}).get("name")
    if name is None:  # perhaps because the table is called otherwise
        for layer in layers:
            check_keys(layer, TABLES, ())
    if not isinstance(name, Leaf) or not isinstance(name.value, str | Path):
        raise UserError(f"{target}: model: a name or a file is needed; {nearest('', registry.names('model'))}")
    return name


def _layers(target: Target, sets: Sequence[str]) -> list[Table]:
    """The user's layers: what the target says, and the options."""
    given = _layer(target.tables, Source(target.opening, FILE, target.directory))
    return [given, _layer(parse_sets(sets), Source("--set ", OPTIONS, Path.cwd()))]


def _layer(tables: Mapping[str, Any], source: Source, model: Leaf | None = None) -> Table:
    """One layer in the form that can be laid over others: a model's file is its name, a training's length one key.

    model: the model whose defaults this layer holds.
    """
    layer = as_table(annotate(tables, source))
    for key in ("rules", "third_factors"):
        _check_plugins(_section(layer, key), key.removesuffix("s").replace("_", "-"))
    if isinstance(layer.get("model"), dict | Leaf):
        layer["model"] = _with_identity(as_table(layer["model"]), source)
    if model is not None:
        layer["model"] = {**_section(layer, "model"), "name": model}
    for owner in (layer, *_section(layer, "rules").values()):
        if isinstance(owner, dict) and "train" in owner:
            owner["train"] = _with_length(_section(owner, "train"))
    _section(layer, "record")
    return layer


def _section(layer: Table, key: str) -> Table:
    """A table inside a layer, empty where there is none."""
    node = layer.get(key, {})
    if isinstance(node, Leaf):
        raise UserError(f"{node.place} = {short(node.value)}: a table is needed")
    return node


def _check_plugins(tables: Table, kind: str) -> None:
    known = registry.names(kind)
    for name in tables:
        if name not in known:
            place = place_of(tables, (name,), (name,))
            raise UserError(f"{place}: {unknown(kind, name, known)}")
        _section(tables, name)


def _with_identity(table: Table, source: Source) -> Table:
    file = table.get("file")
    if file is None:
        return table
    place = place_of(table, ("file",), ("model", "file"))
    if "name" in table:
        raise UserError(f"{place}: either name or file is needed, not both")
    if not isinstance(file, Leaf) or not isinstance(file.value, str):
        raise UserError(f"{place} = {short(plain(file))}: the path of a Python file is needed")
    try:
        path = located(file.value, source.directory).resolve()
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    return {**{key: node for key, node in table.items() if key != "file"}, "name": replace(file, value=path)}


def _with_length(table: Table) -> Table:
    given = [(key, node) for key in LENGTHS if isinstance(node := table.get(key), Leaf)]
    if len(given) > 1:
        raise UserError(f"{given[0][1].place}: either iterations or epochs is needed, not both")
    changed = {key: node for key, node in table.items() if key not in LENGTHS}
    for key, leaf in given:
        changed["length"] = replace(leaf, value=(key, leaf.value))
    return changed


def _without_length(table: Table) -> Table:
    changed = {key: node for key, node in table.items() if key != "length"}
    length = table.get("length")
    if isinstance(length, Leaf):
        key, value = length.value
        changed[key] = replace(length, value=value)
    return changed


def _fold(layers: Iterable[Table], *path: str) -> Table | None:
    """What all layers together say under some keys; a plain string counts as a table's name."""
    found = []
    for layer in layers:
        node: Node | None = layer
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        if node is not None:
            found.append(node)
    return as_table(reduce(overlay, found)) if found else None


def _model(name: Leaf, reads: Reads) -> tuple[type[Model], Path | None]:
    try:
        return load_model(name.value, reads)
    except UserError as error:
        cause = error.__cause__
        raise UserError(f"{name.place}: {error}" if name.source.opening else str(error)) from cause


@dataclass
class _Resolution:
    """The layers of one experiment on the way to its parts."""

    layers: list[Table]
    name: Leaf
    model_class: type[Model]
    reads: Reads

    def attributes(self) -> dict[str, Any]:
        chosen = self._chosen_rule()
        self._check_unused()
        file = self.name.value if isinstance(self.name.value, Path) else None
        settings_of_model = {k: node for k, node in self._for_rule(chosen, "model").items() if k != "name"}
        with users_code(file), self.reads.noted():
            model = construct(self.model_class, settings_of_model, ("model",))
            network = model.network()
            refuse_too_large(network)
        path, record = self.table("record").get("path"), construct(Recording, self.table("record"), ("record",))
        others = dict.fromkeys(p.rule for p in network.projections.values() if p.rule and p.rule != chosen)
        train = construct(Training, _without_length(self._for_rule(chosen, "train")), ("train",))
        return {
            "model": model,
            "file": file,
            "network": network,
            "rule": self._rule(chosen),
            "others": {name: self._rule(name) for name in others},
            "engine": construct(EngineChoice, self.table("engine"), ("engine",)),
            "train": train,
            "compare": self._compared(train.compare, [chosen, *others]),
            "record": record,
            "reads": self.reads,
            "numbered": not (isinstance(path, Leaf) and path.source.rank > DEFAULTS),
        }

    def _compared(self, name: str | None, learning: Sequence[str]) -> Rule | None:
        """The rule that others are compared with."""
        known = registry.names("rule")
        if name is not None and (name not in known or name in learning):
            place = place_of(self.table("train"), ("compare",), ("train", "compare"))
            why = unknown("rule", name, known) if name not in known else "it is the rule that learns; another is needed"
            raise UserError(f"{place} = {short(name)}: {why}")
        return None if name is None else self._rule(name)

    def table(self, *path: str) -> Table:
        return _fold(self.layers, *path) or {}

    def _chosen_rule(self) -> str:
        table, known = self.table("rule"), registry.names("rule")
        name, place = name_of(table), place_of(table, ("name",), ("rule",))
        if not isinstance(name, str) or len(table) > 1:
            shown = f" = {short(plain(table))}" if table else ""
            raise UserError(f"{place}{shown}: the name of a rule is needed; {nearest('', known)}")
        if name not in known:
            raise UserError(f"{place} = {short(name)}: unknown rule; {nearest(name, known)}")
        return name

    def _rule_table(self, name: str) -> Table:
        """A rule's settings; what is said there about a model that a higher layer has exchanged does not count."""
        tables = []
        for layer in self.layers:
            table = _section(_section(layer, "rules"), name)
            stale = DEFAULTS < rank(table.get("model", {})) < self.name.source.rank
            tables.append({key: node for key, node in table.items() if not (stale and key == "model")})
        return as_table(reduce(overlay, tables))

    def _for_rule(self, rule: str, key: str) -> Table:
        """[model] or [train] with what the rule's own table says about it."""
        return combine(self.table(key), _section(self._rule_table(rule), key))

    def _own_settings(self, rule: str) -> Table:
        return {key: node for key, node in self._rule_table(rule).items() if key not in ("model", "train")}

    def _check_unused(self) -> None:
        """Unknown keys in tables of rules and sources, whether this run uses them or not."""
        for name in self.table("rules"):
            table, path = self._rule_table(name), ("rules", name)
            check_keys(_section(table, "model"), self.model_class.model_fields, (*path, "model"))
            check_keys(_without_length(_section(table, "train")), Training.model_fields, (*path, "train"))
            if (kind := _loaded("rule", name)) is not None:
                settings(kind, self._own_settings(name), path)
        for name in self.table("third_factors"):
            if (kind := _loaded("third-factor", name)) is not None:
                settings(kind, self.table("third_factors", name), ("third_factors", name))

    def _rule(self, name: str) -> Rule:
        known = registry.names("rule")
        if name not in known:
            raise UserError(f"network: the rule of a projection: {unknown('rule', name, known)}")
        kind: type[Rule] = registry.load("rule", name)
        table, path = self._own_settings(name), ("rules", name)
        built: dict[str, Any] = {}
        for key, field in kind.model_fields.items():
            choice = choice_in(field)
            if choice is None or choice.kind != "third-factor":
                continue
            node = table.get(key)
            if isinstance(node, Leaf) and node.value == NONE:
                continue
            table.pop(key, None)
            if node is not None and get_origin(field.annotation) is tuple:
                node = _listed(node, (*path, key))
            if isinstance(node, Leaf) and isinstance(node.value, list):
                given = enumerate(entries(node))
                built[key] = [self._third_factor(choice, as_table(e), (*path, key, str(k))) for k, e in given]
            elif node is not None or isinstance(field.default, str | ThirdFactor):
                chosen = with_name(as_table(node or {}), field.default)
                built[key] = self._third_factor(choice, chosen, (*path, key))
        return construct(kind, table, path, built)

    def _third_factor(self, choice: Named, table: Table, path: tuple[str, ...]) -> Any:
        """A source from its own table and the general one for all sources of its name."""
        kind = chosen_class(choice, table, path)
        own = {key: node for key, node in table.items() if key != "name"}
        return construct(kind, combine(self.table("third_factors", str(name_of(table))), own), path)


def _listed(node: Node, path: tuple[str, ...]) -> Node:
    """The node, if it is a list."""
    if isinstance(node, Leaf) and isinstance(node.value, list):
        return node
    shown, name = plain(node), name_of(node)
    example = f'["{name}"]' if (name and shown == {"name": name}) or isinstance(shown, str) else "[{name = ...}]"
    place = node.place if isinstance(node, Leaf) else place_of(as_table(node), (), path)
    raise UserError(f"{place} = {short(shown)}: a list is needed, such as {example}")


def _loaded(kind: str, name: str) -> Any:
    """The plugin's class; None where it cannot be loaded, which is no concern of a run that does not use it."""
    try:
        return registry.load(kind, name)
    except UserError:
        return None
