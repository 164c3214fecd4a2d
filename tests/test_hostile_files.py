"""Files that are not what a run leaves, by accident or by design: one sentence each, and nothing else happens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from snnplast.cli.command import main
from snnplast.errors import UserError
from snnplast.record import apart
from snnplast.record.reading import read_run
from snnplast.training.checkpoint import Checkpoint

VICTIM = "victim.txt"
SETS = ["--set", "record.variables=output.y", "--set", "train.checkpoint_every=1", "--quiet"]
SETS += ["--set", "record.weights=every 1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The file of a small run, and what it was made from."""
    from tiny import EXPERIMENT, TINY

    directory = tmp_path_factory.mktemp("made")
    (directory / "tiny.py").write_text(TINY)
    (directory / "experiment.toml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        assert main(["run", "experiment.toml", *SETS]) == 0
    return directory


@pytest.fixture
def run(made, tmp_path, monkeypatch):
    """A copy of it, and beside it a file that nobody may touch."""
    for name in ("tiny.py", "experiment.toml", "tiny.h5"):
        shutil.copy(made / name, tmp_path)
    (tmp_path / VICTIM).write_text("untouched " * 100)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "tiny.h5"


def change(path: Path, how) -> None:
    file: Any
    with h5py.File(path, "r+") as file:
        how(file)


def external_storage(file):
    del file["weights/input_to_hidden/weight"]
    n = len(file["weights/input_to_hidden/pre"])
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_external(VICTIM.encode(), 0, 8 * n)
    space = h5py.h5s.create_simple((n,))
    h5py.h5d.create(file["weights/input_to_hidden"].id, b"weight", h5py.h5t.NATIVE_DOUBLE, space, plan)


def external_link(file):
    del file["weights/input_to_hidden"]
    file["weights/input_to_hidden"] = h5py.ExternalLink(VICTIM, "/")


def pipe_link(file):
    os.mkfifo("pipe")
    file["states/output/other"] = h5py.ExternalLink("pipe", "/")


def soft_link(file):
    del file["parameters"]
    file["parameters"] = h5py.SoftLink("/weights")


def two_names(file):
    file["states/output/other"] = file["states/output/y"]


def a_circle(file):
    file["checkpoint/self"] = file["checkpoint"]


def virtual(file):
    layout = h5py.VirtualLayout(shape=file["trials"].shape, dtype="f8")
    layout[...] = h5py.VirtualSource(VICTIM, "x", shape=file["trials"].shape)
    file.create_virtual_dataset("checkpoint/x", layout)


def replaced(name, **how):
    def do(file):
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, **how).attrs.update(attributes)

    return do


def attribute(where, name, value):
    return lambda file: file[where].attrs.create(name, value)


def compressed(file):
    values = file["metrics/loss"][:]
    del file["metrics/loss"]
    file.create_dataset("metrics/loss", data=values, maxshape=(None,), compression="gzip").attrs["per"] = "epoch"


