"""Closed loops: an episode is a pure function of seed, number and weights; its reward is a metric everywhere."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from corridors import CODE, Corridor, experiment, network, task

import snnplast as snn
from snnplast.engine import COMPILED, compiler_available
from snnplast.errors import UserError
from snnplast.record import read_run

compiled = pytest.mark.skipif(not compiler_available(), reason="needs a C++ compiler")


def left(record):
    """What an episode left, to compare."""
    spikes = [array for pair in record.spikes.values() for array in pair]
    return [record.series["reward"], record.series["action"], record.series["output.error"], *spikes]


def assert_same(one, other):
    for a, b in zip(left(one), left(other), strict=True):
        assert np.array_equal(a, b)


def test_any_episode_can_be_run_alone_in_any_order():
    with snn.open(experiment()) as sim:
        forward = [sim.trial(k) for k in range(4)]
        assert_same(sim.test(1), sim.test(1))
        for k in reversed(range(4)):
            assert_same(sim.trial(k), forward[k])
    actions = [record.series["action"].tolist() for record in forward]
    assert len({tuple(a) for a in actions}) > 1


def test_episodes_depend_on_the_seed_and_on_the_weights():
    with snn.open(experiment()) as sim, snn.open(experiment(seed=7)) as other:
        episode = sim.test(0)
        assert any(len(a) != len(b) or (a != b).any() for a, b in zip(left(episode), left(other.test(0)), strict=True))
        sim.weights["hidden_to_output"][:] *= -1
        assert sim.test(0).series["action"].tolist() != episode.series["action"].tolist()


def test_an_action_is_what_the_readout_prefers_at_the_end_of_a_segment():
    with snn.open(experiment()) as sim:
        found = []
        for k in range(3):
            record = sim.test(k)
            actions = record.series["action"]
            assert actions.tolist() == record.history["output.y"][5 : 6 * actions.size : 6, :2].argmax(axis=1).tolist()
            found += actions.tolist()
    assert len(set(found)) == 2


def test_actions_are_sampled_from_the_softmax_of_the_preferences():
    choice, h = snn.ReadoutChoice(actions=(0, 1, 2)), np.array([1.0, 0.0, -1.0])

    class Preferring:
        history = {"output.y": h[None]}

    rng = np.random.default_rng(0)
    counts = np.bincount([choice(Preferring(), 0, "sample", rng) for _ in range(20_000)])
    np.testing.assert_allclose(counts / 20_000, np.exp(h) / np.exp(h).sum(), atol=0.012)


def test_a_population_chooses_by_its_spikes_in_the_last_segment():
    choice = snn.SpikeChoice(actions=(7, 8), population="hidden", training="best")
    with snn.open(experiment(task(choice=choice))) as sim:
        record = sim.trial(0)
    steps, neurons = record.spikes["hidden"]
    for k, action in enumerate(record.series["action"]):
        own = neurons[(steps >= 6 * k) & (steps < 6 * (k + 1))] // 3
        more = np.bincount(own, minlength=2)
        assert more[0] == more[1] or action == (7, 8)[more.argmax()]
    assert set(record.series["action"]) <= {7, 8}


def test_every_environment_is_closed_once_even_if_the_trial_fails():
    Corridor.made.clear()
    with snn.open(experiment()) as sim:
        sim.update()
        made = len(Corridor.made)
        with pytest.raises(UserError, match="finite numbers are needed, not nan"):
            failing = snn.open(experiment(task(lambda: Broken(reward=np.nan))))
            with failing:
                failing.trial(0)
    gc.collect()
    assert made == 3 and [environment.closed for environment in Corridor.made] == [1] * 4


def test_what_is_wanted_of_a_decision_counts_at_the_last_step_of_its_segment():
    with snn.open(experiment(task(reward_scale=2.0))) as sim:
        record = sim.trial(0)
    decisions = record.series["action"].size
    rows = np.flatnonzero(record.series["output.in_window"][:, 0])
    assert rows.tolist() == [6 * k + 5 for k in range(decisions)]
    target = record.series["output.target"][rows]
    assert target[:, :2].argmax(axis=1).tolist() == record.series["action"].tolist()
    assert np.array_equal(target[:, 2], 2 * record.series["reward"])
    assert record.steps == 6 * decisions


@pytest.mark.parametrize("limits", [{"longest": 2}, {"environment": lambda: Corridor(cut_off=2)}])
def test_an_episode_that_is_cut_off_ends_with_what_would_have_followed(limits):
    with snn.open(experiment(task(**limits))) as sim:
        records = [sim.trial(k) for k in range(6)]
    cut = [record for record in records if record.series["action"].size == 2 and record.steps == 18]
    ended = [record for record in records if record.steps == 6 * record.series["action"].size]
    assert len(cut) + len(ended) == 6 and cut
    for record in cut:
        assert np.flatnonzero(record.series["output.in_window"]).tolist() == [5, 11]


@compiled
def test_the_number_of_workers_changes_no_bit():
    found = []
    for workers in (1, 2, 8):
        run = snn.train(experiment(engine=COMPILED, workers=workers))
        found.append((run.metrics["return"], run.metrics["test_return"], *run.weights.values()))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert np.array_equal(a, b)


def test_the_return_is_a_metric_of_the_run_its_file_and_its_figures(folder):
    run = snn.train(experiment(record="run.h5"))
    kept = read_run("run.h5")
    for metric in ("return", "decisions", "test_return", "test_decisions", "loss"):
        assert np.array_equal(kept.metrics[metric], run.metrics[metric]) and len(run.metrics[metric]) == 2
    assert kept.best is not None and kept.best.metric == "test_return"
    assert [axis.get_ylabel() for axis in run.plot().axes] == ["loss", "return"]
    again = snn.evaluate(experiment(), weights="run.h5")
    assert again["return"] == run.metrics["test_return"][-1]


def test_early_stopping_watches_the_return():
    stopping = snn.EarlyStopping("test_return", patience=1, least=100.0)
    assert len(snn.train(experiment(epochs=5), callbacks=[stopping]).metrics["test_return"]) == 2
    with pytest.raises(UserError, match="EarlyStopping: unknown metric 'test_retrun': did you mean 'test_return'"):
        snn.train(experiment(), callbacks=[snn.EarlyStopping("test_retrun")])


def test_a_run_that_is_resumed_ends_with_the_same_bits(folder):
    def stop(moment):
        if moment.iteration == 3:
            raise RuntimeError("cut off")

    whole = snn.train(experiment(record="whole.h5"))
    with pytest.raises(RuntimeError):
        snn.train(experiment(record="cut.h5"), callbacks=[stop])
    resumed = snn.resume("cut.h5", experiment())
    assert np.array_equal(resumed.metrics["test_return"], whole.metrics["test_return"])
    for name, weights in whole.weights.items():
        assert np.array_equal(resumed.weights[name], weights)


def test_where_nothing_is_wanted_of_a_readout_there_is_a_return_and_no_loss():
    choice = snn.SpikeChoice(actions=(0, 1), population="hidden")
    net = network()
    net.change("hidden_to_output", plastic=False)
    rule = snn.EProp(third_factor="firing-rate")
    with snn.open(experiment(task(choice=choice, objective=None), net, rule)) as sim:
        record = sim.trial(0)
        metrics = sim.update().metrics
    assert record.judgement is None and record.series["reward"].size
    assert "return" in metrics and "loss" not in metrics


class Broken(Corridor):
    """One thing is not as it should be."""

    def __init__(self, **wrong):
        super().__init__()
        self.wrong = wrong

    def reset(self, *, seed=None):
        return self.wrong.get("reset", super().reset(seed=seed))

    def step(self, action):
        seen, reward, terminated, truncated, info = super().step(action)
        given = {"seen": seen, "reward": reward, "terminated": terminated, "truncated": truncated, **self.wrong}
        whole = given["seen"], given["reward"], given["terminated"], given["truncated"], info
        return self.wrong.get("step", whole)


class Space:
    """Of actions: 0 and 1."""

    def contains(self, action):
        return action in (0, 1)

    def __repr__(self):
        return "Two"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"seen": np.zeros(3)}, r"the observation has shape \(3,\), but task.encoding takes \(2,\)"),
        ({"seen": np.array([0.0, np.inf])}, "observation: finite numbers are needed, not inf"),
        ({"seen": "left"}, "observation: numbers are needed, not text"),
        ({"reward": np.inf}, "reward: finite numbers are needed, not inf"),
        ({"reward": [1.0, 2.0]}, r"the reward has shape \(2,\); one number is needed"),
        ({"terminated": 1}, "terminated is 1; True or False is needed"),
        ({"step": (1, 2)}, r"step\(\) gives \(1, 2\); a tuple of 5"),
        ({"reset": np.zeros(2)}, r"reset\(\) gives .*; a tuple of 2"),
    ],
)
def test_what_an_environment_gives_is_checked(wrong, sentence):
    with snn.open(experiment(task(lambda: Broken(**wrong)))) as sim, pytest.raises(UserError, match=sentence):
        sim.trial(0)


def test_the_environment_says_which_actions_it_takes():
    def make():
        made = Corridor()
        made.action_space = Space()
        return made

    with (
        snn.open(experiment(task(make, choice=snn.ReadoutChoice(actions=(1, 2))))) as sim,
        pytest.raises(UserError, match=r"task.actions: 2 is no action of the environment, which takes Two"),
    ):
        sim.trial(0)


def test_something_else_than_an_environment_is_refused():
    with snn.open(experiment(task(dict))) as sim, pytest.raises(UserError, match=r"makes \{\}, which has no reset\(\)"):
        sim.trial(0)


@pytest.mark.parametrize(
    ("settings", "net", "sentence"),
    [
        ({"source": "inputs"}, {}, "task: 'inputs' is no source of the network; did you mean 'input'"),
        ({"encoding": snn.RateCode(**CODE)}, {}, "task.encoding makes 2 values, but 'input' has 4 neurons"),
        ({}, {"source": snn.SpikeSource(4)}, "task.encoding.coding = 'poisson': 'input' is no PoissonSource"),
        ({}, {"units": 2}, "task.objective: 'output' has 2 units; 3 are needed"),
        ({"choice": snn.ReadoutChoice(actions=(0, 1, 2, 3))}, {}, "task.choice: 4 actions, but 'output' has 3 units"),
        ({"choice": snn.ReadoutChoice(actions=(0, 1), readout="hidden")}, {}, "'hidden' is no readout that acts step"),
        (
            {"choice": snn.SpikeChoice(actions=(0, 1, 2, 3), population="hidden")},
            {},
            "task.choice: 'hidden' cannot choose; a population of spiking neurons, a multiple of 4, is needed",
        ),
    ],
)
def test_what_does_not_fit_the_network_is_refused(settings, net, sentence):
    with pytest.raises(UserError, match=sentence), snn.open(experiment(task(**settings), network(**net))):
        pass


def test_a_readout_that_nothing_keeps_cannot_choose():
    net = network()
    net.change("hidden_to_output", plastic=False)
    unkept, rule = task(objective=None), snn.EProp(third_factor="firing-rate")
    with (
        snn.open(experiment(unkept, net, rule)) as sim,
        pytest.raises(UserError, match=r"task.choice: 'output.y' is not kept"),
    ):
        sim.trial(0)
    kept = experiment(unkept, net, rule, record=snn.Recording(variables=["output.y"]))
    with snn.open(kept) as sim:
        assert sim.trial(0).series["action"].size


def test_wrong_settings_are_refused():
    with pytest.raises(UserError, match=r"task.objective = .*: an ActorCritic, or None, is needed"):
        task(objective=snn.CrossEntropy())
    with pytest.raises(UserError, match=r"task.longest = 0: an integer of at least 1 is needed"):
        task(longest=0)
    with pytest.raises(UserError, match=r"task.environment = 3: a function that makes an environment is needed"):
        task(3)
    with pytest.raises(UserError, match=r"task.reward_scale: finite numbers are needed, not nan"):
        task(reward_scale=float("nan"))
    with pytest.raises(UserError, match=r"each action once is allowed"):
        snn.ReadoutChoice(actions=(1, 1))


def test_online_evaluation_is_refused_in_one_sentence():
    with pytest.raises(UserError, match="evaluation = 'online' would need a further trace per synapse"):
        snn.open(experiment(rule=snn.EProp(evaluation="online", batch=3)))
