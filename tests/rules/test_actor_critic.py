"""Reward-based e-prop is the published sum over TD errors of gamma-filtered traces; its parts are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from corridors import Corridor, experiment, network, task
from reference import actor_critic as oracle
from reference import e_prop

import snnplast as snn
from snnplast.engine import COMPILED, NUMPY, compiler_available

compiled = pytest.param(
    COMPILED, marks=[pytest.mark.slow, pytest.mark.skipif(not compiler_available(), reason="needs a C++ compiler")]
)
MATRICES = {"input_to_hidden": "in", "hidden_to_hidden": "rec", "hidden_to_output": "out"}
MODEL = e_prop.Model(tau_m=20.0, tau_out=10.0, v_threshold=0.4, refractory=0)


def lasting(n=12):
    """A corridor with episodes of several decisions."""

    class Long(Corridor):
        def step(self, action):
            seen, reward, _, truncated, info = super().step(action)
            self.place = int(np.clip(self.place, -2, 2))
            return seen, reward + 0.3 * self.place, self.taken == n, truncated, info

    return Long()


def trained(engine, index=0, feedback="random", **settings):
    """Record, matrices and gradients of one training episode."""
    own = {"longest": 10} if settings.pop("cut", False) else {"longest": 30}
    net = network()
    net.populations["hidden"] = snn.LIF(6, v_threshold=0.4, reset="subtract-next")
    rule = snn.EProp(third_factor=snn.ReadoutError(feedback=feedback))
    loop = task(lambda: lasting(), objective=snn.ActorCritic(**settings), **own)
    with snn.open(experiment(loop, net, rule, engine=engine)) as sim:
        record = sim._trainer.run(0, index)
        (plasticity,) = sim._simulation.plasticities
        gradients = {n: np.array(g) for n, g in plasticity.gradient(record, loop.objective).items()}
        matrices = {name: wiring.matrix(record.values[name]).copy() for name, wiring in record.wiring.items()}
        record.history = {name: rows.copy() for name, rows in record.history.items()}
    return record, matrices, gradients


def expected(record, matrices, gamma=0.99, trace=1.0, value=0.5, entropy=0.0):
    """The oracle's gradients of the same episode, by its own simulation of the same input spikes."""
    steps, neurons = record.spikes["input"]
    x = np.zeros((record.steps, 4))
    x[steps, neurons] = 1
    weights = {own: matrices[name].T for name, own in MATRICES.items()}
    weights["feedback"] = matrices["feedback_hidden"].T
    trial = e_prop.simulate(MODEL, weights, x, np.zeros((record.steps, 3)))
    own = np.zeros((record.steps, 6))
    own[record.spikes["hidden"]] = 1
    assert np.array_equal(trial.z, own) and own.sum() > 20
    actions = record.series["action"].astype(int)
    rows = 6 * np.arange(1, actions.size + 1) - 1
    after = trial.y[-1, -1] if record.steps > 6 * actions.size else 0.0
    decisions = oracle.Decisions(rows, actions, record.series["reward"], after)
    return oracle.gradient(MODEL, weights, trial, decisions, gamma, trace, value, entropy)


@pytest.mark.parametrize("engine", [NUMPY, compiled])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"discount": 0.8, "trace": 0.7, "value": 0.3, "entropy": 0.2},
        {"discount": 0.9, "entropy": 0.05, "cut": True},
        {"feedback": "symmetric", "discount": 0.95},
    ],
    ids=["defaults", "all settings", "cut off", "symmetric"],
)
def test_the_gradient_is_that_of_the_published_forward_traces(engine, settings):
    record, matrices, gradients = trained(engine, **settings)
    given = {"gamma" if name == "discount" else name: value for name, value in settings.items()}
    given.pop("cut", None)
    given.pop("feedback", None)
    for own, matrix in expected(record, matrices, **given).items():
        name = next(n for n, m in MATRICES.items() if m == own)
        wiring = record.wiring[name]
        wanted = matrix.T[wiring.pre, wiring.post]
        assert np.abs(wanted).max() > 1e-6
        np.testing.assert_allclose(gradients[name], wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())


def difference(objective, y, target, in_window, n, k, h=1e-6):
    """Central difference of the summed loss, advantages and returns held."""
    held = objective.judge(y, target, in_window)
    rows = np.flatnonzero(in_window)
    advantage = -held.error[rows, -1] / objective.value
    returns = advantage + y[rows, -1]

    def total(shift):
        moved = y.copy()
        moved[n, k] += shift
        log_pi = e_prop.log_softmax(moved[rows, :-1])
        entropy = -np.sum(np.exp(log_pi) * log_pi, axis=1)
        policy = -advantage * np.sum(target[rows, :-1] * log_pi, axis=1) - objective.entropy * entropy
        return np.sum(policy + objective.value / 2 * (returns - moved[rows, -1]) ** 2)

    return (total(h) - total(-h)) / (2 * h)


def test_errors_are_the_derivatives_of_the_loss():
    rng, in_window = np.random.default_rng(3), np.array([0.0, 1, 0, 1, 1, 0])
    y, target = rng.standard_normal((6, 4)), np.zeros((6, 4))
    target[[1, 3, 4], [0, 2, 1]], target[:, 3] = 1.0, rng.standard_normal(6)
    objective = snn.ActorCritic(discount=0.9, trace=0.6, value=0.7, entropy=0.3)
    error = objective.judge(y, target, in_window).error
    assert not error[[0, 2, 5]].any()
    for n in (1, 3, 4):
        for k in range(4):
            assert error[n, k] == pytest.approx(difference(objective, y, target, in_window, n, k), abs=1e-8)


def test_with_a_trace_of_one_the_advantage_is_the_return_minus_the_value():
    rng = np.random.default_rng(0)
    y, target = rng.standard_normal((5, 3)), np.zeros((5, 3))
    target[:, 0], target[:, 2] = 1.0, rng.standard_normal(5)
    error = snn.ActorCritic(discount=0.9, value=1.0).judge(y, target).error
    for t in range(5):
        returned = sum(0.9 ** (s - t) * target[s, 2] for s in range(t, 5))
        assert -error[t, 2] == pytest.approx(returned - y[t, 2], rel=1e-12)


def test_a_step_without_an_action_has_a_value_only():
    y, target = np.ones((2, 3)), np.array([[0.0, 0.0, 2.0], [1.0, 0.0, 0.0]])
    error = snn.ActorCritic(entropy=0.1).judge(y, target).error
    assert not error[0, :2].any() and error[0, 2] and error[1, :2].all()
