"""From a model's name or an experiment file to an experiment: every setting checked, every rule and source built.

Three layers, the later wins: the model's default .toml, the user's file, `--set`. Within a layer the more specific
table wins: [rules.NAME.model] over [model], [rules.NAME.train] over [train], a rule's own third_factor table over
[third_factors.NAME]. So what a user writes in [model] beats what the model's defaults say for one rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from snnplast import registry
from snnplast.description import Description, WrongValue
from snnplast.engine.opening import ENGINES, TARGETS
from snnplast.errors import UserError, nearest
from snnplast.layers import (
    Leaf,
    Node,
    Source,
    Table,
    annotate,
    as_table,
    check_keys,
    combine,
    first_leaf,
    leaf_at,
    name_of,
    overlay,
    parse_sets,
    plain,
    rank,
    read_toml,
)
from snnplast.model import Model
from snnplast.model_file import load_model, users_code
from snnplast.network import Network
from snnplast.optimizer import OPTIMIZERS, Optimizer
from snnplast.rule import Rule
from snnplast.surrogate import SURROGATES, PiecewiseLinear
from snnplast.task import Task
from snnplast.third_factor import ThirdFactor
from snnplast.toml_text import toml_text

TABLES = ("rule", "engine", "model", "rules", "third_factors", "train", "record")
LENGTHS = ("iterations", "epochs")
DEFAULTS, FILE, OPTIONS = 0, 1, 2

Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


class EngineChoice(Description):
    """What runs the network. name: "compiled" or "runtime". target: code of the runtime engine."""

    name: str = "compiled"
    target: str = "auto"

    @field_validator("name", "target")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        known = ENGINES if info.field_name == "name" else TARGETS
        if value not in known:
            raise UserError(f"{value!r} is unknown; {nearest(value, known)}")
        return value


class Training(Description):
    """How long and from which seed. iterations: updates; epochs: passes through the training data; one of the two."""

    iterations: Annotated[int | None, Field(ge=1, description="number of updates")] = None
    epochs: Annotated[int | None, Field(ge=1, description="passes through the training data")] = None
    seed: Annotated[int, Field(ge=0, description="seed of weights, order and noise")] = 1

    @model_validator(mode="after")
    def _has_a_length(self) -> Training:
        if (self.iterations is None) == (self.epochs is None):
            raise UserError("either iterations or epochs is needed")
        return self


class Recording(Description):
    """What is kept. path: the file, "" for none. spikes: populations. variables: 'population.variable', every step.

    trials: whose spikes and variables; default "test" where the task has test trials, else "training".
    every: only those of every k-th epoch (iteration, where the task has no epochs), and of the last one.
    """

    path: str = "run.h5"
    spikes: Names = ()
    variables: Names = ()
    trials: Literal["test", "training", "all"] | None = None
    every: Annotated[int, Field(ge=1)] = 1

    @field_validator("variables")
    @classmethod
    def _dotted(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name.count(".") != 1:
                raise UserError(f"{name!r} names no variable: 'population.variable' is needed, such as 'output.y'")
        return names


@dataclass(frozen=True)
class Experiment:
    """Everything a run needs, built and checked.

    file: the user's model file, None for a registered model. others: rules that projections name, by name.
    """

    model: Model
    file: Path | None
    described: Network
    rule: Rule
    others: Mapping[str, Rule]
    engine: EngineChoice
    train: Training
    record: Recording

    @property
    def title(self) -> str:
        """Name of the model."""
        return self.model.name or (self.file.stem if self.file else type(self.model).__name__)

    def task(self) -> Task:
        """The model's task for the run's seed."""
        with users_code(self.file):
            return self.model.task(self.train.seed)

    def text(self) -> str:
        """All settings as TOML; given back as a file it makes the same run."""
        chosen = {self.rule.name: self.rule, **self.others}
        fields = table_of(self.model)
        identity = {"file": str(self.file)} if self.file else {"name": self.model.name}
        return toml_text(
            {
                "rule": self.rule.name,
                "engine": table_of(self.engine),
                "model": {**identity, **{key: value for key, value in fields.items() if key != "name"}},
                "rules": {name: {k: v for k, v in table_of(r).items() if k != "name"} for name, r in chosen.items()},
                "train": {k: v for k, v in table_of(self.train).items() if v != "none"},
                "record": {k: v for k, v in table_of(self.record).items() if v != "none"},
            }
        )


def table_of(description: Description) -> dict[str, Any]:
    """A description as the table that would make it, its name included; None is written "none"."""
    table: dict[str, Any] = {}
    own_name = getattr(description, "name", "")
    if own_name and "name" not in type(description).model_fields:
        table["name"] = own_name
    for field in type(description).model_fields:
        table[field] = _settings(getattr(description, field), description, field)
    return table


def _settings(value: Any, owner: Description, field: str) -> Any:
    if value is None:
        return "none"
    if isinstance(value, Description):
        return table_of(value)
    if isinstance(value, Mapping):
        return {key: _settings(entry, owner, field) for key, entry in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(entry, Description) for entry in value):
        return [_settings(entry, owner, field) for entry in value]
    return owner.model_dump(mode="json", include={field})[field]


def resolve(target: str | Path, sets: Sequence[str] = ()) -> Experiment:
    """The experiment that a model's name, an experiment file or a model file describes, changed by "key=value" texts.

    Raises
    ------
    UserError
        One sentence with the file or option, the table and key, the value, what is allowed and the nearest name.
    """
    layers = _layers(target, sets)
    name = as_table(_fold(layers, "model") or {}).get("name")
    if not isinstance(name, Leaf) or not isinstance(name.value, str | Path):
        raise UserError(f"{target}: model: a name or a file is needed; {nearest('', registry.names('model'))}")
    model_class, defaults = _model(name)
    if defaults is not None and not (Path(target).exists() and Path(target).resolve() == defaults.resolve()):
        layers.insert(0, _layer(read_toml(defaults), Source(f"{defaults.name}: ", DEFAULTS, defaults.parent), name))
    return _Resolution(layers, name, model_class).experiment()


def _layers(target: str | Path, sets: Sequence[str]) -> list[Table]:
    here = Path.cwd()
    path = Path(target)
    if isinstance(target, str) and target in registry.names("model"):
        given, source = {"model": {"name": target}}, Source("", FILE, here)
    elif path.suffix == ".py":
        given, source = {"model": {"file": str(path)}}, Source("", FILE, here)
    elif path.is_file() or path.suffix == ".toml":
        given, source = read_toml(path), Source(f"{target}: ", FILE, path.resolve().parent)
    else:
        known = [*registry.names("model"), *(found.name for found in here.glob("*.toml"))]
        raise UserError(f"{target!s}: neither a model nor an experiment file; {nearest(str(target), known)}")
    return [_layer(given, source), _layer(parse_sets(sets), Source("--set ", OPTIONS, here))]


def _layer(tables: Mapping[str, Any], source: Source, model: Leaf | None = None) -> Table:
    """One layer, in the form that can be laid over others: a model's file is its name, a training's length is one key."""
    layer = as_table(annotate(tables, source))
    check_keys(layer, TABLES, ())
    for key in ("rules", "third_factors"):
        for name, node in _section(layer, key).items():
            _check_plugin("rule" if key == "rules" else "third-factor", name, node)
    if model is not None:
        layer["model"] = {**_section(layer, "model"), "name": model}
    elif "model" in layer:
        layer["model"] = _with_identity(as_table(layer["model"]), source)
    for owner in (layer, *(node for node in _section(layer, "rules").values() if isinstance(node, dict))):
        if "train" in owner:
            owner["train"] = _with_length(_section(owner, "train"))
    return layer


def _section(layer: Table, key: str) -> Table:
    node = layer.get(key, {})
    if isinstance(node, Leaf):
        raise UserError(f"{node.place} = {node.value!r}: a table is needed")
    return node


def _check_plugin(kind: str, name: str, node: Node) -> None:
    leaf = first_leaf(node)
    if name not in registry.names(kind) and leaf is not None:
        place = leaf.source.at(leaf.path[:2])
        raise UserError(f"{place}: unknown {kind} {name!r}; {nearest(name, registry.names(kind))}")
    if isinstance(node, Leaf):
        raise UserError(f"{node.place} = {node.value!r}: a table is needed")


def _with_identity(table: Table, source: Source) -> Table:
    file = table.get("file")
    if not isinstance(file, Leaf):
        return table
    if "name" in table:
        raise UserError(f"{file.place}: either name or file is needed, not both")
    if not isinstance(file.value, str):
        raise UserError(f"{file.place} = {file.value!r}: the path of a Python file is needed")
    path = Path(source.directory, Path(file.value).expanduser()).resolve()
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
    if isinstance(length := table.get("length"), Leaf):
        key, value = length.value
        changed[key] = replace(length, value=value)
    return changed


def _fold(layers: Iterable[Table], *path: str) -> Node | None:
    """What all layers together say under a key."""
    found = []
    for layer in layers:
        node: Node | None = layer
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        if node is not None:
            found.append(node)
    return reduce(overlay, found) if found else None


def _model(name: Leaf) -> tuple[type[Model], Path | None]:
    try:
        return load_model(name.value)
    except UserError as error:
        raise UserError(f"{name.place}: {error}" if name.source.opening else str(error)) from error.__cause__


@dataclass
class _Resolution:
    """The layers of one experiment on the way to its parts."""

    layers: list[Table]
    name: Leaf
    model_class: type[Model]

    def experiment(self) -> Experiment:
        rule = self._chosen_rule()
        self._check_all_rules()
        model = construct(self.model_class, self._model_table(rule), ("model",))
        file = self.name.value if isinstance(self.name.value, Path) else None
        with users_code(file):
            network = model.network()
        named = [p.rule for p in network.projections.values() if p.rule]
        for other in dict.fromkeys(named):
            if other not in registry.names("rule"):
                raise UserError(f"network: unknown rule {other!r}; {nearest(other, registry.names('rule'))}")
        train = self._for_rule(rule, "train")
        check_keys(train, ("length", "seed"), ("train",))
        return Experiment(
            model=model,
            file=file,
            described=network,
            rule=self._rule(rule),
            others={other: self._rule(other) for other in dict.fromkeys(named) if other != rule},
            engine=construct(EngineChoice, self._table("engine"), ("engine",)),
            train=construct(Training, _without_length(train), ("train",)),
            record=construct(Recording, self._table("record"), ("record",)),
        )

    def _table(self, *path: str) -> Table:
        return as_table(_fold(self.layers, *path) or {})

    def _chosen_rule(self) -> str:
        leaf = _fold(self.layers, "rule")
        known = registry.names("rule")
        if leaf is None:
            raise UserError(f"rule: a value is required; {nearest('', known)}")
        place = leaf.place if isinstance(leaf, Leaf) else "rule"
        value = plain(leaf)
        if not isinstance(value, str):
            raise UserError(f"{place} = {value!r}: the name of a rule is needed; {nearest('', known)}")
        if value not in known:
            raise UserError(f"{place} = {value!r}: unknown rule; {nearest(value, known)}")
        return value

    def _rule_table(self, name: str) -> Table:
        """A rule's settings; those for a model that a higher layer has exchanged do not count."""
        tables = []
        for layer in self.layers:
            table = _fold([layer], "rules", name)
            if isinstance(table, dict):
                stale = DEFAULTS < rank(table.get("model", {})) < self.name.source.rank
                tables.append({key: node for key, node in table.items() if not (stale and key == "model")})
        return as_table(reduce(overlay, tables, {}))

    def _for_rule(self, rule: str, key: Literal["model", "train"]) -> Table:
        """[model] or [train] with what the rule's own table says about it."""
        general, specific = self._table(key), self._rule_table(rule).get(key, {})
        if isinstance(specific, Leaf):
            raise UserError(f"{specific.place} = {specific.value!r}: a table is needed")
        return combine(general, specific)

    def _model_table(self, rule: str) -> Table:
        table = self._for_rule(rule, "model")
        return {key: node for key, node in table.items() if key != "name"}

    def _check_all_rules(self) -> None:
        """Unknown keys anywhere, also in the tables of rules and sources that this run does not use."""
        for name in self._table("rules"):
            table, path = self._rule_table(name), ("rules", name)
            check_keys(_subtable(table, "model"), self.model_class.model_fields, (*path, "model"))
            check_keys(_subtable(table, "train"), ("length", *LENGTHS, "seed"), (*path, "train"))
            own = {key: node for key, node in table.items() if key not in ("model", "train")}
            _check_fields(own, _loaded("rule", name), path)
        for name in self._table("third_factors"):
            _check_fields(self._table("third_factors", name), _loaded("third-factor", name), ("third_factors", name))

    def _rule(self, name: str) -> Rule:
        rule_class: type[Rule] = registry.load("rule", name)
        path = ("rules", name)
        table = {k: node for k, node in self._rule_table(name).items() if k not in ("model", "train")}
        for key, field in rule_class.model_fields.items():
            node = table.get(key)
            if node is not None and isinstance(node, dict) and "name" not in node:
                table[key] = overlay(_default_table(field.default), node)
        built: dict[str, Any] = {}
        for key, field in rule_class.model_fields.items():
            if _plugin_kind(field.annotation) != "third-factor":
                continue
            node = table.get(key)
            if isinstance(node, Leaf) and isinstance(node.value, list):
                entries = [annotate(entry, node.source, (*node.path, str(k))) for k, entry in enumerate(node.value)]
                built[key] = [self._third_factor(e, (*path, key, str(k))) for k, e in enumerate(entries)]
            else:
                default = field.default if isinstance(field.default, str) else None
                if node is not None or default:
                    unset = Leaf(default, Source("", DEFAULTS - 1, Path()), (*path, key))
                    built[key] = self._third_factor(unset if node is None else node, (*path, key))
        return construct(rule_class, table, path, built)

    def _third_factor(self, node: Node, path: tuple[str, ...]) -> ThirdFactor:
        """A source from its own table and the general one for all sources of its name."""
        table, known = as_table(node), registry.names("third-factor")
        name, leaf = name_of(table), first_leaf(table)
        place = leaf.source.at(leaf.path) if leaf else ".".join(path)
        if name not in known:
            missing = name is None
            shown = "a name is needed" if missing else f"unknown third factor {name!r}"
            raise UserError(f"{place}: {shown}; {nearest(str(name or ''), known)}")
        general = self._table("third_factors", name)
        merged = combine(general, {key: entry for key, entry in table.items() if key != "name"})
        return construct(registry.load("third-factor", name), merged, path)


