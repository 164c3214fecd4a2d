"""Paths and text files as users have them: ~, relative paths, marks of editors, names that no file can have."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import EXPERIMENT, TINY

from snnplast.cli import run as running
from snnplast.cli.command import main
from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.files import LARGEST, located

DATA = (
    TINY.replace("x = np.eye(4)[labels] * 0.5 + 0.5", "x = np.load(self.samples)")
    .replace("    hidden: Ann", "    samples: DataPath = ''\n    hidden: Ann", 1)
    .replace("import numpy as np", "import numpy as np\nfrom snnplast.files import DataPath")
)


@pytest.fixture
def project(folder, monkeypatch):
    """A directory with model, data and config, and the working directory elsewhere."""
    monkeypatch.setattr(running, "_figures", lambda path: [])
    (folder.path / "project").mkdir()
    (folder.path / "elsewhere").mkdir()
    folder.write("project/tiny.py", DATA)
    folder.write("project/e.toml", EXPERIMENT.replace('file = "tiny.py"', 'file = "tiny.py"\nsamples = "x.npy"'))
    np.save("project/x.npy", np.eye(4)[[0, 1, 0, 1, 0, 1]])
    monkeypatch.chdir(folder.path / "elsewhere")
    return folder


def test_data_are_found_from_the_config_that_names_them(project):
    experiment = Experiment.of("../project/e.toml")
    assert experiment.model.samples == str(project.path / "project/x.npy")
    assert experiment.task().epoch == 6


def test_an_option_names_data_from_the_working_directory(project):
    shutil.move("../project/x.npy", "mine.npy")
    assert Experiment.of("../project/e.toml", "model.samples=mine.npy").task().epoch == 6


def test_a_run_goes_on_from_any_directory(project, monkeypatch):
    assert main(["run", "../project/e.toml", "--quiet"]) == 0
    monkeypatch.chdir(project.path)
    assert main(["resume", "elsewhere/tiny.h5", "--set", "train.epochs=3", "--quiet"]) == 0


def test_home_is_understood(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project.path / "project"))
    experiment = Experiment.of("~/e.toml", "model.file=~/tiny.py", "model.samples=~/x.npy", "record.path=~/r.h5")
    assert experiment.task().epoch == 6
    assert experiment.record.path == str(project.path / "project/r.h5")
    assert main(["run", "~/e.toml", "--set", "record.path=~/r.h5", "--quiet"]) == 0
    assert (project.path / "project/r.h5").is_file()


def test_a_mark_of_utf_8_is_no_part_of_the_text(tiny):
    text = (tiny.path / "experiment.toml").read_bytes()
    (tiny.path / "marked.toml").write_bytes(b"\xef\xbb\xbf" + text)
    assert Experiment.of("marked.toml").text() == Experiment.of("experiment.toml").text()
    (tiny.path / "wide.toml").write_bytes(text.decode().encode("utf-16"))
    with pytest.raises(UserError, match=r"^wide.toml: no valid TOML: byte 0 is not UTF-8$"):
        Experiment.of("wide.toml")


@pytest.mark.parametrize("sets", ["record.path={}", "model.samples={}", "model.file={}"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a\0b", r"a path has no NUL in it"),
        ("x" * 300, "a path has at most 255 bytes per name and 4000 in all"),
        ("é" * 200, "a path has at most 255 bytes per name"),
        ("x/" * 2500, "a path has at most 255 bytes per name and 4000 in all"),
        ("~nobody-of-this-name/x", "there is no such user, whose home directory ~ could be"),
        ("\ud800", "a path is needed that can be written in utf-8"),
    ],
    ids=["nul", "long", "long in bytes", "deep", "user", "surrogate"],
)
def test_what_no_file_can_be_called_is_one_sentence(project, sets, name, sentence):
    with pytest.raises(UserError) as caught:
        Experiment.of("../project/e.toml", sets.format(name))
    assert str(caught.value).startswith(f"--set {sets[:-3]}: ")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "~nobody-of-this-name/x"])
@pytest.mark.parametrize("command", ["run", "cite", "trial", "sweep", "resume", "compare"])
def test_the_same_for_what_stands_on_the_command_line(folder, capsys, command, name):
    words = [command, name, *["--over", "train.epochs=1,2"] * (command == "sweep")]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_no_text_of_settings_is_refused(folder):
    with open("big.toml", "wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(UserError, match=r"^big.toml: \d+ bytes are no settings; at most \d+ are read$"):
        Experiment.of("big.toml")
    os.mkfifo("fifo.toml")
    with pytest.raises(UserError, match=r"^fifo.toml: cannot be read: it is no file$"):
        Experiment.of("fifo.toml")
    (folder.path / "deep.toml").write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(UserError, match=r"^deep.toml: no valid TOML: it is nested too deeply$"):
        Experiment.of("deep.toml")


def test_a_path_is_absolute_whatever_it_is_told_from():
    assert located("a/../b", Path("/x")) == Path("/x/b")
    assert located("/y", Path("/x")) == Path("/y")
