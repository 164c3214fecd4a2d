"""Triplet STDP as the paper has it: every pair and every triplet of spikes, summed over times; no traces.

Pfister & Gerstner (2006), equations 2 to 4. A spike is never its own partner, nor is one of the same train in its step.
"""

from __future__ import annotations

import numpy as np


class TripletOracle:
    """Weights after given spikes; arrivals of a step come before spikes of it. Times in s, spikes in steps of dt."""

    def __init__(self, dt, a2_plus, a3_plus, a2_minus, a3_minus, tau_x, tau_y, pairing, tau_plus=0.0168,
                 tau_minus=0.0337, w_0=1.0, w_max=np.inf):  # fmt: skip
        self.dt, self.pairing, self.w_0, self.w_max = dt, pairing, w_0, w_max
        self.up, self.down = (a2_plus, a3_plus), (a2_minus, a3_minus)
        self.tau_plus, self.tau_minus, self.tau_x, self.tau_y = tau_plus, tau_minus, tau_x or 1.0, tau_y

    def run(self, weights, pre, post, steps, delays):
        """weights (n_pre, n_post); pre, post: (steps, indices); delays in steps, a number or (n_pre, n_post)."""
        weights = weights.copy()
        delays = np.broadcast_to(delays, weights.shape)
        for i, j in np.ndindex(*weights.shape):
            arrivals = np.sort(pre[0][pre[1] == i]) + delays[i, j]
            spikes = np.sort(post[0][post[1] == j])
            weights[i, j] = self.synapse(weights[i, j], arrivals[arrivals < steps], spikes)
        return weights

    def synapse(self, w, arrivals, spikes):
        """The weight of one synapse after its arrivals and spikes, both in steps."""
        for t, is_post in sorted([(int(t), 0) for t in arrivals] + [(int(t), 1) for t in spikes]):
            if is_post:
                pairs = self._sum(t, arrivals[arrivals <= t], self.tau_plus)
                triplets = self._sum(t, spikes[spikes < t], self.tau_y)
                w += self.w_0 * pairs * (self.up[0] + self.up[1] * triplets)
            else:
                pairs = self._sum(t, spikes[spikes < t], self.tau_minus)
                triplets = self._sum(t, arrivals[arrivals < t], self.tau_x)
                w -= self.w_0 * pairs * (self.down[0] + self.down[1] * triplets)
            w = max(min(w, self.w_max), 0.0)
        return w

    def _sum(self, t, others, tau):
        others = others[-1:] if self.pairing == "nearest" else others
        return float(np.sum(np.exp(-(t - others) * self.dt / tau)))


def pairings(a2_plus, a3_plus, a2_minus, a3_minus, tau_x, tau_y, pairing, frequency, delta, count=60,
             tau_plus=0.0168, tau_minus=0.0337):  # fmt: skip
    """Change of a weight by periodic pairs, in closed form: geometric sums of the periods that have passed.

    frequency in Hz, delta = t_post - t_pre in s, not 0 and shorter than a period.
    """
    period = 1 / frequency

    def past(lag, tau, k):
        """Sum over the k spikes of a periodic train, the last of which is `lag` ago."""
        if k == 0:
            return 0.0
        q = np.exp(-period / tau)
        return np.exp(-lag / tau) * (1.0 if pairing == "nearest" else (1 - q**k) / (1 - q))

    change, before = 0.0, delta > 0
    for k in range(count):
        r1 = past(delta, tau_plus, k + 1) if before else past(period + delta, tau_plus, k)
        o1 = past(period - delta, tau_minus, k) if before else past(-delta, tau_minus, k + 1)
        o2, r2 = past(period, tau_y, k), past(period, tau_x, k) if tau_x else 0.0
        change += r1 * (a2_plus + a3_plus * o2) - o1 * (a2_minus + a3_minus * r2)
    return change
