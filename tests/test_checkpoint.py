"""Checkpoints: a run that was interrupted or killed, wherever, and went on, leaves what an uninterrupted one leaves."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from snnplast.cli import run as running
from snnplast.cli.command import main
from snnplast.engine import compiler_available
from snnplast.errors import UserError
from snnplast.record.digest import digest, of_text
from snnplast.record.reading import read_run
from snnplast.training.checkpoint import Checkpoint, Pace
from snnplast.training.session import Session
from snnplast.training.trainer import Trainer

MODEL = '''
from typing import Literal

import numpy as np

from snnplast import Classification, CrossEntropy, Model, Segment, Task
from snnplast.random_streams import SOURCES, stream
from snnplast.testing import small_network


class Stream(Task):
    """Fresh trials without end, and two test trials."""

    def __init__(self, seed):
        self.objective, self.seed, self.tests = CrossEntropy(), seed, 2

    def trial(self, index):
        rng = stream(self.seed, SOURCES, 8, index)
        yield Segment(25, {"input": rng.random(12)}, {"output.target": np.eye(3)[rng.integers(3)]})

    def test(self, index):
        return self.trial(1000 + index)


class Small(Model):
    """Seven samples, two test samples; or fresh trials."""

    readout: Literal["leaky", "rate"] = "leaky"
    fresh: bool = False

    def network(self):
        return small_network(self.readout)

    def task(self, seed):
        if self.fresh:
            return Stream(seed)
        x = stream(seed, SOURCES, 6).random((9, 12))
        labels = np.arange(9) % 3
        return Classification(x[:7], labels[:7], x[7:], labels[7:], steps=25, seed=seed)
'''

EXPERIMENT = """
rule = "e-prop"
engine = { name = "runtime", target = "numpy" }

[model]
file = "small.py"

[rules.e-prop]
batch = 2
optimizer = { name = "adam", learning_rate = 1e-2 }

[rules.ib-hebbian]
model = { readout = "rate" }
third_factor = { name = "hsic", window = 3 }

[third_factors.reservoir]
teacher = { name = "hsic", window = 3 }
units = 18
streams = 6
stream_length = 30

[train]
epochs = 2
seed = 3

