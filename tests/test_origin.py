"""What a run depends on: data, model file, modules beside it, arrays, versions; it goes on where all are as before."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny import TINY

from snnplast.cli import run as running
from snnplast.cli.command import main
from snnplast.config.experiment import Experiment
from snnplast.record.reading import read_run
from snnplast.task.task import Classification
from snnplast.training.digests import digest_of

DATA = TINY.replace("x = np.eye(4)[labels] * 0.5 + 0.5", 'x = np.load("samples.npy")')
LAZY = TINY.replace(
    "        return Classification(",
    """        class Later(Classification):
            def trial(self, index):
                np.fromfile(f"later{index}.bin", np.uint8)
                return super().trial(index)

        return Later(""",
)
HELPED = TINY.replace("        net = Network()", "        from helpers import tools\n        net = Network(tools.DT)")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    monkeypatch.setattr(running, "_figures", lambda path: [])


@pytest.fixture
def snnplast(capsys):
    def call(*words):
        return main([*words, *["--quiet"] * (words[0] in ("run", "resume"))]), capsys.readouterr().err

    return call


@pytest.fixture
def with_data(tiny):
    """The model's samples come from a file."""
    tiny.write("tiny.py", DATA)
    np.save("samples.npy", np.eye(4)[[0, 1, 0, 1, 0, 1]])
    return tiny


@pytest.fixture
def helped(tiny):
    """The model asks a package beside it for the time step, when its network is built."""
    (tiny.path / "helpers").mkdir()
    tiny.write("helpers/__init__.py", "")
    tiny.write("helpers/tools.py", "from .units import MS\nDT = f'1 {MS}'\n")
    tiny.write("helpers/units.py", "MS = 'ms'\n")
    tiny.write("tiny.py", HELPED)
    return tiny


def origin_of(path):
    with h5py.File(path) as file:
        return json.loads(file["checkpoint"].attrs["origin"])


def make_longer(snnplast, *words):
    return snnplast("resume", "tiny.h5", "--set", "train.epochs=3", *words)


def begun(snnplast):
    assert snnplast("run", "experiment.toml") == (0, "")


def other_samples():
    np.save("samples.npy", np.eye(4)[[1, 1, 0, 1, 0, 1]])


# Files


def test_a_data_file_that_changed_is_named_and_may_be_accepted(with_data, snnplast):
    begun(snnplast)
    other_samples()
    status, err = make_longer(snnplast)
    assert status == 2
    where = re.escape(str(with_data.path / "samples.npy"))
    assert re.fullmatch(
        rf"snnplast: 'tiny.h5': the data file '{where}' has changed since the run \(\w+ then, \w+ now\); "
        r"--inexact goes on anyway, no longer bit by bit the same run\n",
        err,
    )
    assert read_run("tiny.h5").metrics["loss"].size == 2
    assert make_longer(snnplast, "--inexact") == (0, "")
    assert read_run("tiny.h5").metrics["loss"].size == 3


def test_a_file_that_was_only_touched_has_not_changed(with_data, snnplast):
    begun(snnplast)
    os.utime("samples.npy")
    assert make_longer(snnplast) == (0, "")


def test_a_data_file_that_is_gone_is_named(with_data, snnplast):
    begun(snnplast)
    Path("samples.npy").unlink()
    assert "samples.npy', which the run has read, is gone; --inexact" in make_longer(snnplast)[1]


def test_what_trials_read_counts_as_well_in_every_worker(tiny, snnplast):
    tiny.write("tiny.py", LAZY)
    for k in range(18):
        Path(f"later{k}.bin").write_bytes(bytes([k]))
    assert snnplast("run", "experiment.toml", "--set", "train.workers=2") == (0, "")
    read = [name for name in origin_of("tiny.h5") if name.startswith("data file")]
    assert sorted(int(re.findall(r"later(\d+)", name)[0]) for name in read) == list(range(12))
    Path("later3.bin").write_bytes(b"other")
    assert "later3.bin' has changed" in make_longer(snnplast)[1]
    Path("later3.bin").write_bytes(bytes([3]))
    assert make_longer(snnplast) == (0, "")
    assert len([name for name in origin_of("tiny.h5") if name.startswith("data file")]) == 18


@pytest.mark.parametrize("module", ["tools", "units", "__init__"])
def test_a_module_beside_the_model_file_that_changed_is_named(helped, snnplast, module):
    begun(snnplast)
    file = helped.path / "helpers" / f"{module}.py"
    file.write_text(file.read_text() + "#\n")
    status, err = make_longer(snnplast)
    assert status == 2
    assert f"the module '{file}' has changed since the run" in err
    assert make_longer(snnplast, "--inexact") == (0, "")


def test_what_a_run_depends_on_is_in_its_file(with_data, snnplast):
    begun(snnplast)
    here, found = with_data.path, origin_of("tiny.h5")
    assert {f"model file '{here / 'tiny.py'}'", f"data file '{here / 'samples.npy'}'"} < set(found)
    assert {"snnplast", "brian2", "numpy", "python", "engine", "data of the task"} < set(found)
    assert len([name for name in found if "file" in name]) == 2, "nothing that is installed is named"


def test_the_report_says_which_data_were_read(with_data, capsys):
    assert main(["run", "experiment.toml"]) == 0
    assert re.search(rf"^data +'{re.escape(str(with_data.path))}/samples.npy'$", capsys.readouterr().out, re.M)


# Arrays


def task(**changed):
    x = np.random.default_rng(0).random((6, 4))
    given = {"x": x, "labels": [0, 1] * 3, "x_test": x[:2], "labels_test": [0, 1], "steps": 5, "seed": 0, **changed}
    return Classification(**given)


def test_the_arrays_of_a_task_have_a_digest():
    x = np.random.default_rng(0).random((6, 4))
    assert digest_of(task()) == digest_of(task())
    other = x.copy()
    other[5, 3] += 1e-9
    different = [task(x=other), task(labels=[1, 0] * 3), task(x=x[:, ::-1]), task(x_test=x[1:3])]
    assert len({digest_of(each) for each in (task(), *different)}) == 5


def test_the_digest_of_a_long_array_is_that_of_its_blocks(monkeypatch):
    from snnplast.training import digests as origin

    whole = digest_of(task())
    monkeypatch.setattr(origin, "BLOCK", 7)
    assert digest_of(task()) == whole


def test_samples_that_come_from_no_file_are_compared_as_well(tiny, snnplast, monkeypatch):
    tiny.write("tiny.py", TINY.replace("* 0.5 + 0.5", '* float(__import__("os").environ["SCALE"])'))
    monkeypatch.setenv("SCALE", "0.5")
    begun(snnplast)
    monkeypatch.setenv("SCALE", "0.6")
    assert "the data of the task are not those of the run" in make_longer(snnplast)[1]
    assert make_longer(snnplast, "--inexact") == (0, "")


# Sweeps


@pytest.mark.slow
def test_a_sweep_refuses_what_an_earlier_one_left_with_other_data(with_data, snnplast):
    words = ["sweep", "experiment.toml", "--over", "model.hidden=3,4", "--seeds", "1"]
    assert snnplast(*words) == (0, "")
    assert snnplast(*words) == (0, "")
    before = {path: path.stat().st_mtime_ns for path in Path("experiment.sweep").glob("*.h5")}
    other_samples()
    status, err = snnplast(*words)
    assert status == 2
    assert re.search(r"'experiment.sweep/hidden=3,seed=1.h5': the data file '\S+' has changed since the run", err)
    assert snnplast(*words, "--inexact") == (0, "")
    assert {path: path.stat().st_mtime_ns for path in before} == before


# Neighbours


def beside(folder, name, size, extra=""):
    """A directory with a model file and a module `common` beside it."""
    (folder.path / name).mkdir()
    folder.write(f"{name}/common.py", f"SIZE = {size}\n{extra}")
    text = TINY.replace("        net = Network()", "        from common import SIZE\n        net = Network()")
    folder.write(f"{name}/tiny.py", text.replace("LIF(self.hidden", "LIF(SIZE"))
    return f"{name}/tiny.py"


def test_modules_of_one_name_beside_two_model_files_are_two_modules(folder):
    files = [beside(folder, "a", 5), beside(folder, "b", 7)]
    found = [Experiment.of(file, "rule=e-prop", "train.epochs=1") for file in files]
    assert [each.network.populations["hidden"].size for each in found] == [5, 7]
    again = [each.model.network().populations["hidden"].size for each in found]
    assert again == [5, 7], "also when the network is built later on"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("import helpers\nSIZE = helpers.SIZE", 4),
        ("import helpers.deep.down\nSIZE = helpers.deep.down.SIZE", 6),
        ("import helpers.deep.down as down\nSIZE = down.SIZE", 6),
        ("from helpers import deep\nSIZE = deep.SIZE", 5),
        ("from helpers.deep.down import *", 6),
        ("from helpers.deep import *\nSIZE = down.SIZE", 6),
        ("from folder.plain import SIZE", 8),
        ("import random\nSIZE = random.SIZE", 9),
        ("import json\nSIZE = len(json.loads('[1, 2]'))", 2),
    ],
)
def test_every_import_of_a_neighbour_works_as_in_a_script(folder, code, value):
    (folder.path / "helpers/deep").mkdir(parents=True)
    (folder.path / "folder").mkdir()
    (folder.path / "json").mkdir()
    folder.write("helpers/__init__.py", "SIZE = 4\n")
    folder.write("helpers/deep/__init__.py", "__all__ = ['down']\nSIZE = 5\n")
    folder.write("helpers/deep/down.py", "from .. import SIZE as ABOVE\nfrom ..deep import SIZE as HERE\nSIZE = 6\n")
    folder.write("folder/plain.py", "SIZE = 8\n")
    folder.write("random.py", "SIZE = 9\n")
    folder.write("tiny.py", f"{code}\n{TINY.replace('] = 3', '] = SIZE')}")
    assert Experiment.of("tiny.py", "rule=e-prop", "train.epochs=1").model.hidden == value


def test_a_mistake_in_a_neighbour_is_named_with_its_line(folder):
    file = beside(folder, "a", 3, extra="\n1 / 0\n")
    from snnplast.errors import UserError

    with pytest.raises(UserError, match=r"^common.py, line 3: ZeroDivisionError: division by zero$"):
        Experiment.of(file, "rule=e-prop", "train.epochs=1")


def test_a_model_file_is_what_it_says_now_however_quickly_it_was_changed(tiny):
    for size in (5, 6, 7):
        tiny.write("tiny.py", TINY.replace("] = 3", f"] = {size}"))
        assert Experiment.of("tiny.py", "rule=e-prop", "train.epochs=1").model.hidden == size


def test_a_copy_of_the_library_beside_a_model_file_is_not_a_second_library(tiny):
    (tiny.path / "snnplast").mkdir()
    tiny.write("snnplast/__init__.py", "1 / 0\n")
    assert Experiment.of("experiment.toml").title == "tiny"
