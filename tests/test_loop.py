"""Trials with a part that has no compiled form take the loop instead of one call, and the loop says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast import (
    LIF,
    Classification,
    EProp,
    FiringRate,
    LeakyReadout,
    MeanSquaredError,
    Network,
    PoissonSource,
    train,
)
from snnplast.config.experiment import Experiment
from snnplast.engine import COMPILED, Interrupted
from snnplast.errors import UserError
from snnplast.task import OneSegment, Segment, Task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


def small(task=None, rule=None, **settings):
    net = Network()
    net.add("input", PoissonSource(4, peak_rate="300 Hz"))
    net.add("hidden", LIF(3, v_threshold=0.2))
    net.add("output", LeakyReadout(2))
    net.connect("input", "hidden", plastic=True)
    net.connect("hidden", "output", plastic=True)
    task = task or Classification(np.eye(4), [0, 1, 0, 1], np.eye(4), [0, 1, 0, 1], steps=20)
    simulation = open_simulation(net, task.objective, rule or EProp(batch=4), 1, COMPILED)
    return Trainer(simulation, task, iterations=4, whole=lambda phase, index: False, **settings)


class Own(FiringRate):
    def signal(self, record, context, state):
        return {name: 2 * pull for name, pull in super().signal(record, context, state).items()}


class Scaled(EProp):
    name = "scaled"

    def gradient(self, record, projections, signals):
        return {name: 2 * g for name, g in super().gradient(record, projections, signals).items()}


class Hinge(MeanSquaredError):
    def _judge(self, y, target, stretches):
        return super()._judge(np.maximum(y, 0), target, stretches)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rule": EProp(batch=4, regularisers=[Own()])}, "third factor 'firing-rate' has no compiled form of its own"),
        ({"rule": Scaled(batch=4)}, "the gradient of rule 'scaled' has no compiled form"),
        ({"rule": EProp(batch=4, evaluation="online")}, "weights change, or gather gradients, within trials"),
        (
            {"rule": EProp(batch=4, regularisers=["batch-firing-rate"])},
            "third factor 'batch-firing-rate'",
        ),
        (
            {"task": Classification(np.eye(4), [0] * 4, np.eye(4), [1] * 4, steps=20, objective=Hinge())},
            "the objective has no compiled form",
        ),
    ],
)
def test_what_has_no_compiled_form_takes_the_loop(change, reason):
    trainer = small(**change)
    assert trainer.calls.reason.startswith(reason)
    assert len(trainer.update().trials) == 4
    trainer.close()
    trainer.simulation.engine.close()


class One(OneSegment, Task):
    objective, tests, steps = MeanSquaredError(), 0, 20

    def trial(self, index):
        yield Segment(self.steps, {"input": [0.5] * 4}, {"output.target": [1.0, index % 2]})


class Two(One):
    def trial(self, index):
        yield Segment(20, {"input": [0.5] * 4}, {"output.target": [1.0, 0.0]})
        yield Segment(20, {"input": [1.0] * 4}, {"output.target": [1.0, 0.0]})


class Wrong(Two, OneSegment):
    def trial(self, index):
        yield Segment(20, {"input": [0.5] * (4 if index < 5 else 3)}, {"output.target": [1.0, 0.0]})


def test_a_task_that_derives_from_one_of_single_segments_says_so_for_itself():
    one, two = small(One()), small(Two())
    assert one.calls.reason == "" and one.update().trials == []
    assert "known beforehand" in two.calls.reason and {record.steps for record in two.update().trials} == {40}
    for trainer in (one, two):
        trainer.simulation.engine.close()


def test_what_does_not_fit_is_said_by_the_loop():
    trainer = small(Wrong())
    trainer.update()
    with pytest.raises(
        UserError, match=r"task: the values for 'input' have shape \(3,\), the population has 4 neurons"
    ):
        trainer.update()
    trainer.simulation.engine.close()


def test_a_wish_to_stop_is_heard():
    trainer = small()
    trainer.update()
    trainer.simulation.engine.stop()
    with pytest.raises(Interrupted):
        trainer.update()
    trainer.update()
    trainer.simulation.engine.close()


@pytest.mark.slow
def test_callbacks_that_look_at_trials_see_them_and_change_nothing():
    class Looks:
        def __init__(self):
            self.seen = []

        def on_update(self, moment):
            self.seen.append(len(moment.trials))

    class Glances(Looks):
        needs_trials = False

    weights, seen = [], []
    for watching in (Looks(), Glances()):
        sets = ["model.hidden=12", "rules.e-prop.batch=8", "train.epochs=1", "record.path="]
        run = train(Experiment.of("digits", *sets), callbacks=[watching])
        weights.append(run.weights["input_to_hidden"])
        seen.append(set(watching.seen[:-1]))
    assert seen == [{8}, {0}] and np.array_equal(*weights)
