"""Reward-based e-prop (Bellec et al. 2020, methods) in plain numpy, forward in time: the oracle for ActorCritic.

    delta^n  = r^n + gamma V^{n+1} - V^n                                TD error of decision n
    L_j^n    = sum_k B_jk (pi_k^n - 1{a^n = k}) - c_V B_jV
    F        <- gamma lambda F + L_j^n ebar_ji^{t_n}                    one filtered trace per synapse
    G_ji     = sum_n delta^n F^n,    and the same of the readout's synapses with their filtered spikes
    entropy adds c_H sum_n B_jk pi_k (log pi_k + H) ebar_ji, without a TD error

The traces are those of the e-prop oracle's section 4. The last row of every readout's matrix is the value's. Nothing
here imports snnplast.
"""

from dataclasses import dataclass

import numpy as np

from .e_prop import arriving, log_softmax, presynaptic


@dataclass(frozen=True)
class Decisions:
    """What an episode decided: steps t_n (N,), actions (N,), -1 for none, and rewards (N,). after: V^N."""

    steps: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    after: float = 0.0


def td_errors(trial, decisions, gamma):
    """delta^n (N,)."""
    value = trial.y[decisions.steps, -1]
    following = [*value[1:], decisions.after]
    return np.array([r + gamma * v - w for r, v, w in zip(decisions.rewards, following, value, strict=True)])


def directions(trial, decisions, n, c_v, c_h):
    """What a readout's units hear at decision n, (n_out,): the part that TD errors multiply, and the entropy's."""
    t, action = decisions.steps[n], decisions.actions[n]
    log_pi = log_softmax(trial.y[t, :-1])
    pi = np.exp(log_pi)
    multiplied, alone = np.zeros(len(pi) + 1), np.zeros(len(pi) + 1)
    if action >= 0:
        multiplied[:-1] = pi
        multiplied[action] -= 1
        alone[:-1] = c_h * pi * (log_pi - np.sum(pi * log_pi))
    multiplied[-1] = -c_v
    return multiplied, alone


def gradient(model, weights, trial, decisions, gamma, lambda_=1.0, c_v=0.5, c_h=0.0):
    """G of every matrix, (post, pre), forward in time."""
    delta = td_errors(trial, decisions, gamma)
    when = {int(t): n for n, t in enumerate(decisions.steps)}
    found = {}
    for name, spikes in presynaptic(weights, trial, "in", "rec", "out"):
        lag, shape = model.lag(name), weights[name].shape
        alpha, rho, c, beta = (np.reshape(p, (-1, 1)) for p in (model.alpha, model.rho, model.c, model.beta))
        zbar, eps, filtered, later, total = (np.zeros(shape) for _ in range(5))
        for t in range(len(trial.z)):
            arrived = arriving(spikes, t, lag)
            if name == "out":
                filtered = model.kappa * filtered + (1 - model.kappa) * arrived
            else:
                zbar = alpha * zbar + c * arrived
                e = trial.psi[t][:, None] * (zbar - beta * eps)
                eps = rho * eps + e
                filtered = model.kappa * filtered + (1 - model.kappa) * e
            if t in when:
                heard = directions(trial, decisions, when[t], c_v, c_h)
                multiplied, alone = heard if name == "out" else (weights["feedback"] @ part for part in heard)
                later = gamma * lambda_ * later + multiplied[:, None] * filtered
                total += delta[when[t]] * later + alone[:, None] * filtered
        found[name] = total
    if "rec" in found:
        np.fill_diagonal(found["rec"], 0.0)
    return found