[record]
spikes = ["input", "first", "second"]
variables = ["output.y"]
trials = "all"
"""

# Trials of an uninterrupted run, tests included: 2 epochs of 7 and 2; 5 iterations of 2, and 2 at the end.
KINDS = {
    "e-prop": (["record.weights=every 1"], 18),
    "e-prop online, fresh trials": (
        [
            *("model.fresh=true", "train.iterations=5", "rules.e-prop.evaluation=online", "record.every=2"),
            *("record.weights=every 2", 'record.variables=["output.y", "input_to_first.eligibility"]'),
        ],
        12,
    ),
    "ib-hebbian with hsic": (["rule=ib-hebbian", 'record.variables=["first.v"]'], 18),
    "ib-hebbian with a reservoir": (
        ["rule=ib-hebbian", "rules.ib-hebbian.third_factor=reservoir", 'record.variables=["first_reservoir.r"]'],
        18,
    ),
    "two workers, few trials kept": (["train.workers=2", "rules.e-prop.batch=4", "record.first=3"], 18),
    "single precision": (['engine={ name = "compiled", precision = "single" }', "record.weights=every 1"], 18),
}
COMPILED = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
every_kind = pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=[pytest.mark.slow, COMPILED] if k == "single precision" else ()) for k in KINDS],
)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    monkeypatch.setattr(running, "_figures", lambda path: [])


@pytest.fixture
def small(folder):
    folder.write("small.py", MODEL)
    folder.write("experiment.toml", EXPERIMENT)
    return folder


@pytest.fixture
def snnplast(capsys):
    """Runs a command line; returns exit status and standard error."""

    def call(*words):
        return main([*words, "--quiet"]), capsys.readouterr().err

    return call


def options(*sets):
    return [word for text in sets for word in ("--set", text)]


def begin(*sets):
    return ["run", "experiment.toml", "--force", *options("record.path=run.h5", *sets)]


def opened(path, mode="r") -> Any:  # h5py's types do not know which path holds a group
    return h5py.File(path, mode)


def signed(path, change):
    """A file with a change that its checkpoint and settings are then signed with, as by another version."""
    with opened(path, "r+") as file:
        change(file)
        arrays: dict[str, Any] = {}
        file["checkpoint"].visititems(
            lambda name, item: arrays.update({name: item[()]} if isinstance(item, h5py.Dataset) else {})
        )
        attributes = file["checkpoint"].attrs
        rest = {name: value for name, value in attributes.items() if name not in ("digest", "settings")}
        attributes["digest"], attributes["settings"] = digest(arrays, rest), of_text(file.attrs["config"])


def tree(path, leave=()):
    """Everything in an HDF5 file: values of all datasets, attributes of all objects but those to `leave` out."""
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item.dtype, item.shape, item[()].tobytes()
        found.update({(name, key): np.array(value).tolist() for key, value in item.attrs.items() if key not in leave})

    with opened(path) as file:
        add("/", file)
        file.visititems(add)
        found["order of metrics"] = list(file["metrics"])
    return found


def assert_same(path, whole, leave=()):
    found, expected = tree(path, leave), tree(whole, leave)
    assert [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)] == []
    assert {"answers", "initial", "best"} <= {str(name).split("/")[0] for name in found}
    assert found["history/round"][1] > (0,) if "every" in found["/", "config"].split("\nweights = ")[1] else True
    spikes = [name for name in found if str(name).endswith("timestamps")]
    assert spikes and all(found[name][1] > (10,) for name in spikes), "hardly a spike: the test is vacuous"


def uninterrupted(snnplast, *sets, name="whole.h5"):
    """The file of a run that nothing disturbs, and its size in trials."""
    assert snnplast(*begin(*sets)) == (0, "")
    shutil.move("run.h5", name)
    return name


@pytest.fixture
def disturb(monkeypatch):
    """Lets something happen before the n-th trial from now is simulated, counted from 1."""
    original, left = Trainer._simulate, []

    def simulate(self, *arguments):
        for what in left:
            what[0] -= 1
            if not what[0]:
                what[1]()
        return original(self, *arguments)

    monkeypatch.setattr(Trainer, "_simulate", simulate)

    def schedule(n, happens):
        left[:] = [[n, happens]]

    return schedule


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def in_a_child(words, before=lambda: None):
    """Runs a command line in a process of its own; its id."""
    child = os.fork()
    if not child:
        try:
            before()
            os._exit(main([*words, "--quiet"]))
        finally:
            os._exit(99)
    return child


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# Ctrl-C


@every_kind
def test_a_run_interrupted_and_resumed_leaves_the_same_file(small, snnplast, disturb, kind):
    sets, trials = KINDS[kind]
    whole = uninterrupted(snnplast, *sets)
    # Of 18: in the first update, as the last of an epoch, in its test, amid an update of the second epoch, at the end.
    for place in (1, 7, 9, 12, 18) if kind == "e-prop" else (4, trials // 2 + 2, trials):
        disturb(place, ctrl_c)
        status, err = snnplast(*begin(*sets))
        assert status == 130
        assert re.fullmatch(r"snnplast: interrupted; 'snnplast resume run.h5' goes on after update \d+ of \d+\n", err)
        assert read_run("run.h5").status == "interrupted"
        disturb(0, ctrl_c)
        assert snnplast("resume", "run.h5") == (0, "")
        assert_same("run.h5", whole)


def test_a_run_interrupted_again_and_again_leaves_the_same_file(small, snnplast, disturb):
    whole = uninterrupted(snnplast)
    words, runs = begin(), 0
    while True:
        disturb(3, ctrl_c)
        status, _ = snnplast(*words)
        words, runs = ["resume", "run.h5"], runs + 1
        if status == 0:
            break
        assert status == 130
    assert runs > 4
    assert_same("run.h5", whole)


def test_ctrl_c_waits_for_the_end_of_the_update(small, snnplast, disturb):
    disturb(4, ctrl_c)  # amid the second update
    snnplast(*begin())
    checkpoint = Checkpoint.read(Path("run.h5"))
    assert checkpoint.updates == 2
    assert len(read_run("run.h5").trials) == 4
    np.testing.assert_array_equal(
        read_run("run.h5").synapses("input_to_first")[2], checkpoint.state["values/input_to_first"]
    )


def test_a_second_ctrl_c_stops_at_once_and_the_checkpoint_before_counts(small, snnplast, disturb):
    whole = uninterrupted(snnplast, "train.checkpoint_every=1")
    disturb(13, lambda: (ctrl_c(), ctrl_c()))
    status, err = snnplast(*begin("train.checkpoint_every=1"))
    assert (status, err) == (130, "snnplast: interrupted; 'snnplast resume run.h5' goes on after update 4 of 8\n")
    assert read_run("run.h5").trials["iteration"].max() == 5
    assert snnplast("resume", "run.h5") == (0, "")
    assert_same("run.h5", whole)


def test_without_a_file_there_is_no_checkpoint_and_ctrl_c_ends_the_run(small, snnplast, disturb):
    disturb(3, ctrl_c)
    assert snnplast(*begin("record.path=")) == (130, "snnplast: interrupted\n")
    assert small.files() == {"small.py", "experiment.toml"}


# Kills


@every_kind
def test_a_run_killed_amid_an_update_goes_on_from_the_last_checkpoint(small, snnplast, disturb, kind):
    sets, trials = [*KINDS[kind][0], "train.checkpoint_every=1"], KINDS[kind][1]
    whole = uninterrupted(snnplast, *sets)
    kill = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
    child = in_a_child(begin(*sets), lambda: disturb(trials - 4, kill))
    assert ended(child) == -signal.SIGKILL
    assert read_run("run.h5").status == "running"
    assert snnplast("resume", "run.h5") == (0, "")
    assert_same("run.h5", whole)


def test_a_run_killed_at_random_moments_over_and_over_leaves_the_same_file(small, snnplast):
    sets = ["train.checkpoint_every=1", "train.epochs=12"]
    whole = uninterrupted(snnplast, *sets)
    choose, kills, words = random.Random(1), 0, begin(*sets)
    for _ in range(100):
        child, written = in_a_child(words), last_change("run.h5")
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            time.sleep(0.001)
            if last_change("run.h5") != written:
                time.sleep(choose.uniform(0, 0.3))
                os.kill(child, signal.SIGKILL)
                break
        if ended(child) == 0:
            break
        kills += 1
        words = ["resume", "run.h5"] if holds_a_checkpoint("run.h5") else words
    assert kills >= 1
    assert_same("run.h5", whole)


# Length, and other changes on the way


@pytest.mark.parametrize(
    ("before", "after", "sets"),
    [
        ("train.epochs=1", "train.epochs=3", ["record.every=2"]),
        ("train.epochs=3", "train.epochs=4", ["record.every=2"]),  # epoch 3 was kept, being the last one
        ("train.iterations=6", "train.epochs=2", []),  # it ended amid an epoch
        ("train.iterations=3", "train.iterations=4", ["model.fresh=true"]),  # it was tested at the end
    ],
)
def test_a_complete_run_made_longer_leaves_what_the_long_run_leaves(small, snnplast, before, after, sets):
    whole = uninterrupted(snnplast, after, *sets)
    uninterrupted(snnplast, before, *sets, name="run.h5")
    assert snnplast("resume", "run.h5", "--set", after) == (0, "")
    assert_same("run.h5", whole)


def test_the_number_of_workers_may_change_on_the_way(small, snnplast, disturb):
    whole = uninterrupted(snnplast)
    disturb(8, ctrl_c)
    snnplast(*begin("train.workers=2"))
    assert snnplast("resume", "run.h5", "--set", "train.workers=1") == (0, "")
    assert_same("run.h5", whole)


def test_a_file_that_was_moved_goes_on_where_it_is(small, snnplast, disturb):
    whole = uninterrupted(snnplast)
    disturb(8, ctrl_c)
    snnplast(*begin())
    (small.path / "elsewhere").mkdir()
    shutil.move("run.h5", "elsewhere/moved.h5")
    assert snnplast("resume", "elsewhere/moved.h5") == (0, "")
    assert_same("elsewhere/moved.h5", whole)
    assert not (small.path / "run.h5").exists()


# How often


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


def test_automatic_checkpoints_come_every_ten_seconds():
    pace = Pace("auto", clock := Clock())
    due = []
    for clock.now in range(1, 41):
        if pace.due(1, ends=False):
            due.append(clock.now)
            with pace.measured():
                pass
    assert due == [10, 20, 30, 40]


def test_automatic_checkpoints_take_one_percent_of_the_time_at_most():
    pace = Pace("auto", clock := Clock())
    with pace.measured():
        clock.now += 3
    clock.now += 299
    assert not pace.due(1, ends=True)
    clock.now += 1
    assert pace.due(1, ends=True)


def test_a_number_asks_for_a_checkpoint_at_the_end_of_every_kth_round_and_0_for_none():
    places = [(round_, ends) for round_ in range(1, 6) for ends in (False, True)]
    assert [place for place in places if Pace(2).due(*place)] == [(2, True), (4, True)]
    assert [place for place in places if Pace(0).due(*place)] == []


def test_a_run_writes_as_many_checkpoints_as_were_asked_for_and_one_at_the_end(small, snnplast, monkeypatch):
    saved, save = [], Session._pause

    def watched(self, file, due):
        if due:
            saved.append(self.trainer.iteration)
        save(self, file, due)

    monkeypatch.setattr(Session, "_pause", watched)
    for every, expected in (("2", [8, 16, 20]), ("0", [20]), ("auto", [20])):
        saved.clear()
        snnplast(*begin(f"train.checkpoint_every={every}", "train.epochs=5"))
        assert saved == expected
        assert Checkpoint.read(Path("run.h5")).updates == 20


@pytest.mark.parametrize("value", ["-1", "often", "1.5"])
def test_any_other_number_is_a_mistake(small, snnplast, value):
    status, err = snnplast(*begin(f"train.checkpoint_every={value}"))
    assert status == 2
    assert err.startswith("snnplast: --set train.checkpoint_every")
    assert "'auto'" in err and err.count("\n") == 1


# Runs that cannot go on


def refused(result):
    """The sentence of a run that does not go on; its file is as it was before."""
    status, err = result
    assert status == 2
    assert err.startswith("snnplast: ") and err.count("\n") == 1
    return err


@pytest.fixture
def interrupted(small, snnplast, disturb):
    """The folder with the file of an interrupted run, which must not change."""
    disturb(6, ctrl_c)
    snnplast(*begin())
    before = (small.path / "run.h5").read_bytes()
    yield small
    assert (small.path / "run.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model.readout=rate", "--set model.readout=rate: a run that goes on keeps this setting; Known: train."),
        ("rules.e-prop.batch=1", "--set rules.e-prop.batch=1: a run that goes on keeps this setting"),
        ("train.seed=4", "--set train.seed=4: a run that goes on keeps this setting"),
        ("train.epcohs=4", "did you mean 'train.epochs'?"),
        ("train.epochs", "--set train.epochs: table.key=value is needed"),
        ("train.epochs=0", "--set train.epochs = 0: input should be greater than or equal to 1"),
        ("train.epochs=1", "'run.h5': 4 updates instead of 8: a run that goes on can become longer, not shorter"),
        ("record.path=other.h5", "--set record.path=other.h5: a run that goes on keeps this setting"),
    ],
)
def test_other_settings_stay_as_they_are(interrupted, snnplast, text, sentence):
    assert sentence in refused(snnplast("resume", "run.h5", "--set", text))


def test_a_run_whose_learning_rate_follows_a_schedule_keeps_its_length(small, snnplast):
    schedule = "rules.e-prop.optimizer.schedule=linear"
    whole = uninterrupted(snnplast, schedule)
    shutil.copy(whole, "run.h5")
    assert "'run.h5': 12 updates instead of 8: a schedule spreads the learning rate over the run" in refused(
        snnplast("resume", "run.h5", "--set", "train.epochs=3")
    )
    assert_same("run.h5", whole)


def test_a_run_with_a_schedule_goes_on_with_the_rate_it_had(small, snnplast, disturb):
    schedule = "rules.e-prop.optimizer.schedule=linear"
    whole = uninterrupted(snnplast, schedule)
    disturb(9, ctrl_c)
    snnplast(*begin(schedule))
    assert snnplast("resume", "run.h5") == (0, "")
    assert_same("run.h5", whole)


@pytest.mark.parametrize("sets", [[], ["train.epochs=2"], ["train.iterations=8"], ["train.workers=2"]])
def test_a_complete_run_has_nothing_left_to_do(small, snnplast, sets):
    snnplast(*begin())
    before = (small.path / "run.h5").read_bytes()
    assert "'run.h5' is complete; --set train.epochs=N or train.iterations=N makes its run longer" in refused(
        snnplast("resume", "run.h5", *options(*sets))
    )
    assert (small.path / "run.h5").read_bytes() == before


def test_a_failed_run_would_fail_again(small, snnplast, disturb):
    def spoil():
        raise UserError("a neuron has had enough")

    disturb(12, spoil)
    assert snnplast(*begin("train.checkpoint_every=1"))[0] == 2
    assert "'run.h5' ended with an error, which would come again" in refused(snnplast("resume", "run.h5"))


def test_a_run_killed_before_its_first_checkpoint_holds_none(small, snnplast, disturb):
    kill = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
    ended(in_a_child(begin(), lambda: disturb(12, kill)))
    assert "'run.h5' holds no checkpoint: its run, 'running', ended before the first one" in refused(
        snnplast("resume", "run.h5")
    )


def test_a_run_that_still_goes_on_is_left_alone(interrupted, snnplast):
    words = [sys.executable, "-c", "import h5py, sys; f = h5py.File('run.h5'); print(1, flush=True); sys.stdin.read()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        assert f"'run.h5' is open in another process ({other.pid}), which still writes or reads it" in refused(
            snnplast("resume", "run.h5")
        )
        other.communicate(b"")


def test_a_model_file_that_changed_is_named(interrupted, snnplast):
    interrupted.write("small.py", MODEL.replace("random(12)", "random(12)**2"))
    assert re.search(
        r"'run.h5': the model file '\S+small.py' has changed since the run \(\w+ then, \w+ now\); --inexact goes on",
        refused(snnplast("resume", "run.h5")),
    )


def test_a_model_file_that_is_gone_is_named(interrupted, snnplast):
    (interrupted.path / "small.py").unlink()
    assert re.search(r"run.h5: model.file: there is no file '\S+small.py'", refused(snnplast("resume", "run.h5")))


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("numpy", "numpy was 1.0 in the run, here it is "),
        ("processor", "processor was 1.0 in the run, here it is "),
        ("engine", "engine was 1.0 in the run, here it is runtime"),
        ("julia", "julia was 1.0 in the run, here it is absent"),
    ],
)
def test_another_version_or_machine_is_named_and_may_be_accepted(small, snnplast, disturb, what, sentence):
    disturb(6, ctrl_c)
    snnplast(*begin())

    def elsewhere(file):
        attributes = file["checkpoint"].attrs
        known = f'"{what}": "' in attributes["origin"]
        changed = re.sub(f'("{what}": ")[^"]*', r"\g<1>1.0", attributes["origin"])
        attributes["origin"] = changed if known else changed.replace("{", f'{{"{what}": "1.0", ', 1)

    signed("run.h5", elsewhere)
    assert sentence in refused(snnplast("resume", "run.h5"))
    assert snnplast("resume", "run.h5", "--inexact") == (0, "")
    assert read_run("run.h5").status == "finished"


def test_settings_that_mean_something_else_now_are_noticed(small, snnplast, disturb):
    disturb(6, ctrl_c)
    snnplast(*begin())
    signed("run.h5", lambda file: file.attrs.update(config=file.attrs["config"].replace("fresh = false\n", "")))
    assert "its settings mean something else" in refused(snnplast("resume", "run.h5"))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: path.write_text("text"), "'run.h5' cannot be read as HDF5: "),
        (lambda path: os.truncate(path, path.stat().st_size // 2), "'run.h5' cannot be read as HDF5: "),
        (lambda path: h5py.File(path, "w").close(), "'run.h5' is not the file of a run"),
        (lambda path: path.unlink(), "there is no file 'run.h5'"),
        (lambda path: (path.unlink(), path.mkdir()), "'run.h5' is no regular file"),
    ],
)
def test_what_is_not_the_file_of_a_run_is_refused(small, snnplast, disturb, damage, sentence):
    disturb(6, ctrl_c)
    snnplast(*begin())
    damage(small.path / "run.h5")
    assert sentence in refused(snnplast("resume", "run.h5"))


def test_a_checkpoint_without_its_attributes_or_of_another_network_is_refused(small, snnplast, disturb):
    disturb(6, ctrl_c)
    snnplast(*begin())

    def replace(values):
        def change(file):
            old = file["checkpoint/values/input_to_first"][:]
            del file["checkpoint/values/input_to_first"]
            file["checkpoint/values/input_to_first"] = values(old)

        return change

    signed("run.h5", replace(lambda weights: np.zeros(96, "f2")))
    assert "checkpoint: 'values/input_to_first' is float16, the experiment's float64" in refused(
        snnplast("resume", "run.h5")
    )
    signed("run.h5", replace(lambda weights: weights[:5]))
    assert "checkpoint: 'values/input_to_first' has shape (5,), the experiment (96,)" in refused(
        snnplast("resume", "run.h5")
    )
    signed("run.h5", lambda file: file["checkpoint"].attrs.pop("round"))
    assert "'run.h5': its checkpoint is not one of this version" in refused(snnplast("resume", "run.h5"))


def set_attribute(name, value):
    return lambda file: file["checkpoint"].attrs.modify(name, value)


def set_array(name, value):
    def change(file):
        del file[f"checkpoint/{name}"]
        file[f"checkpoint/{name}"] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (set_array("iteration", np.array(1)), ""),
        (set_array("iteration", np.array(9)), "'run.h5': its checkpoint is of update 9 of 8"),
        (set_array("iteration", np.array(-1)), "'run.h5': its checkpoint is of update -1 of 8"),
        (set_array("optimizer/input_to_first/n", np.array(2.0, "f2")), "'optimizer/input_to_first/n' is float16"),
        (set_attribute("metrics", '["lost"]'), "'run.h5': the metric 'lost' has fewer rows"),
        (set_attribute("total", 5), ""),
        (set_attribute("round", "{}"), ""),
        (lambda file: file.attrs.update(config=file.attrs["config"].replace("seed = 3", "seed = 4")), ""),
    ],
)
def test_a_checkpoint_that_other_hands_have_changed_does_not_go_on(interrupted, snnplast, change, sentence):
    """Whether it is signed anew or not, where `sentence` says what is wrong even then."""
    shutil.copy("run.h5", "kept.h5")
    with opened("run.h5", "r+") as file:
        change(file)
    assert "its checkpoint or settings are not those that its run has written" in refused(snnplast("resume", "run.h5"))
    if sentence:
        signed("run.h5", lambda file: None)
        assert sentence in refused(snnplast("resume", "run.h5"))
    shutil.move("kept.h5", "run.h5")


# The real thing


@pytest.mark.slow
@pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
@pytest.mark.parametrize(
    ("model", "sets"),
    [
        (
            "evidence-accumulation",
            ["model.draws=fresh", "model.tests=3", "train.iterations=30", "rules.e-prop.batch=4", "train.workers=2"],
        ),
        ("xor", ["rules.ib-hebbian.third_factor.name=reservoir", "train.iterations=1500", "record.trials=all"]),
    ],
)
def test_a_registered_model_killed_from_outside_goes_on_to_the_same_file(folder, snnplast, model, sets):
    words = ["run", model, *options(*sets, "record.path=run.h5", "train.checkpoint_every=1", "record.every=1")]
    assert snnplast(*words) == (0, "")
    shutil.move("run.h5", "whole.h5")
    code = "import sys; from snnplast.cli.command import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", code, *words, "--quiet"])
    limit = time.monotonic() + 120
    while not holds_a_checkpoint("run.h5") and time.monotonic() < limit:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert read_run("run.h5").status == "running", "it was complete before it could be killed"
    assert snnplast("resume", "run.h5") == (0, "")
    assert_same("run.h5", "whole.h5")


def last_change(path):
    return os.stat(path).st_mtime_ns if os.path.exists(path) else 0


def holds_a_checkpoint(path):
    try:
        return Checkpoint.read(Path(path)).updates > 0
    except UserError:
        return False
