"""A trial is made of segments, each of a phase, and of nothing else; what is known only at its end may come then."""

from __future__ import annotations

import re

import numpy as np
import pytest

from snnplast import LIF, LeakyReadout, Network, Normal, Segment, SpikeSource, Task, UserError
from snnplast.engine import NUMPY
from snnplast.learning.optimizer import SGD
from snnplast.random_streams import TRAINING
from snnplast.rules.e_prop import EProp
from snnplast.task.objective import MeanSquaredError
from snnplast.testing import small_network, small_task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

STEPS = 30


class Shown(Task):
    """Spikes, with the target given by the segments, by what the trial returns, or not at all."""

    def __init__(self, given="segments", objective=MeanSquaredError(), more=(), returned=None):  # noqa: B008
        self.given, self.objective, self.more, self.returned = given, objective, more, returned

    def trial(self, index):
        rng = np.random.default_rng(index)
        spikes = np.nonzero(rng.random((STEPS, 6)) < 0.3)
        target = {"output.target": np.sin(np.arange(2 * STEPS).reshape(STEPS, 2))}
        yield Segment(STEPS, {"input": spikes}, target if self.given == "segments" else {})
        yield from (segment for segment in self.more)  # a generator, which takes what is sent
        if self.returned is not None:
            return self.returned
        return target if self.given == "afterwards" else None


def network(readout=True):
    net = Network()
    net.add("input", SpikeSource(6))
    net.add("hidden", LIF(5, v_threshold=0.5))
    net.connect("input", "hidden", weights=Normal(gain=1.5), plastic=True)
    net.connect("hidden", "hidden", weights=Normal(gain=0.5), plastic=True, self_connections=False)
    if readout:
        net.add("output", LeakyReadout(2))
        net.connect("hidden", "output", plastic=True)
    return net


def trained(task, net=None, **settings):
    rule = EProp(**{"optimizer": SGD(learning_rate=1e-2), **settings})
    simulation = open_simulation(net or network(), task.objective, rule, 1, NUMPY)
    run = Trainer(simulation, task, 3)
    steps = list(run)
    return run, steps, {name: values.copy() for name, values in simulation.values.items()}


def test_a_target_that_is_known_afterwards_teaches_as_one_that_was_known_before():
    _, before, one = trained(Shown("segments"))
    _, after, other = trained(Shown("afterwards"))
    assert [step.metrics["loss"] for step in before] == [step.metrics["loss"] for step in after]
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "task, settings, sentence",
    [
        (Shown("afterwards"), {"evaluation": "online"}, "returns 'output.target', which the network needs while the"),
        (Shown(returned=[1.0]), {}, "trial 0 returns [1.0]; a dictionary of series by name is allowed"),
        (
            Shown(returned={"output.target": np.zeros(2)}),
            {},
            "returns 'output.target', which its segments gave already",
        ),
        (Shown("none", returned={"output.target": np.zeros(3)}), {}, "has shape (3,); allowed are (2,) and (30, 2)"),
        (Shown("none", returned={"output.target": [np.nan, 0]}), {}, "finite numbers are needed, not nan"),
        (Shown("none"), {}, "gives no series 'output.target' for the objective"),
        (Shown(more=[Segment(5, phase="work"), Segment(5)]), {}, "a segment of phase 'trial' follows one of 'work'"),
    ],
)
def test_what_a_trial_may_not_do_is_said(task, settings, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        trained(task, **settings)


@pytest.mark.parametrize("phase, steps", [("rest", 1), ("response", 2)])
def test_a_phase_is_one_of_four_and_a_response_takes_one_step(phase, steps):
    with pytest.raises(UserError, match=r"^Segment\.(phase|steps) = "):
        Segment(steps, phase=phase)


@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_without_readout_target_and_objective_a_rule_learns_from_another_factor(evaluation):
    factor = {"name": "firing-rate", "target": "50 Hz"}
    task, settings = Shown("none", objective=None), {"third_factor": factor, "evaluation": evaluation}
    _, steps, values = trained(task, network(readout=False), **settings)
    assert "loss" not in steps[0].metrics and steps[0].metrics["spikes_per_trial"] > 0
    untrained = open_simulation(network(readout=False), None, EProp(third_factor=factor), 1, NUMPY).values
    assert all(np.any(values[name] != untrained[name]) for name in values)


@pytest.mark.parametrize(
    "net, settings, sentence",
    [
        (network(), {}, "nothing says what the readout 'output' should do: the task has no objective"),
        (
            network(readout=False),
            {},
            "task.objective = None: this third factor needs a readout",
        ),
    ],
)
def test_what_needs_an_objective_says_so(net, settings, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        trained(Shown("none", objective=None), net, **settings)


def test_further_segments_of_a_task_are_kept_apart_from_the_trial():
    run = Trainer(open_simulation(network(), MeanSquaredError(), EProp(), 1, NUMPY), Shown(), 1)
    plain = run.run(TRAINING, 0)
    run.task.more = [Segment(7, {"input": ([0, 3], [1, 2])}, phase="work")]
    longer = run.run(TRAINING, 0)
    assert longer.steps == plain.steps == STEPS and longer.during("work").steps == 7
    assert longer.judgement.loss == plain.judgement.loss
    assert [a.tolist() for a in longer.during("work").spikes["input"]] == [[0, 3], [1, 2]]
    assert all(np.array_equal(longer.spikes[name], plain.spikes[name]) for name in plain.spikes)
    assert plain.during("work").steps == 0


def test_a_response_follows_where_something_is_clocked_once_per_trial():
    run = Trainer(open_simulation(small_network("rate"), small_task().objective, EProp(), 1, NUMPY), small_task(), 1)
    record = run.run(TRAINING, 0)
    assert record.during("response").steps == 1
    z = record.during("response").ends["second.z"]
    assert np.array_equal(z, record.representation("second")) and np.any(z)