def construct(kind: type[Any], table: Table, path: tuple[str, ...], built: Mapping[str, Any] | None = None) -> Any:
    """An object of `kind` from its settings; an error names the place of the wrong one. built: fields made already."""
    values = {str(key): _or_none(kind, key, plain(node)) for key, node in table.items()}
    try:
        return kind(**{**values, **(built or {})})
    except WrongValue as error:
        leaf, rest = leaf_at(table, error.path)
        known_there = len(error.path) > 0 and error.path[0] in table
        place = leaf.source.at((*leaf.path, *rest)) if leaf and known_there else ".".join((*path, *error.path))
        raise UserError(f"{place}{error.complaint}") from None
    except UserError as error:
        raise UserError(f"{'.'.join(path)}: {error}") from None


def _or_none(kind: type[Any], key: str, value: Any) -> Any:
    """None for "none" where a field may be left out altogether: TOML has no value for it."""
    field = kind.model_fields.get(key)
    return None if value == "none" and field is not None and type(None) in get_args(field.annotation) else value


def _subtable(table: Table, key: str) -> Table:
    node = table.get(key, {})
    return node if isinstance(node, dict) else {}


def _loaded(kind: str, name: str) -> type[Description] | None:
    """The plugin's class; None where it cannot be loaded, which is no concern of a run that does not use it."""
    try:
        return registry.load(kind, name)
    except UserError:
        return None


