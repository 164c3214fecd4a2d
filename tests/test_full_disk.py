"""A disk that is full, at whatever stage of a run: one sentence, and nothing lost that was written before."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from snnplast.cli.command import main
from snnplast.errors import UserError
from snnplast.record import journal, writable
from snnplast.record.reading import read_run
from snnplast.record.writable import write_whole

WORDS = ["run", "experiment.toml", "--quiet", "--force", "--set", "train.checkpoint_every=1", "--set", "train.epochs=4"]
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def disk(monkeypatch):
    """Counts the bytes that runs write, and is full after `disk["free"]` of them."""
    found = {"free": 2**60, "written": 0}
    real = os.pwrite

    def pwrite(fd, data, offset):
        found["written"] += len(data)
        if found["written"] > found["free"]:
            raise FULL
        return real(fd, data, offset)

    monkeypatch.setattr(journal.os, "pwrite", pwrite)
    return found


def same(one, other):
    one, other = read_run(one), read_run(other)
    np.testing.assert_array_equal(one.metrics["loss"], other.metrics["loss"])
    np.testing.assert_array_equal(one.spikes("hidden"), other.spikes("hidden"))
    np.testing.assert_array_equal(one.synapses("input_to_hidden"), other.synapses("input_to_hidden"))
    return one.status == other.status == "finished"


def test_a_run_ends_in_a_sentence_and_goes_on_when_there_is_space_again(tiny, capsys, disk):
    assert main(WORDS) == 0
    total = disk["written"]
    os.replace("tiny.h5", "whole.h5")
    resumed = 0
    for free in np.linspace(0, total - 1, 6).astype(int).tolist():
        disk.update(free=free, written=0)
        capsys.readouterr()
        assert main(WORDS) == 2
        assert capsys.readouterr().err == "snnplast: record.path: cannot write 'tiny.h5': No space left on device\n"
        disk["free"] = 2**60
        assert not [name for name in tiny.files() if name.endswith(".part")]
        left = read_run("tiny.h5") if Path("tiny.h5").exists() else None
        if left is None or not left.resumable:
            assert main(WORDS) == 0
        elif left.status != "finished":  # else it failed amid the last commit, whose journal was complete
            resumed += 1
            assert main(["resume", "tiny.h5", "--quiet"]) == 0
        assert same("tiny.h5", "whole.h5")
        os.unlink("tiny.h5")
    assert 2 <= resumed < 6


def test_without_space_for_figures_the_run_itself_is_complete(tiny, capsys, monkeypatch):
    def full(*_):
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(writable.Path, "replace", full)
        assert main(WORDS) == 2
    sentence = "cannot write 'tiny.learning.png': No space left on device; the run itself is complete in 'tiny.h5'"
    assert capsys.readouterr().err == f"snnplast: {sentence}\n"
    assert read_run("tiny.h5").status == "finished"
    assert tiny.files() == {"tiny.py", "experiment.toml", "tiny.h5"}


def test_a_file_is_written_whole_or_not_at_all(folder, monkeypatch):
    write_whole(Path("table.csv"), b"older")
    Path(".table.csv.part").write_bytes(b"of a process that was killed")

    def full(*_):
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(writable.Path, "replace", full)
        with pytest.raises(UserError, match=r"^cannot write 'table.csv': No space left on device$"):
            write_whole(Path("table.csv"), b"newer")
    assert Path("table.csv").read_bytes() == b"older" and folder.files() == {"table.csv"}
    write_whole(Path("table.csv"), b"newer")
    assert Path("table.csv").read_bytes() == b"newer" and folder.files() == {"table.csv"}
