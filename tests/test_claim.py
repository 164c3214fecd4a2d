"""Who may write a run's file, and what happens to what stands there: nothing is lost unasked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_record import open_run, write

from snnplast.cli.command import main
from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.record import claim as claims
from snnplast.record.claim import Claim, Taken, numbered
from snnplast.record.place import claim_existing, claim_new
from snnplast.record.reading import read_run


@pytest.fixture
def path(folder):
    return Path("run.h5")


def a_run(path, status="finished", checkpoint=False):
    with open_run(path, interval=0) as run:
        write(run, 2)
        if checkpoint:
            run.checkpoint({"iteration": np.array(2)}, total=4, round="{}", origin="{}")
        run.finish(status)
    return path.read_bytes()


def another(code):
    """A process that runs `code` after a run's file was opened, and says so."""
    words = ["import sys", f"sys.path.insert(0, {os.path.dirname(__file__)!r})", "from pathlib import Path"]
    words += ["from test_record import open_run, write", code, "print(1, flush=True)", "sys.stdin.read()"]
    process = subprocess.Popen(
        [sys.executable, "-c", "\n".join(words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "1\n"
    return process


def refusal(call):
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


# What stands there


def written(path):
    """What a look at a file leaves as it is: all but when it was last read."""
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: os.mkfifo(path), "'run.h5' is a named pipe: a file is needed"),
        (lambda path: path.mkdir(), "'run.h5' is a directory: the name of a file is needed"),
        (lambda path: path.symlink_to("other.h5"), "'run.h5' is a symbolic link: the name of the file itself is"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "'run.h5' is a socket: a file is needed"),
        (lambda path: path.write_text("my thesis"), "'run.h5' cannot be read as HDF5: "),
        (lambda path: path.touch(), "'run.h5' cannot be read as HDF5: "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("force", [False, True])
def test_what_is_not_the_file_of_a_run_is_left_as_it_is(folder, path, make, sentence, force):
    make(path)
    content = path.read_bytes() if path.is_file() else b""
    before = written(path)
    assert refusal(lambda: claim_new(path, force)).startswith(f"record.path: {sentence}")
    assert written(path) == before and (not content or path.read_bytes() == content)
    assert folder.files() == {"run.h5"}


def test_a_device_is_left_as_it_is():
    sentence = "record.path: '/dev/null' is a device: a file is needed"
    assert refusal(lambda: claim_new(Path("/dev/null"), force=True)) == sentence


@pytest.mark.parametrize(
    ("status", "checkpoint", "sentence"),
    [
        ("finished", True, "record.path: 'run.h5' holds a finished run; --force overwrites it"),
        ("failed", False, "record.path: 'run.h5' holds a failed run; --force overwrites it"),
        ("interrupted", False, "record.path: 'run.h5' holds a run that was cut off; --force overwrites it"),
        (
            "interrupted",
            True,
            "record.path: 'run.h5' holds a run that was cut off; 'snnplast resume run.h5' goes on with it, "
            "--force overwrites it",
        ),
    ],
)
def test_a_run_is_only_overwritten_by_force(folder, path, status, checkpoint, sentence):
    before = a_run(path, status, checkpoint)
    assert refusal(lambda: claim_new(path)) == sentence
    assert refusal(lambda: open_run(path)) == sentence
    assert path.read_bytes() == before and folder.files() == {"run.h5"}
    with open_run(claim_new(path, force=True), seed=77) as run:
        assert path.read_bytes() == before, "it is replaced with the first record, not before"
        write(run, 1)
    assert read_run(path).seed == 77 and folder.files() == {"run.h5"}


def test_a_path_that_is_a_default_gets_a_number(folder, path):
    before = a_run(path)
    for name in ("run-2.h5", "run-3.h5"):
        with open_run(claim_new(path, free=True)) as run:
            write(run, 1)
        assert run.path == Path(name)
    assert path.read_bytes() == before
    claim = claim_new(path, force=True, free=True)
    assert claim.path == path
    claim.close()


def test_only_a_path_that_nobody_gave_is_a_default(tiny):
    tiny.write("without.toml", (tiny.path / "experiment.toml").read_text().replace('path = "tiny.h5"', ""))
    assert Experiment.of("without.toml").numbered and Experiment.of("xor").numbered
    assert not Experiment.of("experiment.toml").numbered
    assert not Experiment.of("xor", "record.path=xor.h5").numbered


def test_runs_one_after_another_keep_their_files(tiny, capsys):
    tiny.write("without.toml", (tiny.path / "experiment.toml").read_text().replace('path = "tiny.h5"', ""))
    for name in ("run.h5", "run-2.h5"):
        assert main(["run", "without.toml"]) == 0
        assert re.search(rf"file +{name}", capsys.readouterr().out)
        assert f'path = "{name}"' in read_run(name).config
    before = (tiny.path / "run.h5").read_bytes()
    assert main(["run", "without.toml", "--set", "record.path=run.h5"]) == 2
    assert capsys.readouterr().err == "snnplast: record.path: 'run.h5' holds a finished run; --force overwrites it\n"
    assert (tiny.path / "run.h5").read_bytes() == before
    assert main(["run", "without.toml", "--set", "record.path=run.h5", "--set", "train.seed=9", "--force"]) == 0
    assert read_run("run.h5").seed == 9
    assert not [name for name in tiny.files() if name.endswith(".part")]


# One writer


def test_a_path_has_one_writer_from_the_start_of_its_run_on(folder, path):
    """Also before the file is there, and after."""
    for code in ("run = open_run(Path('run.h5'), interval=0)", "run.trial; write(run, 1)"):
        first = "run = open_run(Path('run.h5'), interval=0)\n" if "write" in code else ""
        with another(first + code) as other:
            found = refusal(lambda: claim_new(path))
            assert found == f"'run.h5' is open in another process ({other.pid}), which still writes or reads it"
            assert refusal(lambda: claim_new(path, force=True)) == found
            second = claim_new(path, free=True)
            assert second.path == Path("run-2.h5")
            second.close()
            other.communicate("")
    assert folder.files() == {"run.h5"}
    assert len(read_run(path).trials) == 1


def test_many_at_once_get_a_place_each(folder, path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom snnplast.record.place import claim_new\n"
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\nfrom test_record import open_run, write\n"
        "sys.stdin.readline()\n"
        "with open_run(claim_new(Path('run.h5'), free=True)) as run:\n    write(run, 1)\nprint(run.path)"
    )
    words = [sys.executable, "-c", code]
    others = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for other in others:
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
    found = [other.communicate()[0].strip() for other in others]
    assert len(set(found)) == 6 and folder.files() == set(found)
    assert all(len(read_run(name).trials) == 1 for name in found)


def test_a_killed_run_leaves_no_claim_and_what_it_left_behind_is_used_up(folder, path):
    other = another("run = open_run(Path('run.h5'))")
    assert folder.files() == {".run.h5.part"}
    other.kill()
    other.communicate()
    (folder.path / ".run.h5.part").write_bytes(b"rubbish" * 1000)
    with open_run(path) as run:
        write(run, 1)
    assert folder.files() == {"run.h5"} and len(read_run(path).trials) == 1


def test_a_link_under_the_name_of_a_part_is_not_followed(folder, path):
    Path("victim").write_text("untouched")
    Path(".run.h5.part").symlink_to("victim")
    assert "cannot write 'run.h5': Too many levels of symbolic links" in refusal(lambda: claim_new(path))
    assert Path("victim").read_text() == "untouched"


def test_a_run_that_has_changed_since_it_was_read_does_not_go_on(folder, path):
    a_run(path)
    stamp = read_run(path).stamp
    claim_existing(path, stamp).close()
    os.utime(path, (1, 1))
    assert "'run.h5' has changed since it was read" in refusal(lambda: claim_existing(path, stamp))


def test_what_comes_while_the_run_is_prepared_is_not_overwritten(folder, path):
    said = pytest.warns(
        UserWarning, match=r"something else has come to 'run.h5', or it was moved: the run goes on in 'run-2.h5'"
    )
    with said, open_run(path) as run:
        path.write_text("foreign")
        write(run, 1)
    assert path.read_text() == "foreign" and len(read_run("run-2.h5").trials) == 1


def test_without_links_the_file_still_gets_its_place(folder, path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(claims.os, "link", refuse)
    with open_run(path) as run:
        write(run, 1)
    assert folder.files() == {"run.h5"} and len(read_run(path).trials) == 1


def test_numbers_go_between_name_and_ending():
    found = numbered(Path("a/run.h5"))
    assert [next(found) for _ in range(3)] == [Path("a/run.h5"), Path("a/run-2.h5"), Path("a/run-3.h5")]


# Deleted, replaced, moved while the run goes on


def replaced(path):
    Path("new").write_text("foreign")
    os.replace("new", path)


@pytest.mark.parametrize(
    ("happens", "sentence", "name"),
    [
        (os.unlink, "'run.h5' was deleted or replaced while the run wrote it: it is written anew", "run.h5"),
        (replaced, "'run.h5' was deleted or replaced while the run wrote it: the run goes on in", "run-2.h5"),
        (lambda path: os.rename(path, "moved.h5"), "something else has come to 'run.h5', or it was", "moved.h5"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("when", [1, 3])
def test_a_file_that_is_taken_away_is_noticed_at_the_next_burst_and_nothing_is_lost(
    folder, path, happens, sentence, name, when
):
    told = []
    with open_run(path, interval=0, tell=told.append) as run:
        write(run, when)
        happens(path)
        write(run, 1, first=when)
        assert len(told) == 1 and told[0].startswith(sentence)
        assert len(read_run(name).trials) == when + 1
        if happens is not os.unlink:
            assert run.path.name == name
        write(run, 4 - when, first=when + 1)
    whole = folder.path / "whole.h5"
    with open_run(whole, interval=0) as run:
        write(run, 5)
    found, expected = read_run(name), read_run(whole)
    np.testing.assert_array_equal(found.spikes("hidden"), expected.spikes("hidden"))
    np.testing.assert_array_equal(found.metrics["loss"], expected.metrics["loss"])
    assert found.status == "finished" and len(told) == 1
    if happens is replaced:
        assert path.read_text() == "foreign"
    assert not [left for left in folder.files() if left.endswith(".part")]


def test_a_file_whose_directory_is_gone_is_written_elsewhere(folder):
    Path("there").mkdir()
    told = []
    with open_run(Path("there/run.h5"), interval=0, tell=told.append) as run:
        write(run, 2)
        shutil.rmtree("there")
        write(run, 1, first=2)
    assert told == ["'there/run.h5' was deleted or replaced while the run wrote it: the run goes on in '{}'".format(
        folder.path / "run.h5"
    )]  # fmt: skip
    assert len(read_run("run.h5").trials) == 3


def test_the_file_that_took_its_place_is_claimed_too(folder, path):
    with open_run(path, interval=0, tell=lambda sentence: None) as run:
        write(run, 1)
        path.unlink()
        write(run, 1, first=1)
        with pytest.raises(Taken):
            Claim.existing(path)
    Claim.existing(path).close()


def test_a_run_whose_file_is_deleted_says_so_and_writes_its_results(tiny, capsys, monkeypatch):
    from snnplast.training.trainer import Trainer

    update = Trainer.update

    def deleting(self):
        if self.iteration == 4:
            Path("tiny.h5").unlink()
        return update(self)

    monkeypatch.setattr(Trainer, "update", deleting)
    assert main(["run", "experiment.toml", "--quiet"]) == 0
    err = capsys.readouterr().err
    assert err == "snnplast: 'tiny.h5' was deleted or replaced while the run wrote it: it is written anew\n"
    assert read_run("tiny.h5").status == "finished" and len(read_run("tiny.h5").metrics["loss"]) == 2


# Kills of the real thing leave nothing behind that the next run does not remove


@pytest.mark.slow
def test_a_run_killed_before_its_first_record_leaves_only_what_the_next_one_removes(tiny):
    process = subprocess.Popen([sys.executable, "-m", "snnplast", "run", "experiment.toml", "--quiet"])
    while ".tiny.h5.part" not in tiny.files():
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ".tiny.h5.part" in tiny.files()
    assert main(["run", "experiment.toml", "--quiet"]) == 0
    assert ".tiny.h5.part" not in tiny.files()
