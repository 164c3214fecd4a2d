"""docs/how-to/write-your-own-rule.md: its rules keep the contract and its code runs, block after block."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject

import snnplast.testing
from snnplast.cli.command import main
from snnplast.engine import NUMPY
from snnplast.testing import check_rule

TEXT = (Path(__file__).parents[1] / "docs" / "how-to" / "write-your-own-rule.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)


def run(blocks):
    scope = {"__name__": "guide"}
    for block in blocks:
        exec(compile(block, "guide", "exec", dont_inherit=True), scope)
    return scope


@pytest.fixture
def quickly(monkeypatch):
    """What its code asks the kit to check, which is left for later; nothing is compiled."""
    checked = []
    monkeypatch.setattr(snnplast.testing, "check_rule", checked.append)
    monkeypatch.setattr(import_module("brian2.devices.device"), "_auto_target", NumpyCodeObject)
    return checked


def test_its_code_runs_and_a_rule_that_learns_thresholds_keeps_the_contract(quickly):
    run(BLOCKS)
    assert [rule.name for rule in quickly] == ["pair-stdp", "sliding", "homeostasis", "hebbian-3"]
    check_rule(quickly[1], engine=NUMPY, workers=(), trials=1)


@pytest.mark.slow
def test_its_rules_keep_the_whole_contract():
    run(BLOCKS)


def test_its_commands_are_commands(folder, capsys):
    for line in re.findall(r"^    snnplast (new [^#\n]*)", TEXT, re.M):
        words = line.split()
        words[2] = f"{words[2]}-{len(words)}"
        assert main(words) == 0
    assert folder.files() == {"my-rule-3", "my-rule-4"}
