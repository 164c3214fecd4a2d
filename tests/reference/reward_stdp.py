"""Reward-modulated STDP in a closed loop, step by step: neurons, traces, eligibility, dopamine, and who is rewarded.

Izhikevich (2007), equations 1 to 3, with leaky integrate-and-fire neurons in place of his; all pairs.
"""

from __future__ import annotations

import numpy as np


class RewardSTDPOracle:
    """One trial: input spikes in, spikes and weights out. Times in s; w_max: upper bound, the lower one is 0."""

    def __init__(self, weights, dt, a_plus, a_minus, tau_plus, tau_minus, tau_c, tau_d, baseline, tau_m=0.02,
                 v_threshold=1.0, w_max=1.0):  # fmt: skip
        self.w = weights.copy()
        self.dt, self.a_plus, self.a_minus, self.baseline = dt, a_plus, a_minus, baseline
        self.decay = {name: np.exp(-dt / tau) for name, tau in
                      (("x", tau_plus), ("y", tau_minus), ("c", tau_c), ("d", tau_d), ("v", tau_m))}  # fmt: skip
        self.v_threshold, self.w_max = v_threshold, w_max
        n_pre, n_post = weights.shape
        self.x, self.y, self.v, self.d = np.zeros(n_pre), np.zeros(n_post), np.zeros(n_post), np.zeros(n_post)
        self.c = np.zeros(weights.shape)

    def step(self, arrived, reward):
        """One step: which sources spike (n_pre,) and the reward (n_post,); which neurons spike (n_post,)."""
        self.x *= self.decay["x"]
        self.y *= self.decay["y"]
        self.v = self.v * self.decay["v"] + arrived @ self.w
        self.c -= self.a_minus * np.outer(arrived, self.y)
        self.x += arrived
        fired = (self.v >= self.v_threshold).astype(float)
        self.d = self.d * self.decay["d"] + reward
        self.w = np.clip(self.w + self.c * (self.baseline + self.d) * self.dt, 0, self.w_max)
        self.c = self.c * self.decay["c"] + self.a_plus * np.outer(self.x, fired)
        self.y += fired
        self.v[fired > 0] = 0
        return fired