def _plugin_kind(annotation: Any) -> str | None:
    """Which kind of plugin a field takes, alone or in a collection."""
    inner = _description_in(annotation)
    if inner is None:
        return None
    kinds = {ThirdFactor: "third-factor", Rule: "rule", Model: "model"}
    return next((kind for base, kind in kinds.items() if issubclass(inner, base)), None)


def _description_in(annotation: Any) -> type[Description] | None:
    if isinstance(annotation, type) and issubclass(annotation, Description):
        return annotation
    return next((found for part in get_args(annotation) if (found := _description_in(part))), None)


def _check_fields(table: Table, kind: type[Description] | None, path: tuple[str, ...]) -> None:
    """Unknown keys of a description's table and of the tables inside it."""
    if kind is None:
        return
    check_keys(table, [*kind.model_fields, *(["name"] if _named(kind) else [])], path)
    for key, field in kind.model_fields.items():
        inner, node = _description_in(field.annotation), table.get(key)
        if inner is None or node is None:
            continue
        if isinstance(node, Leaf):
            entries = node.value if isinstance(node.value, list) else []
            tables = {str(k): annotate(e, node.source, (*node.path, str(k))) for k, e in enumerate(entries)}
        else:
            tables = node if _is_mapping(field.annotation) else {"": node}
        for part, entry in tables.items():
            if isinstance(entry, dict):
                where = (*path, key, part) if part else (*path, key)
                _check_fields(entry, _meant(inner, entry, field.default), where)


