"""What may stand where a config is taken: above all the file of a run, which means the settings of the run."""

from __future__ import annotations

import re
import shutil

import pytest
from rich.console import Console

from snnplast.cli import run as running
from snnplast.cli.command import main
from snnplast.config.experiment import Experiment
from snnplast.config.targets import differences
from snnplast.errors import UserError

SETS = ("model.hidden=4", "train.seed=7", "rules.e-prop.batch=3", "train.epochs=1")


@pytest.fixture
def ran(tiny, monkeypatch):
    """The folder with the file of a run whose settings are nobody's defaults."""
    monkeypatch.setattr(running, "_figures", lambda path: [])
    running.run(Experiment.of("experiment.toml", *SETS), Console(quiet=True), quiet=True)
    return tiny


@pytest.fixture
def snnplast(capsys):
    def call(*words):
        status = main(words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_the_file_of_a_run_means_its_settings(ran):
    assert Experiment.of("tiny.h5").text() == Experiment.of("experiment.toml", *SETS).text()
    changed = Experiment.of("tiny.h5", "model.hidden=5")
    assert (changed.model.hidden, changed.train.seed) == (5, 7)


def test_it_is_known_by_what_it_is_and_not_by_its_name(ran):
    shutil.copy("tiny.h5", "run.toml")
    assert Experiment.of("run.toml").model.hidden == 4


def test_a_trial_of_a_run_has_its_settings_and_its_weights(ran, snnplast):
    outcomes = set()
    for words in (["tiny.h5"], ["tiny.py", "--weights", "tiny.h5"], ["tiny.h5", "--weights", "tiny.h5"]):
        status, out, err = snnplast("trial", *words)
        assert (status, err) == (0, "")
        assert re.search(r"^weights +tiny.h5$", out, re.M)
        assert re.search(r"^trial +training trial 0, seed 7, ", out, re.M)
        outcomes.add(re.search(r"^outcome .*$", out, re.M)[0])
    assert len(outcomes) == 1


def test_a_run_and_citations_of_a_run_go_by_its_settings(ran, snnplast):
    assert snnplast("cite", "tiny.h5") == snnplast("cite", "experiment.toml")
    shutil.copy("tiny.h5", "first.h5")
    assert snnplast("run", "first.h5", "--set", "record.path=again.h5", "--quiet") == (0, "", "")
    assert Experiment.of("again.h5").model.hidden == 4


def test_weights_of_another_model_are_refused_by_its_name(ran, snnplast):
    status, _, err = snnplast("trial", "xor", "--weights", "tiny.h5")
    assert status == 2
    assert re.fullmatch(r"snnplast: 'tiny.h5' is a run of the model '\S+tiny.py', not of 'xor'\n", err)


def test_settings_that_differ_are_named(ran):
    other = Experiment.of("experiment.toml", *SETS, "train.seed=8", "rules.e-prop.optimizer=adam", "train.epochs=2")
    found = differences(other.text(), Experiment.of("tiny.h5").text())
    assert "train.seed is 8 here, 7 there" in found
    assert "rules.e-prop.optimizer.name is adam here, sgd there" in found
    assert not [each for each in found if each.startswith("train.epochs")]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("run.h5", b"", "'run.h5' cannot be read as HDF5"),
        ("run.h5", b"\x89HDF\r\n\x1a\n broken", "'run.h5' cannot be read as HDF5"),
        ("run.txt", b"\x89HDF\r\n\x1a\n broken", "'run.txt' cannot be read as HDF5"),
        ("run.bin", b"\xff\xfe", "run.bin: no valid TOML: byte 0 is not UTF-8"),
    ],
)
def test_what_is_no_config_is_refused(folder, name, content, sentence):
    (folder.path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        Experiment.of(name)
    assert sentence in str(caught.value)
