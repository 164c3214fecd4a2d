"""A run with early stopping that was interrupted anywhere ends where, and with what, the uninterrupted one ends."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

import snnplast as snn
from snnplast.errors import UserError
from snnplast.testing import small_network, small_task

PATIENCE, LEARNING_RATE = 2, 0.1


def experiment(path, epochs=30):
    optimizer = {"name": "sgd", "learning_rate": LEARNING_RATE}
    rule = snn.EProp(batch=5, optimizer=optimizer)
    return snn.Experiment(small_network(), small_task(), rule, epochs=epochs, engine="runtime", record=path)


def early():
    return snn.EarlyStopping("test_loss", patience=PATIENCE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    stopping = early()
    run = snn.train(experiment(tmp_path_factory.mktemp("whole") / "run.h5"), callbacks=[stopping])
    rounds = len(run.metrics["test_loss"])
    assert stopping.best_round > 1 and rounds == stopping.best_round + PATIENCE < 30, "it waits and stops"
    return run, stopping


def at(iteration, happens):
    def watch(moment):
        if moment.iteration == iteration:
            happens()

    return watch


class AfterRound:
    """Something that happens when a round is over, after all who were given before."""

    def __init__(self, number, happens):
        self.number, self.happens = number, happens

    def on_round(self, moment):
        if moment.round == self.number:
            self.happens()


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def breaks():
    raise OSError("the logger is gone")


def assert_same(run, stopping, whole):
    uninterrupted, other = whole
    assert (run.stopped, stopping.best_round, stopping.best) == (uninterrupted.stopped, other.best_round, other.best)
    assert run.metrics.keys() == uninterrupted.metrics.keys()
    assert all(np.array_equal(values, uninterrupted.metrics[name]) for name, values in run.metrics.items())
    assert run.weights.keys() == uninterrupted.weights.keys()
    assert all(np.array_equal(run.weights[name], uninterrupted.weights[name]) for name in run.weights)


@pytest.mark.parametrize("after", ["the best round", "a round of waiting", "amid a round"])
@pytest.mark.parametrize("how", ["Ctrl-C", "an error after the round"])
def test_a_run_that_goes_on_ends_as_if_it_had_never_stopped(tmp_path, whole, how, after):
    path, updates = tmp_path / "run.h5", -(-small_task().epoch // 5)
    best = whole[1].best_round
    number = {"the best round": best, "a round of waiting": best + 1, "amid a round": best + 1}[after]
    iteration = number * updates + (after == "amid a round")
    other = at(iteration, ctrl_c) if how == "Ctrl-C" else AfterRound(number, breaks)
    with pytest.raises(KeyboardInterrupt if how == "Ctrl-C" else OSError):
        snn.train(experiment(path), callbacks=[early(), other])
    stopping = early()
    assert_same(snn.resume(path, experiment(path), callbacks=[stopping]), stopping, whole)


def test_a_run_that_was_stopped_early_goes_on_with_more_patience(tmp_path, whole):
    path, patient = tmp_path / "run.h5", snn.EarlyStopping("test_loss", patience=PATIENCE + 1)
    expected = snn.EarlyStopping("test_loss", patience=PATIENCE + 1)
    uninterrupted = snn.train(experiment(tmp_path / "other.h5"), callbacks=[expected])
    snn.train(experiment(path), callbacks=[early()])
    assert_same(snn.resume(path, experiment(path), callbacks=[patient]), patient, (uninterrupted, expected))


def test_another_metric_is_refused_and_other_callbacks_begin_anew(tmp_path):
    path = tmp_path / "run.h5"
    snn.train(experiment(path, epochs=1), callbacks=[snn.EarlyStopping("test_loss")])
    before = path.read_bytes()
    with pytest.raises(UserError, match="metric = 'test_accuracy': the run that goes on has watched 'test_loss'"):
        snn.resume(path, experiment(path, epochs=2), callbacks=[snn.EarlyStopping("test_accuracy")])
    assert path.read_bytes() == before

    class Counts:
        heard = 0

        def on_round(self, moment):
            self.heard += 1

        def state(self):
            return {"heard": np.array(self.heard)}

        def restore(self, state):
            self.heard = int(state["heard"])

    snn.resume(path, experiment(path, epochs=2), callbacks=[Counts()])
    counts = [Counts(), Counts()]
    snn.resume(path, experiment(path, epochs=3), callbacks=counts)
    assert [each.heard for each in counts] == [3, 2], "rounds 1 to 3; the last one before the checkpoint and on"
