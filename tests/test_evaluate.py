"""Weights of a run used again: tested by `snnplast evaluate`, and to begin with by `snnplast run --weights`."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
from tiny import EXPERIMENT, TINY

from snnplast.cli.command import main
from snnplast.cli.evaluate import show_evaluation
from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.report.console import standard_output
from snnplast.training.trainer import Trainer


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The file of a run of five epochs, the best of which is not the last."""
    directory = tmp_path_factory.mktemp("evaluated")
    (directory / "tiny.py").write_text(TINY.replace("labels[:4], steps", "[0, 1, 1, 1], steps"))
    (directory / "experiment.toml").write_text(EXPERIMENT)
    sets = ["train.epochs=5", "model.hidden=12", "rules.e-prop.optimizer.learning_rate=0.05"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        assert main(["run", "experiment.toml", "--quiet", *(word for text in sets for word in ("--set", text))]) == 0
    return directory


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    for name in ("tiny.py", "experiment.toml", "tiny.h5"):
        shutil.copy(made / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluated(*sets, best=False):
    return show_evaluation(standard_output(), "tiny.h5", sets, best)


def test_the_last_test_of_the_run_is_found_again_to_the_bit(folder, capsys):
    run, before = read_run("tiny.h5"), (folder / "tiny.h5").read_bytes()
    found = evaluated()
    assert found["loss"] == run.metrics["test_loss"][-1] and found["accuracy"] == run.metrics["test_accuracy"][-1]
    out = capsys.readouterr().out
    assert out.count(repr(float(run.metrics["test_loss"][-1]))) == 2, "the one found now, and the one of the run"
    assert (folder / "tiny.h5").read_bytes() == before
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {"tiny.py", "experiment.toml", "tiny.h5"}


def test_the_best_round_is_found_again_to_the_bit(folder):
    run = read_run("tiny.h5")
    number = int(np.argmax(run.metrics["test_accuracy"]))
    found = evaluated(best=True)
    assert number < 4 and found["loss"] == run.metrics["test_loss"][number] != run.metrics["test_loss"][-1]
    assert found["accuracy"] == run.metrics["test_accuracy"].max()


def test_settings_may_be_others_where_the_weights_fit(folder, capsys):
    assert evaluated("model.tau=5 ms")["loss"] != evaluated()["loss"]
    assert main(["evaluate", "tiny.h5", "--set", "model.hidden=4"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("snnplast: 'tiny.h5' does not fit this network: 'input_to_hidden' connects other pairs")
    assert err.endswith("model and rule must be those of the run; model.hidden is 4 here, 12 there\n")
    assert main(["evaluate", "tiny.py"]) == 2
    assert "cannot be read as HDF5" in capsys.readouterr().err


def begin(*words):
    status = main(["run", "experiment.toml", "--quiet", "--set", "model.hidden=12", *words])
    return status, read_run("next.h5") if status == 0 else None


def test_a_run_begins_with_the_weights_of_another(folder, capsys):
    words = ["--weights", "tiny.h5", "--set", "record.path=next.h5"]
    status, run = begin(*words)
    before = read_run("tiny.h5")
    assert status == 0 and run is not None
    for name in ("input_to_hidden", "hidden_to_output"):
        assert np.array_equal(run.values(name, "initial"), before.values(name))
        assert not np.array_equal(run.values(name), before.values(name))
    with h5py.File("next.h5") as file:
        assert file["initial"].attrs["origin"] == "tiny.h5"
    assert begin(*words, "--set", "model.hidden=4", "--force")[0] == 2
    assert "'tiny.h5' does not fit this network: 'input_to_hidden' connects other pairs" in capsys.readouterr().err
    assert np.array_equal(read_run("next.h5").values("input_to_hidden"), run.values("input_to_hidden"))
    assert begin("--weights", "none.h5")[0] == 2
    assert "none.h5'" in capsys.readouterr().err


def test_a_run_that_began_so_and_was_cut_off_goes_on_to_the_same_file(folder, monkeypatch):
    words = ["--weights", "tiny.h5", "--set", "record.path=next.h5", "--set", "train.epochs=3"]
    assert begin(*words)[0] == 0
    shutil.move("next.h5", "whole.h5")
    update = Trainer.update

    def stopped(self):
        if self.iteration == 4:
            raise KeyboardInterrupt
        return update(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", stopped)
        assert begin(*words, "--set", "train.checkpoint_every=1")[0] == 130
    (folder / "tiny.h5").unlink()  # what it began with is no longer needed
    assert main(["resume", "next.h5", "--quiet", "--set", "train.checkpoint_every=auto"]) == 0
    one, other = read_run("next.h5"), read_run("whole.h5")
    assert one.best == other.best and np.array_equal(one.answers, other.answers)
    for name in one.learned:
        for when in ("initial", "best", "last"):
            assert np.array_equal(one.values(name, when), other.values(name, when)), (name, when)
    with h5py.File("next.h5") as file:
        assert file["initial"].attrs["origin"] == "tiny.h5"


def test_weights_of_no_time_are_refused(folder):
    with pytest.raises(UserError, match="unknown time 'first': "):
        read_run("tiny.h5").values("input_to_hidden", "first")
    assert np.array_equal(read_run("tiny.h5").weights_at("best")["hidden.bias"], np.full(12, 0.05))
