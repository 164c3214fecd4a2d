"""Rules of a readout y = W u that is clocked once per sample, in plain numpy; u (F,), y (K,), W (F, K)."""

import numpy as np


def linear_decay(eta, done, final=0.1):
    """eta falls linearly to `final` of it; done: share of the run that is over."""
    return eta * (1 - (1 - final) * done)


def delta(W, u, target, eta):
    """W + dW, dW = -eta u (y - target)^T."""
    return W - eta * np.outer(u, u @ W - target)


def reward_hebbian(W, u, target, noise, eta, memory=0.8):
    """W + dW of one sample (Hoerzer et al. 2014), noise (steps, K); both averages begin with the first step."""
    dW = np.zeros_like(W)
    o_mean = P_mean = None
    for xi in noise:
        o = u @ W + xi
        P = -np.sum((o - target) ** 2)
        if o_mean is None:
            o_mean, P_mean = o, P
        M = float(P - P_mean > 0)
        dW += np.outer(u, o - o_mean) * M
        o_mean = memory * o_mean + (1 - memory) * o
        P_mean = memory * P_mean + (1 - memory) * P
    return W + eta * dW
