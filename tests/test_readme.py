"""README: its files run, its commands are commands, and what it prints is printed."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest

from snnplast.cli.command import main
from snnplast.config.experiment import Experiment
from snnplast.engine import NUMPY
from snnplast.record.reading import read_run

TEXT = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language):
    """Fenced blocks of one language, as they stand."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def commands():
    """Lines that call the command, without what comments add."""
    lines = re.findall(r"^(?:    |\$ )(snnplast (?:.*\\\n)*.*)", TEXT, re.M)
    return [shlex.split(line.replace("\\\n", " "), comments=True)[1:] for line in lines]


@pytest.fixture
def example(folder):
    """README's network and experiment, in files named as README names them."""
    (network, *_), (experiment, *_) = blocks("python"), blocks("toml")
    for text in (network, experiment):
        name = re.match(r"# (\S+)\n", text)
        assert name, "a file's first line says what it is called"
        folder.write(name[1], text)
    return folder


def test_the_example_runs(example):
    quick = ["engine=runtime", "engine.target=numpy", "train.epochs=1"]
    assert main(["run", "experiment.toml", "--quiet", *[word for s in quick for word in ("--set", s)]]) == 0
    run = read_run("run.h5")
    assert len(run.metrics["test_accuracy"]) == 1 and len(run.spikes("hidden")[0]) > 0


@pytest.mark.parametrize("rule", ["ib-hebbian", "frozen"])
def test_the_example_takes_every_rule_that_is_named_as_a_swap(example, rule):
    assert f"--set rule={rule}" in TEXT
    quick = [f"rule={rule}", "engine=runtime", "engine.target=numpy", "train.epochs=1"]
    assert main(["run", "experiment.toml", "--quiet", *[word for s in quick for word in ("--set", s)]]) == 0
    assert len(read_run("run.h5").metrics["test_accuracy"]) == 1


def test_the_python_it_shows_runs(example, monkeypatch):
    (text,) = (text for text in blocks("python") if "snn.train(" in text)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    for shown, quick in (("epochs=20, seed=1", 'epochs=2, seed=1, engine="runtime"'), ('"digits"', '"xor"')):
        assert shown in text
        text = text.replace(shown, quick)
    scope = {}
    exec(text, scope)
    assert scope["run"].metrics["test_accuracy"].size and scope["exp"].rule.name == "ib-hebbian"


def test_the_rule_it_shows_keeps_the_contract():
    (rule,) = (text for text in blocks("python") if "check_rule" in text)
    scope = {"__name__": "readme", "NUMPY": NUMPY}
    assert "check_rule(SpikeProp)" in rule
    exec(rule.replace("check_rule(SpikeProp)", "check_rule(SpikeProp, trials=2, engine=NUMPY, workers=())"), scope)
    assert scope["SpikeProp"].name == "spike-prop"


@pytest.mark.slow
def test_the_example_learns_its_task(example):
    quick = ["engine=runtime", "engine.target=numpy"]
    assert main(["run", "experiment.toml", "--quiet", *[word for s in quick for word in ("--set", s)]]) == 0
    accuracy = read_run("run.h5").metrics["test_accuracy"]
    assert accuracy[-1] > 0.9


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_settings_of_every_command_are_settings(example, words):
    if words[0] in ("run", "sweep", "cite", "trial"):
        sets = [value for flag, value in itertools.pairwise(words) if flag == "--set"]
        over = [value for flag, value in itertools.pairwise(words) if flag == "--over"]
        first = [axis.partition("=")[0] + "=" + axis.partition("=")[2].split(",")[0] for axis in over]
        Experiment.of(words[1], *sets, *first)
