"""Diehl & Cook (2015), transcribed step by step from the paper and its published code; nothing of the library's.

Step: conductances and membranes are solved (exponential Euler), spikes arrive, neurons spike, synapses learn, resets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class DiehlCookOracle:
    """weights (inputs, neurons); delays (inputs, neurons) in steps; dt in s. Weights and thresholds last."""

    weights: np.ndarray
    delays: np.ndarray
    dt: float = 0.5e-3
    excitation: float = 10.4
    inhibition: float = 17.0
    theta_plus: float = 0.05e-3
    tau_theta: float = 1e4
    nu_pre: float = 1e-4
    nu_post: float = 1e-2
    total: float = 78.0

    def __post_init__(self):
        self.theta = np.zeros(self.weights.shape[1])

    def trial(self, spikes, steps, learning=True):
        """spikes: (steps, indices) of the input. Returns those of excitatory neurons, (steps, indices)."""
        n, m = self.weights.shape
        if learning:
            self.weights = np.clip(self.weights * self.total / self.weights.sum(axis=0), 0, 1)
        v, vi = np.full(m, -65e-3), np.full(m, -60e-3)
        ge, gi, gie = np.zeros(m), np.zeros(m), np.zeros(m)
        last, lasti = np.full(m, -np.inf), np.full(m, -np.inf)
        arrived = np.full((n, m), -np.inf)  # step of the last arrival at each synapse
        y1, y2 = np.zeros(m), np.zeros(m)
        from_excitatory = from_inhibitory = np.zeros(m, bool)
        due = np.zeros((steps + self.delays.max() + 1, n, m), bool)
        for t, i in zip(*spikes, strict=True):
            due[t + self.delays[i], i, np.arange(m)] = True
        found = []
        for t in range(steps):
            free = (t - last) * self.dt >= 5e-3 - 1e-9
            free_i = (t - lasti) * self.dt >= 2e-3 - 1e-9
            a, b = -(1 + ge + gi) / 0.1, (-65e-3 - 0.1 * gi) / 0.1
            v = np.where(free, (v + b / a) * np.exp(a * self.dt) - b / a, v)
            a, b = -(1 + gie) / 0.01, np.full(m, -60e-3 / 0.01)
            vi = np.where(free_i, (vi + b / a) * np.exp(a * self.dt) - b / a, vi)
            ge, gi, gie = ge * np.exp(-self.dt / 1e-3), gi * np.exp(-self.dt / 2e-3), gie * np.exp(-self.dt / 1e-3)
            y1, y2 = y1 * np.exp(-self.dt / 20e-3), y2 * np.exp(-self.dt / 40e-3)
            ge = ge + (due[t] * self.weights).sum(axis=0)
            gie = gie + self.excitation * from_excitatory
            gi = gi + self.inhibition * (from_inhibitory.sum() - from_inhibitory)
            if learning:
                self.weights = np.where(due[t], np.clip(self.weights - self.nu_pre * y1, 0, 1), self.weights)
                self.theta = self.theta * np.exp(-self.dt / self.tau_theta)
            arrived[due[t]] = t
            from_excitatory = (v > -52e-3 + self.theta) & free
            from_inhibitory = (vi > -40e-3) & free_i
            for j in np.flatnonzero(from_excitatory):
                found.append((t, j))
                if learning:
                    x = np.exp(-(t - arrived[:, j]) * self.dt / 20e-3)
                    self.weights[:, j] = np.clip(self.weights[:, j] + self.nu_post * x * y2[j], 0, 1)
                    self.theta[j] += self.theta_plus
                v[j], y1[j], y2[j], last[j] = -65e-3, 1.0, 1.0, t
            vi[from_inhibitory], lasti[from_inhibitory] = -45e-3, t
        return np.array(found).reshape(-1, 2).T
