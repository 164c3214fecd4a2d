"""Every key of the configuration, from the descriptions that settings are checked against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from generate.markdown import code, of_docstring, plain, table

from snnplast import registry
from snnplast.cli.sections import doc, first_line, parameters
from snnplast.config.resolution import TABLES
from snnplast.config.schema import choice_in, description_in
from snnplast.config.settings import Recording, Training
from snnplast.description import Description
from snnplast.engine import EngineChoice

LEAD = """Every section and key that a config may have, with defaults and what is allowed, as `snnplast` itself checks
them. How files, defaults and `--set` come together is told in [Configuration](../configuration.md). In a cell, *none*
stands for a setting that is left out; where a config must say so, it writes `"none"`."""

SAID = {
    "rule": "Name of the rule that learns every plastic projection that names no other.",
    "engine": "What runs the network: a name, or a table.",
    "model": "Network and task: `name`, a model that is there, or `file`, a Python file of yours; and its settings.",
    "rules": "`[rules.NAME]`: settings of a rule; `[rules.NAME.model]` and `[rules.NAME.train]` hold where it learns.",
    "third_factors": "`[third_factors.NAME]`: settings of a third factor, whichever rule it serves.",
    "train": "How long, from which seed, on how many threads.",
    "record": "What is kept, and in which file.",
}
PARTS = "Tables inside those of rules, third factors and populations, chosen by `name` where there are several."
PLUGINS = {"model": "model", "rules": "rule", "third_factors": "third-factor"}
PLAIN = {"engine": EngineChoice, "train": Training, "record": Recording}


def pages() -> Iterator[tuple[str, str]]:
    """(name, Markdown) of the one page."""
    sections = [(key, f"[`{key}`](#settings-{key})", SAID[key]) for key in TABLES]
    parts = ["# Every setting", LEAD, table(("section", "what it is"), [row[1:] for row in sections])]
    for key in TABLES:
        parts += [f"(settings-{key})=\n## {key}", SAID[key], *_content(key)]
    parts += ["(settings-parts)=\n## Tables in tables", PARTS]
    for title, kinds in _parts().items():
        parts += [f"### {title}", *(_folded(name, kind) for name, kind in kinds.items())]
    yield "settings", "\n\n".join(parts) + "\n"


def _content(key: str) -> Iterator[str]:
    if key == "rule":
        yield code('rule = "e-prop"', "toml")
        yield "One of " + ", ".join(f"[`{name}`](#rule-{name})" for name in registry.BUILT_IN["rule"]) + "."
    elif key in PLAIN:
        yield _table(PLAIN[key])
        yield of_docstring(doc(PLAIN[key]).partition("\n")[2])
    else:
        kind = PLUGINS[key]
        for name in registry.BUILT_IN[kind]:
            yield _folded(name, registry.load(kind, name), f"See [{name}](#{kind}-{name}).")


def _folded(name: str, kind: type[Description], more: str = "") -> str:
    said = "\n\n".join(filter(None, [plain(first_line(kind)), more, _table(kind)]))
    return f":::{{dropdown}} {name}\n{said}\n:::"


def _table(kind: type[Description]) -> str:
    head, rows = parameters(kind)
    return table(head, [(f"`{name}`", *map(plain, cells)) for name, *cells in rows]) if rows else "It has no settings."


def _parts() -> Mapping[str, Mapping[str, type[Description]]]:
    """What may stand in fields of rules and third factors, and again in theirs: what it is called -> name -> class."""
    found: dict[str, dict[str, type[Description]]] = {}
    names = [(kind, name) for kind in ("rule", "third-factor", "model") for name in registry.BUILT_IN[kind]]
    _collect([registry.load(*name) for name in names], found)
    return dict(sorted(found.items()))


def _collect(kinds: Iterable[type[Description]], found: dict[str, dict[str, type[Description]]]) -> None:
    for field in (field for kind in kinds for field in kind.model_fields.values()):
        choice, inner = choice_in(field), description_in(field.annotation)
        if choice is not None and choice.kind in registry.GROUPS:
            continue
        title = choice.kind if choice is not None else inner.__name__.lower() if inner is not None else ""
        if title and title not in found:
            there = {name: choice.load(name) for name in choice.names()} if choice else {inner.__name__: inner}
            found[title] = there
            _collect(there.values(), found)
