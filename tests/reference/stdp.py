"""Pair STDP as the papers have it: every pair of spikes, summed over times; no traces, no simulator.

Song, Miller & Abbott (2000); Guetig et al. (2003); Morrison, Aertsen & Diesmann (2007).
"""

from __future__ import annotations

import numpy as np


class STDPOracle:
    """Weights after given spikes, pair by pair in order of time; arrivals of a step come before spikes of it."""

    def __init__(self, dt, a_plus, a_minus, tau_plus, tau_minus, pairing, dependence, mu=1.0, w_0=1.0, w_max=1.0):
        self.dt, self.a_plus, self.a_minus = dt, a_plus, a_minus
        self.tau_plus, self.tau_minus = tau_plus, tau_minus
        self.pairing, self.dependence, self.mu, self.w_0, self.w_max = pairing, dependence, mu, w_0, w_max

    def run(self, weights, pre, post, steps, delays):
        """weights (n_pre, n_post); pre, post: (steps, indices); delays in steps, a number or (n_pre, n_post)."""
        weights = weights.copy()
        delays = np.broadcast_to(delays, weights.shape)
        for i in range(weights.shape[0]):
            for j in range(weights.shape[1]):
                arrivals = np.sort(pre[0][pre[1] == i]) + delays[i, j]
                weights[i, j] = self._synapse(weights[i, j], arrivals[arrivals < steps], np.sort(post[0][post[1] == j]))
        return weights

    def _synapse(self, w, arrivals, spikes):
        events = [(int(t), 0) for t in arrivals] + [(int(t), 1) for t in spikes]
        for t, is_post in sorted(events):
            if is_post:
                others, tau = arrivals[arrivals <= t], self.tau_plus
            else:
                others, tau = spikes[spikes < t], self.tau_minus
            if self.pairing == "nearest":
                others = others[-1:]
            pairs = float(np.sum(np.exp(-(t - others) * self.dt / tau)))
            w = w + self.a_plus * self._up(w) * pairs if is_post else w - self.a_minus * self._down(w) * pairs
            w = min(w, self.w_max) if self.w_max is not None else w
            w = max(w, 0.0)
        return w

    def _up(self, w):
        if self.dependence == "additive":
            return self.w_max
        if self.dependence == "multiplicative":
            return self.w_max * (1 - w / self.w_max) ** self.mu
        return self.w_0 ** (1 - self.mu) * w**self.mu

    def _down(self, w):
        if self.dependence == "additive":
            return self.w_max
        if self.dependence == "multiplicative":
            return self.w_max * (w / self.w_max) ** self.mu
        return w
