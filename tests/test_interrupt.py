"""Ctrl-C, SIGTERM and SIGHUP end a run alike: a checkpoint, a sentence, and the status that shells expect."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from threading import Thread

import numpy as np
import pytest

from snnplast.cli.command import main
from snnplast.record.reading import read_run
from snnplast.training.interrupt import Interrupted, Interrupts, Stopped, heard, ignore, number_of, told_by_parent
from snnplast.training.trainer import Trainer

SIGNALS = {signal.SIGINT: "", signal.SIGTERM: " by SIGTERM", signal.SIGHUP: " by SIGHUP"}
every_signal = pytest.mark.parametrize(("number", "by"), SIGNALS.items(), ids=lambda value: getattr(value, "name", ""))


@pytest.fixture
def usual():
    """How signals are handled around the test, which leaves it so."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield before
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


@pytest.fixture
def amid_the_third_update(monkeypatch):
    """Lets something happen there, once."""
    what, update = [], Trainer.update

    def watched(self):
        if self.iteration == 2 and what:
            what.pop()()
        return update(self)

    monkeypatch.setattr(Trainer, "update", watched)
    return what


@every_signal
def test_a_run_that_is_told_to_stop_leaves_a_checkpoint(tiny, capsys, usual, amid_the_third_update, number, by):
    main(["run", "experiment.toml", "--quiet", "--set", "record.path=whole.h5"])
    amid_the_third_update.append(lambda: os.kill(os.getpid(), number))
    assert main(["run", "experiment.toml", "--quiet"]) == 128 + number
    again = "'snnplast resume tiny.h5' goes on after update 3 of 6"
    assert capsys.readouterr().err == f"snnplast: interrupted{by}; {again}\n"
    assert read_run("tiny.h5").status == "interrupted"
    assert main(["resume", "tiny.h5", "--quiet"]) == 0
    found, whole = read_run("tiny.h5"), read_run("whole.h5")
    np.testing.assert_array_equal(found.metrics["loss"], whole.metrics["loss"])
    np.testing.assert_array_equal(found.synapses("input_to_hidden"), whole.synapses("input_to_hidden"))


@every_signal
def test_outside_of_training_they_end_the_command_at_once_and_nothing_is_left(
    tiny, capsys, usual, monkeypatch, number, by
):
    from snnplast.training import run

    monkeypatch.setattr(run, "simulation_of", lambda *_, **__: os.kill(os.getpid(), number) or time.sleep(5))
    assert main(["run", "experiment.toml", "--quiet"]) == 128 + number
    assert capsys.readouterr().err == f"snnplast: interrupted{by}\n"
    assert tiny.files() == {"tiny.py", "experiment.toml"}


@every_signal
def test_the_second_one_interrupts_at_once(usual, number, by):
    with heard(), Interrupts() as interrupts:
        os.kill(os.getpid(), number)
        assert interrupts.wanted == number
        with pytest.raises(Stopped) as stopped:
            interrupts.check()
        assert number_of(stopped.value) == number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_one_that_is_ignored_stays_ignored(usual):
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with heard(), Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupts.wanted
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_handler_of_the_users_own_stays(usual):
    heard_by_user = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard_by_user.append(number))
    try:
        with heard():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard_by_user == [signal.SIGTERM]


def test_outside_the_main_thread_nothing_is_changed(usual):
    found = []

    def work():
        with heard(), Interrupts() as interrupts:
            found.append({number: signal.getsignal(number) for number in SIGNALS} == usual and not interrupts.wanted)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]


def test_what_a_worker_raises_reaches_its_parent():
    error = pickle.loads(pickle.dumps(Interrupted(signal.SIGTERM, "; so it is")))
    assert (str(error), error.number) == ("interrupted by SIGTERM; so it is", signal.SIGTERM)


def test_a_process_of_a_sweep_hears_what_its_parent_passes_on_and_not_the_same_once_more_from_a_batch_system(usual):
    try:
        ignore()
        with pytest.raises(Interrupted), told_by_parent(), Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            assert not interrupts.wanted
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupts.wanted == signal.SIGINT
            interrupts.check()
        assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_IGN}
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["parent", "all"])
def test_a_sweep_that_is_told_to_stop_lets_its_runs_write_checkpoints(tiny, whom):
    """By a signal to the sweep alone, or to all of its processes, as batch systems send it."""
    sets = ["--set", "train.epochs=400", "--set", "train.checkpoint_every=1"]
    words = ["sweep", "experiment.toml", "--over", "model.hidden=3,4", "--seeds", "0", "--jobs", "2", *sets]
    process = subprocess.Popen([sys.executable, "-m", "snnplast", *words], stderr=subprocess.PIPE, text=True)
    paths = [tiny.path / "experiment.sweep" / f"hidden={n},seed=0.h5" for n in (3, 4)]
    while not all(path.is_file() and "loss" in read_run(path).metrics for path in paths):
        assert process.poll() is None
        time.sleep(0.05)
    listed = (tiny.path / f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    for number in [process.pid, *(map(int, listed.split()) if whom == "all" else [])]:
        os.kill(number, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert err == "snnplast: interrupted by SIGTERM; the same command goes on where the runs were\n"
    assert process.returncode == 128 + signal.SIGTERM
    for path in paths:
        run = read_run(path)
        assert run.status == "interrupted" and run.resumable
