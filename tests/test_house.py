"""The house: what is packaged, under which names, and that every place that states a fact states the same one."""

from __future__ import annotations

import configparser
import os
import re
import tarfile
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import data_files
import pytest

from snnplast import __version__, registry
from snnplast.config.experiment import Experiment

ROOT = Path(__file__).parents[1]
MAPPED = {"snnplast.rules": "rules", "snnplast.rules.third_factors": "rules/third_factors", "snnplast.models": "models"}


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def lines(text):
    """The entries of a list in setup.cfg."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def ours(path):
    """Whether it is a file of the project, not one that Python made of it."""
    return path.is_file() and path.parent.name != "__pycache__"


def test_rules_and_models_are_links_so_that_a_checkout_works_uninstalled():
    for name in ("rules", "models"):
        link = ROOT / "snnplast" / name
        assert link.is_symlink()
        assert os.readlink(link) == f"../{name}"


@pytest.mark.parametrize("kind", list(registry.GROUPS))
def test_entry_points_are_those_of_the_built_in_table(setup, kind):
    points = dict(re.split(r"\s*=\s*", line) for line in lines(setup["options.entry_points"][registry.GROUPS[kind]]))
    assert points == registry.BUILT_IN[kind]


def test_every_entry_point_can_be_imported(setup):
    for group in setup["options.entry_points"].values():
        for line in lines(group):
            module, _, attribute = line.split("=")[1].strip().partition(":")
            assert hasattr(import_module(module), attribute)


def test_every_package_is_listed_with_its_directory(setup):
    mapped = dict(re.split(r"\s*=\s*", line) for line in lines(setup["options"]["package_dir"]))
    assert mapped == MAPPED
    roots = {"snnplast": "snnplast", **{directory: name for name, directory in MAPPED.items()}}
    found = set()
    for top in ("snnplast", "rules", "models"):
        for init in (ROOT / top).rglob("__init__.py"):
            directory = init.parent.relative_to(ROOT).as_posix()
            if not directory.startswith(("snnplast/rules", "snnplast/models")):
                found.add(roots.get(directory, directory.replace("/", ".")))
    assert set(lines(setup["options"]["packages"])) == found


def test_every_file_that_is_no_python_is_declared_as_package_data(setup):
    declared = setup["options.package_data"]
    rooms = {f"snnplast.{room}": f"snnplast/{room}" for room in ("engine", "cli")}
    for package, directory in {"snnplast": "snnplast", **rooms, **MAPPED}.items():
        patterns = [pattern.strip() for pattern in declared.get(package, "").split(",") if pattern.strip()]
        covered = {path for pattern in patterns for path in (ROOT / directory).glob(pattern)}
        below = {path for path in (ROOT / directory).glob("*") if path.is_file()}
        if package in rooms:
            below |= set((ROOT / directory / "templates").iterdir())
        assert {path for path in below if path.suffix not in (".py", ".pyc")} - covered == set()


def test_the_version_is_the_same_everywhere(setup):
    assert setup["metadata"]["version"] == "attr: snnplast.version.__version__"
    assert re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)[1] == __version__


def test_requirements_hold_back_numpy_where_brian2_needs_it(setup):
    required = lines(setup["options"]["install_requires"])
    assert 'numpy < 2.4; python_version < "3.12"' in required
    assert {re.match(r"[\w-]+", line)[0] for line in required} == {
        "brian2", "numpy", "scipy", "h5py", "pydantic", "rich", "matplotlib",
    }  # fmt: skip
    assert set(setup["options.extras_require"]) == {"data", "rl", "search", "cluster", "docs", "bench", "test"}


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.toml")), ids=lambda path: path.stem)
def test_the_defaults_of_every_model_make_an_experiment_for_every_rule_they_name(path, tmp_path):
    name = path.stem.replace("_", "-")
    assert name in registry.names("model")
    data = [f"model.{key}={value or 'none'}" for key, value in data_files.settings(name, tmp_path).items()]
    for rule in tomllib.loads(path.read_text()).get("rules", {}):
        experiment = Experiment.of(name, f"rule={rule}", *data)
        assert experiment.rule.name == rule
        assert set(experiment.recorded_spikes) <= set(experiment.network.populations)


def test_the_library_knows_no_rule_and_no_model():
    for path in (ROOT / "snnplast").rglob("*.py"):
        if {"rules", "models"} & set(path.relative_to(ROOT / "snnplast").parts):
            continue
        own = r"^\s*(?:from|import) (snnplast\.(?:rules|models)\b\S*|rules|models)\b"
        assert re.findall(own, path.read_text(), re.M) == [], path.name


ON_THE_WAY_IN = [path for room in ("network", "task", "simulation") for path in (ROOT / "snnplast" / room).glob("*.py")]


@pytest.mark.parametrize("path", ON_THE_WAY_IN, ids=lambda path: path.stem)
def test_nothing_is_cast_before_it_is_checked(path):
    """What users hand over goes through `snnplast.described`, which refuses what a cast would turn into something."""
    text = path.read_text()
    cast = r"np\.(?:as)?array\([^()]*\)\.astype|np\.asarray\([^()]*(?:dtype|float|int)\b[^()]*\)"
    assert re.findall(cast, text) == []


@pytest.mark.slow
def test_the_wheel_holds_each_file_once_and_its_only_top_level_name_is_snnplast(archives):
    with zipfile.ZipFile(next(archives.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        assert len(names) == len(set(names))
        top = next(name for name in names if name.endswith("top_level.txt"))
        assert wheel.read(top).decode().split() == ["snnplast"]
    assert {name.split("/")[0] for name in names} == {"snnplast", top.split("/")[0]}
    packaged = {name for name in names if name.startswith("snnplast/")}
    assert packaged == {path.relative_to(ROOT).as_posix() for path in (ROOT / "snnplast").rglob("*") if ours(path)} | {
        f"snnplast/{path.relative_to(ROOT).as_posix()}"
        for top in ("rules", "models")
        for path in (ROOT / top).rglob("*")
        if ours(path)
    }


@pytest.mark.slow
def test_the_source_archive_holds_every_file_once(archives):
    with tarfile.open(next(archives.glob("*.tar.gz"))) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert len(names) == len(set(names))
    assert not [name for name in names if name.startswith(("snnplast/rules", "snnplast/models"))]
    assert {"LICENSE", "Makefile", "CITATION.cff"} <= set(names)
    copy = archives / "checkout"
    for top in ("rules", "models", "tests", "benchmarks", "docs", "examples"):
        assert {path.relative_to(copy).as_posix() for path in (copy / top).rglob("*") if ours(path)} <= set(names)
