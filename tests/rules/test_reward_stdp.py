"""Reward-modulated STDP: a closed loop against a transcription, both engines; and whom dopamine reaches, and when."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import NUMPY
from snnplast.testing import small_network, small_task
from tests.reference.reward_stdp import RewardSTDPOracle
from tests.rules.relays import at, network

STEPS, SEGMENTS, SIZE = 40, 10, (6, 4)


class Feedback(snn.Task):
    """Input spikes; a segment of few spikes is followed by reward at its neurons, one of many by punishment."""

    epoch = 1

    def __init__(self, spikes):
        self.spikes = spikes

    def trial(self, index):
        reward = np.zeros((STEPS, SIZE[1]))
        for k in range(SEGMENTS):
            shown = self.spikes[k * STEPS : (k + 1) * STEPS]
            record = yield snn.Segment(STEPS, {"input": np.nonzero(shown)}, {"hidden.reward": reward})
            steps, indices = record.spikes["hidden"]
            reward = rewarded(np.bincount(indices[steps >= k * STEPS], minlength=SIZE[1]))


def rewarded(counts):
    reward = np.zeros((STEPS, SIZE[1]))
    reward[7] = np.where(counts < 3, 1.0, -0.6)
    return reward


@pytest.mark.parametrize("engine", [NUMPY, pytest.param("compiled", marks=pytest.mark.slow)])
def test_a_closed_loop_is_that_of_the_transcription(engine):
    rng = np.random.default_rng(2)
    spikes = rng.random((STEPS * SEGMENTS, SIZE[0])) < 0.1
    first = rng.uniform(0.2, 0.7, SIZE)
    net = snn.Network(dt="1 ms")
    net.add("input", snn.SpikeSource(SIZE[0]))
    net.add("hidden", snn.LIF(SIZE[1], reset=0.0))
    net.connect("input", "hidden", weights=first, bounds=(0, 1), plastic=True)
    factor = snn.Dopamine(tau_d="100 ms", baseline=0.05)
    times = {"tau_plus": "15 ms", "tau_minus": "25 ms", "tau_c": "300 ms"}
    rule = snn.RewardSTDP(third_factor=factor, a_plus=1.5, a_minus=1.2, **times)
    with snn.open(snn.Experiment(net, Feedback(spikes), rule, epochs=1, engine=engine)) as sim:
        (record,) = sim.update().trials
        found, fired = sim.weights["input_to_hidden"].reshape(SIZE), np.zeros((STEPS * SEGMENTS, SIZE[1]))
        fired[record.spikes["hidden"]] = 1
    oracle = RewardSTDPOracle(first, 1e-3, a_plus=1.5, a_minus=1.2, tau_plus=0.015, tau_minus=0.025, tau_c=0.3,
                              tau_d=0.1, baseline=0.05)  # fmt: skip
    reward = np.zeros((STEPS, SIZE[1]))
    for k in range(SEGMENTS):
        wanted = [oracle.step(spikes[k * STEPS + t].astype(float), reward[t]) for t in range(STEPS)]
        assert np.array_equal(fired[k * STEPS : (k + 1) * STEPS], wanted)
        reward = rewarded(np.sum(wanted, axis=0))
    assert fired.sum() > 50 and np.abs(found - first).max() > 0.05 and np.any(found < 1)
    np.testing.assert_allclose(found, oracle.w, rtol=0, atol=1e-12)


class Pair(snn.Task):
    """A pair of spikes at 5 ms, dopamine at 500 ms at one of two neurons."""

    epoch, tests = 1, 1

    def __init__(self, reward=1.0):
        self.reward = reward

    def trial(self, index):
        reward = np.zeros((8000, 2))
        reward[5000, 0] = self.reward
        shown = {"input": at((50, 0)), "drive": at((60, 0), (60, 1))}
        yield snn.Segment(8000, shown, {} if self.reward is None else {"relay.reward": reward})

    test = trial


def opened(task, rule=None, engine=NUMPY):
    net = network(1, 2, bounds=(0.0, 1.0))
    return snn.open(snn.Experiment(net, task, rule or snn.RewardSTDP(), epochs=1, engine=engine))


def test_reward_reaches_the_pair_that_is_long_past():
    with opened(Pair()) as sim:
        sim.update()
        rewarded, other = sim.weights["input_to_relay"]
    eligible = 0.1 * np.exp(-0.001 / 0.02)
    rate = 1 / 1.0 + 1 / 0.2  # of eligibility and dopamine together
    steps = np.exp(-rate * 1e-4 * np.arange(3000)) * 1e-4
    assert abs(rewarded - 0.5 - eligible * np.exp(-(5000 - 61) * 1e-4) * steps.sum()) < 1e-12
    assert other == 0.5


@pytest.mark.parametrize("task", [Pair(reward=0.0), Pair(reward=None)])
def test_without_reward_nothing_is_learned(task):
    with opened(task) as sim:
        sim.update()
        assert np.array_equal(sim.weights["input_to_relay"], [0.5, 0.5])


def test_the_change_is_linear_in_the_reward_and_turns_with_its_sign():
    changes = []
    for reward in (1.0, -1.0, 3.0):
        with opened(Pair(reward)) as sim:
            sim.update()
            changes.append(sim.weights["input_to_relay"][0] - 0.5)
    np.testing.assert_allclose(changes, changes[0] * np.array([1, -1, 3]), rtol=1e-10)


def test_nothing_is_learned_in_a_test():
    with opened(Pair()) as sim:
        sim.test(0)
        assert np.array_equal(sim.weights["input_to_relay"], [0.5, 0.5])


def test_a_factor_after_the_trial_is_refused():
    late = snn.RewardSTDP(regularisers=(snn.FiringRate(coefficient=0.0),))
    with pytest.raises(snn.UserError, match="'firing-rate': it has its signal after the trial"):
        opened(Pair(), late)


def test_without_a_factor_it_says_so():
    with pytest.raises(snn.UserError, match="third_factor = None: nothing is learned; 'dopamine'"):
        opened(Pair(), snn.RewardSTDP(third_factor=None))


class Graded(snn.Task):
    """Poisson input, a target, and reward at both layers of the small network."""

    objective, epoch = snn.CrossEntropy(readout="output"), 1

    def trial(self, index):
        rng = np.random.default_rng(index)
        net = small_network()
        sizes = {name: net.population(name).size for name in ("input", "first", "second", "output")}
        reward = {f"{name}.reward": rng.standard_normal((80, sizes[name])) for name in ("first", "second")}
        target = np.eye(sizes["output"])[0]
        yield snn.Segment(80, {"input": rng.random(sizes["input"])}, {**reward, "output.target": target})


def test_after_the_trial_dopamine_is_what_it_was_in_it():
    found = []
    for evaluation in ("factored", "online"):
        rule = snn.EProp(third_factor=snn.Dopamine(baseline=0.2), evaluation=evaluation, optimizer="sgd")
        net = small_network()
        with snn.open(snn.Experiment(net, Graded(), rule, iterations=1, engine=NUMPY)) as sim:
            before = sim.snapshot()
            sim.update()
            found.append({name: sim.weights[name] - before[name] for name in ("input_to_first", "first_to_second")})
    for name, change in found[0].items():
        assert np.abs(change).max() > 0
        np.testing.assert_allclose(found[1][name], change, rtol=0, atol=1e-10 * np.abs(change).max())


def test_after_the_trial_a_task_without_reward_is_refused():
    rule = snn.EProp(third_factor=snn.Dopamine())
    experiment = snn.Experiment(small_network(), small_task(), rule, iterations=1, engine=NUMPY)
    said = pytest.raises(snn.UserError, match=r"gives no reward; a series 'first\.reward' is needed")
    with snn.open(experiment) as sim, said:
        sim.update()
