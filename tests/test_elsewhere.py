"""Trials of a batch on an executor: the same bits as here, also where a worker dies in the middle."""

from __future__ import annotations

import os
import pickle
import signal
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from mortal import Mortal

import snnplast as snn
from snnplast.cli.command import main
from snnplast.engine import NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.testing import small_network, small_samples, small_task
from snnplast.training import worker
from snnplast.training.elsewhere import NotHere
from snnplast.training.executors import Processes

compiled = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")


@pytest.fixture(autouse=True)
def nothing_is_known():
    """Each test begins with workers that know no experiment."""
    worker._experiments.clear()
    worker._free.clear()


def experiment(rule=None, network=None, task=None, **settings):
    settings = {"epochs": 1, "engine": NUMPY, **settings}
    return snn.Experiment(network or small_network(), task or small_task(), rule or snn.EProp(batch=10), **settings)


def assert_same(run, other):
    for mine, theirs in ((run.metrics, other.metrics), (run.weights, other.weights)):
        assert mine.keys() == theirs.keys() and len(mine)
        for name, values in mine.items():
            np.testing.assert_array_equal(values, theirs[name], err_msg=name)


@pytest.mark.parametrize(
    "rule",
    [
        snn.EProp(batch=10),
        snn.EProp(batch=7, evaluation="online"),
        snn.EProp(batch=6, regularisers=["batch-firing-rate"]),
        snn.BPTT(batch=20),
    ],
    ids=["factored", "online", "one signal for the batch", "bptt"],
)
def test_a_run_on_an_executor_has_the_same_bits(rule):
    with ThreadPoolExecutor(3) as pool:
        there = snn.train(experiment(rule), executor=pool)
    here = snn.train(experiment(rule))
    assert_same(here, there)
    assert not np.array_equal(here.weights["input_to_first"], here.values("input_to_first", "initial"))


def test_what_a_run_keeps_of_its_trials_comes_back(tmp_path):
    def recorded(name):
        kept = {"spikes": ["neurons", "input"], "variables": ["output.y"], "trials": "all"}
        return experiment(record=snn.Recording(path=str(tmp_path / name), **kept))

    here = snn.train(recorded("here.h5"))
    there = snn.train(recorded("there.h5"), executor=Mortal())
    assert_same(here, there)
    np.testing.assert_array_equal(here.trials, there.trials)
    np.testing.assert_array_equal(here.confusion(), there.confusion())
    for name in ("input", "first", "second"):
        for mine, theirs in zip(here.spikes(name), there.spikes(name), strict=True):
            assert mine.size
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(here.state("output/y"), there.state("output/y"))


def test_what_no_one_keeps_stays_where_it_was():
    seen = []
    snn.train(experiment(), executor=Mortal(), callbacks=[lambda moment: seen.extend(moment.trials)])
    assert [record.index for record in seen] == list(range(20)) and all(record.judgement.loss > 0 for record in seen)
    with pytest.raises(UserError, match="'first': spikes and histories of this trial stayed on the executor's worker"):
        seen[0].counts("first")
    assert isinstance(seen[0].history, NotHere) and list(seen[0].history) == []


def test_a_control_is_compared_with_as_it_is_here():
    compared = experiment(snn.EProp(batch=10), compare=snn.BPTT())
    assert_same(snn.train(compared), snn.train(compared, executor=Mortal()))


@pytest.mark.parametrize("error", [RuntimeError("killed"), BrokenExecutor("gone")])
def test_a_worker_that_dies_changes_no_bit(error):
    made = []

    def factory():
        made.append(Mortal(lambda call, item: error if call == 8 and len(made) == 1 else None))
        return made[-1]

    assert_same(snn.train(experiment()), snn.train(experiment(), executor=factory))
    assert len(made) == 1 + isinstance(error, BrokenExecutor) and made[-1].closed


def test_a_worker_that_dies_twice_ends_the_run_in_a_sentence():
    with pytest.raises(UserError, match="executor: a worker has ended at the same work twice: RuntimeError: killed"):
        snn.train(experiment(), executor=Mortal(lambda call, item: RuntimeError("killed") if call > 6 else None))


def test_an_experiment_is_sent_once_to_a_process():
    sent = []

    def note(call, item):
        sent.append(item.experiment is not None)

    snn.train(experiment(), executor=Mortal(note))
    assert sent[:3] == [False, False, False] and sum(sent) == 3
    sent.clear()
    snn.train(experiment(), executor=Mortal(note))
    assert sum(sent) == 0, "the process knows it already"


