"""The reference says all there is: every sentence of an error, every section and key of a config, every command."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from snnplast import registry
from snnplast.cli.command import parser
from snnplast.config.settings import Recording, Training

ROOT = Path(__file__).parents[1]
SOURCES = [file for folder in ("snnplast", "rules", "models") for file in sorted((ROOT / folder).rglob("*.py"))]


@pytest.fixture(scope="module")
def pages():
    sys.path.insert(0, str(ROOT / "docs"))
    from generate import command_line, config, errors

    yield {name: text.replace("\\", "") for source in (command_line, config, errors) for name, text in source.pages()}
    sys.path.remove(str(ROOT / "docs"))


def said(source):
    """What stands in quotation marks in every `UserError(...)` of a file, and is long enough to be told apart."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UserError":
            first = node.args[0].values if node.args and isinstance(node.args[0], ast.JoinedStr) else node.args
            yield from (part.value for part in first if isinstance(part, ast.Constant) and len(part.value) > 12)


def test_no_sentence_of_a_user_error_is_missing(pages):
    told = " ".join(pages["errors"].split())
    texts = [text for source in SOURCES for text in said(source)]
    lost = [text for text in texts if " ".join(text.replace("\\", "").split()) not in told]
    assert len(texts) > 500
    assert lost == []


@pytest.mark.parametrize("kind", ["rule", "third-factor", "model"])
def test_every_setting_has_a_row(pages, kind):
    for name in registry.BUILT_IN[kind]:
        own = pages["settings"].partition(f"See [{name}](#{kind}-{name}).")[2].partition(":::")[0]
        assert all(f"| `{key}` |" in own for key in registry.load(kind, name).model_fields), name


def test_the_sections_of_all_runs_have_their_rows(pages):
    for kind in (Training, Recording):
        assert all(f"| `{key}` |" in pages["settings"] for key in kind.model_fields)


def test_every_command_shows_its_help(pages):
    _, commands = parser()
    assert set(re.findall(r"^## snnplast ([\w-]+)$", pages["command-line"], re.M)) == set(commands)
    assert pages["command-line"].count("usage: snnplast") == len(commands) + 1
