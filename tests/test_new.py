"""`snnplast new`: packages of rules, third factors and models that pass their own tests, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from importlib import import_module

import pytest

from snnplast.cli.command import main
from snnplast.engine import NUMPY
from snnplast.testing import check_model, check_rule, check_third_factor

KINDS = {
    "my-gate": (["rule", "my-gate"], "rule", check_rule, {"trials": 2, "workers": ()}),
    "my-pairs": (["rule", "my-pairs", "--within-trial"], "rule", check_rule, {"trials": 2, "workers": ()}),
    "my-pull": (["third-factor", "my-pull"], "third_factor", check_third_factor, {"trials": 2, "workers": ()}),
    "my-clouds": (["model", "my-clouds"], "model", check_model, {}),
}
"""Name -> what makes it, its module, its check and how that is quick."""


@pytest.mark.parametrize("name", KINDS)
def test_what_is_new_keeps_its_contract(name, folder, monkeypatch, capsys):
    words, part, check, quick = KINDS[name]
    assert main(["new", *words]) == 0
    module, made = name.replace("-", "_"), capsys.readouterr().out
    files = {f"{name}/pyproject.toml", f"{name}/README.md", f"{name}/tests/test_{module}.py"}
    assert files < set(made.splitlines()) and f"next: cd {name}; pip install" in made
    monkeypatch.syspath_prepend(str(folder.path / name / "src"))
    found = import_module(f"{module}.{part}")
    (plugin,) = (each for each in vars(found).values() if getattr(each, "__module__", "") == found.__name__)
    check(plugin, engine=NUMPY, **quick)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rules", "my-rule"], "new: unknown kind 'rules': did you mean 'rule'"),
        (["rule", "e-prop"], "new: there is a rule 'e-prop' already; another name is needed"),
        (["rule", "My Rule"], "new: 'My Rule': lower-case letters, digits and hyphens, such as 'my-rule', are needed"),
        (["model", "../up"], "new: '../up': lower-case letters, digits and hyphens, such as 'my-model', are needed"),
        (["rule", "json"], "new: 'json' is a word or module of Python; another name is needed"),
        (["rule", "lambda"], "new: 'lambda' is a word or module of Python; another name is needed"),
        (["model", "mine", "--within-trial"], "new model --within-trial: only a rule changes weights within a trial"),
        (["rule", "there"], "new: 'there' is there already; another name, or --output, is needed"),
    ],
)
def test_what_cannot_be_is_one_sentence(words, sentence, folder, capsys):
    (folder.path / "there").mkdir()
    assert main(["new", *words]) == 2
    assert capsys.readouterr().err.startswith(f"snnplast: {sentence}")
    assert folder.files() == {"there"} and not list((folder.path / "there").iterdir())


def bare():
    """The environment without a path that would find the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def python(archives, tmp_path_factory):
    """A Python of its own that has the library as users install it."""
    place = tmp_path_factory.mktemp("clean")
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    installed(place / "bin" / "python", "install", *archives.glob("*.whl"))
    return place / "bin" / "python"


def installed(python, command, *what):
    options = ["--no-deps", "--no-index", "--no-build-isolation"] if command == "install" else ["--yes"]
    pip = [sys.executable, "-m", "pip", "--python", python, command, "--quiet", *options, *what]
    subprocess.run(pip, check=True, env=bare())


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_what_is_installed_appears_runs_passes_its_tests_and_is_gone_when_uninstalled(name, python, tmp_path):
    words, part, *_ = KINDS[name]

    def said(*arguments):
        command = [python, "-m", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=bare(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    lists = f"{words[0]}s"
    said("snnplast", "new", *words)
    assert name not in said("snnplast", lists)
    installed(python, "install", tmp_path / name)
    assert name in said("snnplast", lists) and "Parameters" in said("snnplast", lists, "show", name)
    said("pytest", "-q", "-p", "no:cacheprovider", name)
    target = name if part == "model" else "xor"
    settings = {"rule": [f"rule={name}"], "third_factor": ["rule=e-prop", f"rules.e-prop.third_factor.name={name}"]}
    sets = [*settings.get(part, []), "train.epochs=1", "engine=runtime"]
    said("snnplast", "run", target, "--quiet", *(word for each in sets for word in ("--set", each)))
    installed(python, "uninstall", name)
    assert name not in said("snnplast", lists)