ENDLESS = {"shape": (2**50,), "dtype": "f8", "chunks": (1024,), "maxshape": (None,)}
CASES = {
    "external storage": (external_storage, "the data of '/weights/input_to_hidden/weight' lie in other files"),
    "an external link": (external_link, "'/weights/input_to_hidden' is a link to elsewhere"),
    "a link to a pipe": (pipe_link, "'/states/output/other' is a link to elsewhere"),
    "a soft link": (soft_link, "'/parameters' is a link to elsewhere"),
    "one dataset twice": (two_names, "is there twice"),
    "a circle": (a_circle, "'/checkpoint/self' is there twice"),
    "a virtual dataset": (virtual, "'/checkpoint/x' is stored as no run stores it"),
    "compression": (compressed, "'/metrics/loss' is stored as no run stores it"),
    "endless metrics": (replaced("metrics/loss", **ENDLESS), "'/metrics/loss' declares 9007199254740992 bytes"),
    "missing chunks": (
        replaced("metrics/loss", shape=(2,), dtype="f8", chunks=(1,), maxshape=(None,)),
        "parts of '/metrics/loss' are missing",
    ),
    "other numbers": (
        replaced("metrics/loss", data=np.zeros(2, "f4"), maxshape=(None,)),
        "'/metrics/loss' is float32 of 1 dimensions, or misplaced",
    ),
    "text for numbers": (replaced("checkpoint/iteration", data="3"), "'/checkpoint/iteration' is object"),
    "two dimensions": (replaced("weights/input_to_hidden/pre", data=np.zeros((12, 1), "i8")), "is int64 of 2"),
    "columns of different length": (
        replaced("weights/input_to_hidden/pre", data=np.zeros(3, "i8")),
        "the columns of 'weights/input_to_hidden' differ in length",
    ),
    "metrics of different length": (
        replaced("metrics/accuracy", data=np.zeros(7), chunks=(8,), maxshape=(None,)),
        "the columns of 'metrics per epoch' differ in length",
    ),
    "states of other steps": (
        replaced("states/output/y", data=np.zeros((7, 2)), chunks=(8, 2), maxshape=(None, 2)),
        "'/states/output/y' has 7 rows, its trials need others",
    ),
    "trials without times": (
        lambda file: file["trials"].__setitem__(0, (0, 0, b"test", np.nan, np.nan)),
        "the times of its trials do not follow each other",
    ),
    "other columns of trials": (replaced("trials", data=np.zeros(3), maxshape=(None,)), "'/trials' has other columns"),
    "other columns of answers": (replaced("answers", data=np.zeros(3), chunks=(8,), maxshape=(None,)), "'/answers' is"),
    "an answer that there is not": (
        lambda file: file["answers"].__setitem__(0, (0, 0, b"test", 0, 0, 2)),
        "what '/answers' says was answered is no unit of the readout",
    ),
    "a phase that is no text": (
        lambda file: file["answers"].__setitem__(0, (0, 0, b"\xff", 0, 0, 0)),
        "a phase of its answers is no text",
    ),
    "answers of no unit": (attribute("answers", "size", 0), "what '/answers' says was wanted is no unit"),
    "classes that are no JSON": (attribute("answers", "classes", "cat"), "the classes of '/answers' are no JSON list"),
    "classes of lists": (attribute("answers", "classes", "[[1]]"), "the classes of '/answers' are no JSON list"),
    "more classes than units": (attribute("answers", "classes", "[1, 2, 3]"), "the classes of '/answers' are no JSON"),
    "first weights of others": (
        replaced("initial/input_to_hidden", data=np.zeros(3)),
        "'/initial/input_to_hidden' does not fit the weights and parameters there are",
    ),
    "best weights of nobody": (
        lambda file: file["best"].move("input_to_hidden", "nobody"),
        "'/best' holds other names than '/initial'",
    ),
    "no first weights": (lambda file: file.pop("initial"), "holds other names than '/initial'"),
    "the best of no round": (attribute("best", "round", 0), "'/best' is of no round"),
    "no rounds": (lambda file: file["history"].pop("round"), "'/history' has no rounds"),
    "rounds without values": (lambda file: file["history"].pop("values"), "'/history' has no rounds or no values"),
    "rounds that run back": (
        lambda file: file["history/round"].__setitem__(0, 7),
        "the rounds of '/history' do not follow each other",
    ),
    "weights of no round": (
        lambda file: file["history/values/input_to_hidden"].resize(1, axis=0),
        "'/history/values/input_to_hidden' has 1 rows, its rounds need others",
    ),
    "a type by name": (lambda file: file.__setitem__("checkpoint/t", np.dtype("f8")), "neither a group nor a dataset"),
    "something unknown": (lambda file: file.create_group("extra"), "runs have no 'extra'"),
    "no weights": (lambda file: file["weights/input_to_hidden"].pop("pre"), "has other columns than those of a run"),
    "status of no run": (attribute("/", "status", "done"), "its status, dt or seed is none that a run has"),
    "status as a number": (attribute("/", "status", 3), "the attribute 'status' of '/' has another type"),
    "status as a list": (attribute("/", "status", np.zeros(10**5, "i1")), "the attribute 'status' of '/' has another"),
    "dt of 0": (attribute("/", "dt", 0.0), "is damaged"),
    "dt is no number": (attribute("/", "dt", np.nan), "is damaged"),
    "seed as text": (attribute("/", "seed", "one"), "the attribute 'seed' of '/' has another type"),
    "config as a number": (attribute("/", "config", 1.5), "the attribute 'config' of '/' has another type"),
    "versions that are no JSON": (attribute("/", "versions", "{"), "its versions are no JSON"),
    "versions that are a list": (attribute("/", "versions", "[1]"), "its versions are no JSON"),
    "an unknown attribute": (attribute("/", "run", "x"), "the attribute 'run' of '/' is unknown"),
    "a missing attribute": (lambda file: file.attrs.pop("seed"), "the attribute 'seed' of '/' is missing"),
    "per of no kind": (attribute("metrics/loss", "per", "year"), "'/metrics/loss' is kept per 'year'"),
    "sorting as text": (attribute("spikes/hidden", "sorting", "by_time"), "attribute 'sorting' of '/spikes/hidden'"),
    "no neurons": (attribute("spikes/hidden", "size", 0), "'/spikes/hidden' has no neurons"),
    "total as a list": (attribute("checkpoint", "total", [1, 2]), "the attribute 'total' of '/checkpoint' has another"),
}  # fmt: skip


