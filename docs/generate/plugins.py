"""One page per kind of plugin: everything `snnplast rules show NAME` says, of all that are built in."""

from __future__ import annotations

from collections.abc import Iterator

from generate.markdown import code, of_docstring, plain, table

import snnplast
from snnplast import registry
from snnplast.cli.sections import Rows, Section, first_line, kind_of, sections

TITLES = {"rule": "Rules", "third-factor": "Third factors", "model": "Models", "neuron": "Neurons"}
LEADS = {
    "rule": "How a network learns: `rule = NAME` in a config, its settings in `[rules.NAME]`.",
    "third-factor": "Where the signal comes from that a rule multiplies its traces with: `third_factor` of a rule.",
    "model": "Experiments that are there: `snnplast run NAME`, with the settings shown.",
    "neuron": "Neurons by name, beside `CustomNeurons` with equations of your own.",
}


def pages() -> Iterator[tuple[str, str]]:
    """(name, Markdown) of each kind."""
    for kind, title in TITLES.items():
        names = list(registry.BUILT_IN[kind])
        plugins = {name: registry.load(kind, name) for name in names}
        head = ("name", "what it is", "when it learns") if kind == "rule" else ("name", "what it is")
        said = {n: [plain(first_line(p)), *([kind_of(p)] if kind == "rule" else [])] for n, p in plugins.items()}
        parts = [f"# {title}", LEADS[kind], table(head, [(f"[{n}](#{kind}-{n})", *cells) for n, cells in said.items()])]
        for name, plugin in plugins.items():
            shown = f"{{py:class}}`snnplast.{plugin.__name__}`" if hasattr(snnplast, plugin.__name__) else ""
            parts += filter(None, [f"({kind}-{name})=\n## {name}", shown, plain(first_line(plugin))])
            parts += filter(None, (_section(section) for section in sections(kind, name)))
        yield f"{kind}s", "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    content = section.content
    if isinstance(content, Rows):
        said = table(content.head or ("", ""), [[*map(plain, row)] for row in content.rows]) if content.rows else ""
    elif section.code:
        language = {"Reference": "bibtex", "Settings it comes with": "toml"}.get(section.title, "text")
        said = code(content, language) if content else ""
    else:
        said = of_docstring(content)
    if said and section.code and len(content) > 600:
        return f":::{{dropdown}} {section.title}\n{said}\n:::"
    return f"**{section.title}**\n\n{said}" if said and section.title else said