def test_a_process_keeps_the_last_experiments_alone():
    for seed in range(4):
        snn.train(experiment(seed=seed), executor=Mortal())
    assert len(worker._experiments) == worker.KEPT and worker._free.keys() == worker._experiments.keys()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (
            lambda: experiment(snn.IBHebbian(), small_network("rate")),
            "rule 'ib-hebbian' on this network each trial depends on the one before",
        ),
        (
            lambda: experiment(snn.STDP(), small_network("none"), small_samples()),
            "rule 'stdp' on this network each trial depends on the one before",
        ),
        (lambda: experiment(workers=2), "executor: train.workers = 2: trials run in these threads, or"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(made, sentence):
    with pytest.raises(UserError, match=sentence):
        snn.train(made(), executor=Mortal())


@pytest.mark.parametrize(
    ("executor", "sentence"),
    [
        (3, "executor = 3: an executor of concurrent.futures, or a function that returns one, is needed"),
        (lambda: 3, "executor: the function returns 3: an executor of concurrent.futures is needed"),
    ],
)
def test_what_is_no_executor_is_refused(executor, sentence):
    with pytest.raises(UserError, match=sentence):
        snn.train(experiment(), executor=executor)


def test_a_worker_of_another_kind_is_refused(monkeypatch):
    monkeypatch.setattr(worker, "origin", lambda *given: {"numpy": "0.1"})
    with pytest.raises(UserError, match=r"snnplast is absent on a worker, .* where the run is: the bits would not"):
        snn.train(experiment(), executor=Mortal())


def test_what_cannot_be_made_on_a_worker_is_said_in_a_sentence(monkeypatch):
    def gone(packed):
        raise AttributeError("no class 'Mine'")

    monkeypatch.setattr(worker.pickle, "loads", gone)
    with pytest.raises(UserError, match="a worker cannot make the experiment: AttributeError: no class 'Mine'; what"):
        snn.train(experiment(), executor=Mortal())


def test_the_shell_runs_trials_on_an_executor(tiny):
    tiny.write("mine.py", "from concurrent.futures import ThreadPoolExecutor as P\ndef two():\n    return P(2)")
    assert main(["run", "experiment.toml", "--quiet", "--set", "record.path=here.h5"]) == 0
    assert main(["run", "experiment.toml", "--quiet", "--set", "record.path=there.h5", "--executor", "mine:two"]) == 0
    assert main(["resume", "there.h5", "--quiet", "--set", "train.epochs=3", "--executor", "mine:two"]) == 0
    assert main(["resume", "here.h5", "--quiet", "--set", "train.epochs=3"]) == 0
    assert_same(read_run("here.h5"), read_run("there.h5"))


def test_files_that_trials_read_on_a_worker_are_files_of_the_run(tiny):
    text = (tiny.path / "tiny.py").read_text()
    reading = "class Reads(Classification):\n    def trial(self, index):\n        open('data.txt').close()\n"
    reading += "        return super().trial(index)\n\n\nclass Tiny"
    tiny.write("tiny.py", text.replace("class Tiny", reading).replace("return Classification(", "return Reads("))
    tiny.write("data.txt", "1")
    assert main(["run", "experiment.toml", "--quiet", "--executor", "mortal:Mortal"]) == 0
    tiny.write("data.txt", "2")
    with pytest.raises(UserError, match=r"the data file '.*data.txt' has changed since the run"):
        snn.resume("tiny.h5", sets=["train.epochs=3"])


def kill_the_first(path):
    """The work of a process that is killed in the middle, once."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(snn.Classification):
    """Its eleventh trial kills the process that runs it, once."""

    def trial(self, index):
        if index == 10:
            kill_the_first(self.path)
        return super().trial(index)


def deadly(path):
    task = Deadly(*ARRAYS, steps=60)
    task.path = str(path)
    return task


RNG = np.random.default_rng(3)
ARRAYS = RNG.random((20, 12)), np.arange(20) % 3, RNG.random((4, 12)), np.arange(4) % 3


@compiled
@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_processes_have_the_same_bits_and_one_may_be_killed_in_the_middle(tmp_path, count):
    (tmp_path / "spent").touch()
    here = snn.train(experiment(task=deadly(tmp_path / "spent"), engine="compiled"))
    there = snn.train(experiment(task=deadly(tmp_path / "new"), engine="compiled"), executor=lambda: Processes(count))
    assert (tmp_path / "new").exists()
    assert_same(here, there)


@compiled
@pytest.mark.slow
def test_dask_has_the_same_bits():
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster) as client:
        there = snn.train(experiment(engine="compiled"), executor=client.get_executor())
    assert_same(snn.train(experiment(engine="compiled")), there)


def test_work_is_small_without_the_experiment():
    seen = []
    snn.train(experiment(), executor=Mortal(lambda call, item: seen.append(len(pickle.dumps(item)))))
    assert min(seen) < 20_000