def sentence_of(call):
    with pytest.raises(UserError) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.startswith("'tiny.h5'")
    return sentence


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_is_not_what_a_run_leaves_is_refused_in_a_sentence(run, capsys, case):
    how, sentence = CASES[case]
    change(run, how)
    before = run.read_bytes()
    assert sentence in sentence_of(lambda: read_run("tiny.h5"))
    assert sentence in sentence_of(lambda: Checkpoint.read(Path("tiny.h5")))
    for words in (["compare"], ["resume"], ["trial", "experiment.toml", "--weights"]):
        assert main([*words, "tiny.h5"]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1) and sentence in err
    assert run.read_bytes() == before
    assert Path(VICTIM).read_text() == "untouched " * 100


def test_the_file_itself_is_fine(run):
    assert read_run("tiny.h5").status == "finished"
    assert Checkpoint.read(Path("tiny.h5")).updates == 6


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (["hidden", "node_ids"], "spikes of 'hidden' lie outside its trials or neurons"),
        (["hidden", "timestamps"], "spikes of 'hidden' lie outside its trials or neurons"),
    ],
)
def test_spikes_of_no_neuron_and_no_trial_are_noticed_when_they_are_read(run, name, sentence):
    change(run, lambda file: file["spikes"]["/".join(name)].__setitem__(0, 10**9))
    assert sentence in sentence_of(lambda: read_run("tiny.h5").spikes("hidden"))
    assert sentence in sentence_of(lambda: read_run("tiny.h5").trial_spikes("hidden", 0))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: os.mkfifo(path), "is no regular file"),
        (lambda path: path.mkdir(), "is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
        (lambda path: path.write_bytes(b""), "cannot be read as HDF5"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "cannot be read as HDF5"),
        (lambda path: path.symlink_to("tiny.h5"), "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_at_all(tmp_path, monkeypatch, make, sentence):
    monkeypatch.chdir(tmp_path)
    make(Path("tiny.h5"))
    assert sentence in sentence_of(lambda: read_run("tiny.h5"))


@pytest.mark.parametrize("name", ["no\0name", "x" * 300, "tiny.py/x"])
def test_a_name_that_no_file_has(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("tiny.py").touch()
    with pytest.raises(UserError, match=r"there is no file|cannot be read|a path has"):
        read_run(name)


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "import os; os.abort()", "raise SystemExit"])
def test_a_library_that_hangs_or_crashes_does_so_in_another_process(run, monkeypatch, code):
    helper = apart._Helper()
    monkeypatch.setattr(apart, "_START", code)
    monkeypatch.setattr(apart, "LIMIT", 0.3)
    monkeypatch.setattr("snnplast.record.reader.ask", helper.ask)
    sentence = "is damaged: the HDF5 library did not come to an end within 0.3 s, or crashed"
    assert sentence in sentence_of(lambda: read_run("tiny.h5"))
    monkeypatch.undo()
    assert read_run(run).status == "finished"


def test_a_process_whose_asker_is_gone_ends_itself(run):
    """Here it waits for a pipe that nobody writes, as it may loop in the library."""
    os.mkfifo("pipe")
    code = "import sys; sys.path[:] = sys.argv[1:]; import os; os.O_NONBLOCK = 0; "
    code += "from snnplast.record.apart import serve; serve()"
    words = [sys.executable, "-I", "-c", code, *(place for place in sys.path if place)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(json.dumps([os.path.abspath("pipe"), -0.9]).encode() + b"\n")
    process.stdin.flush()
    assert process.wait(timeout=20) == -signal.SIGALRM


def test_a_forked_child_reads_by_a_process_of_its_own(run):
    assert read_run(run).status == "finished"
    mine = apart._helper._process
    apart._helper._known.clear()
    child = os.fork()
    if not child:
        try:
            fine = read_run(run).status == "finished" and apart._helper._process is not mine
            apart._helper.stop()
            os._exit(0 if fine else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mine is not None and mine.poll() is None
    assert read_run(run).status == "finished"


def test_a_file_is_looked_at_once_while_it_stays_as_it_is(run, monkeypatch):
    os.utime(run, (1, 1))
    asked = []
    real = apart._helper._exchange
    monkeypatch.setattr(apart._helper, "_exchange", lambda *given: asked.append(given) or real(*given))
    for _ in range(3):
        read_run(run).spikes("hidden")
    assert len(asked) == 1
    os.utime(run, (2, 2))
    read_run(run)
    assert len(asked) == 2


@pytest.mark.parametrize("name", ["states/output/y", "spikes/hidden/node_ids"])
def test_what_a_run_goes_on_to_write_must_be_there(run, capsys, name):
    longer = ["resume", "tiny.h5", "--set", "train.epochs=3", "--quiet"]
    change(run, lambda file: file.__delitem__(name))
    assert main(longer) == 2
    assert capsys.readouterr().err.count("\n") == 1