def _named(kind: type[Description]) -> bool:
    return isinstance(getattr(kind, "name", None), str) and not issubclass(kind, Rule)


def _is_mapping(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def _meant(base: type[Description], table: Table, default: Any) -> type[Description] | None:
    """The class that a table with a name stands for."""
    kind = _plugin_kind(base)
    known: Mapping[str, type[Description]] = {}
    if issubclass(base, Optimizer):
        known = OPTIMIZERS
    elif issubclass(base, PiecewiseLinear):
        known = SURROGATES
    elif kind is None:
        return base
    name = name_of(table) or name_of(_default_table(default))
    if name is None:
        return None
    leaf = first_leaf(table)
    names = registry.names(kind) if kind else list(known)
    if name not in names:
        place = leaf.place if leaf else ""
        raise UserError(f"{place}: unknown {(kind or base.__name__.lower()).replace('-', ' ')} {name!r}; {nearest(name, names)}")
    return _loaded(kind, name) if kind else known[name]


def _default_table(default: Any) -> Table:
    """The table of a field's default, under all layers."""
    table: dict[str, Any] = {}
    if isinstance(default, str):
        table = {"name": default}
    elif isinstance(default, Description) and isinstance(getattr(default, "name", None), str):
        settings = table_of(default)
        table = {key: settings[key] for key in settings if key == "name" or key in default.model_fields_set}
    return as_table(annotate(table, Source("", DEFAULTS - 1, Path())))
