"""SuperSpike (Zenke & Ganguli 2018) in plain numpy: one layer of spiking neurons, forward traces, van Rossum errors.

Weights are [post, pre], times in ms. Exponentials are integrated exactly over a step. Nothing here imports snnplast.
"""

from __future__ import annotations

import numpy as np


def alpha(train, dt, rise, decay):
    """alpha * train (T, n): two exponential filters, each of unit gain."""
    rho, kappa = np.exp(-dt / rise), np.exp(-dt / decay)
    r, y, found = np.zeros(train.shape[1]), np.zeros(train.shape[1]), np.zeros(train.shape)
    for t, spikes in enumerate(train):
        r = rho * r + (1 - rho) * spikes
        found[t] = y = kappa * y + (1 - kappa) * r
    return found


def run(w, x, wanted, *, dt, tau_m=10.0, tau_syn=5.0, rise=5.0, decay=10.0, refractory=5.0, width=0.1):
    """Spikes (T, n), van Rossum distance, and its gradient by w (n, n_in), for inputs x (T, n_in), wanted (T, n)."""
    (n, n_in), waiting = w.shape, round(refractory / dt)
    a, b = np.exp(-dt / tau_m), np.exp(-dt / tau_syn)
    c = (b - a) * tau_syn / (tau_syn - tau_m)  # what the current of the last step adds to v in this one
    rho, kappa = np.exp(-dt / rise), np.exp(-dt / decay)
    v, current, rest = np.zeros(n), np.zeros(n), np.zeros(n, int)
    epsilon, source = np.zeros(n_in), np.zeros(n_in)
    first, second = np.zeros(w.shape), np.zeros(w.shape)
    spikes, eligible = np.zeros((len(x), n)), []
    for t, arrived in enumerate(x):
        v, current = a * v + c * current, b * current + w @ arrived
        epsilon, source = a * epsilon + c * source, b * source + arrived
        rest = np.maximum(rest - 1, 0)
        psi = np.where(rest > 0, 0.0, (1 + np.abs(v - 1) / width) ** -2.0)
        first = rho * first + (1 - rho) * np.outer(psi, epsilon)
        second = kappa * second + (1 - kappa) * first
        eligible.append(second)
        fired = (v > 1) & (rest == 0)
        v, rest, spikes[t] = v - fired, np.where(fired, waiting, rest), fired
    error = alpha(spikes, dt, rise, decay) - alpha(wanted, dt, rise, decay)
    gradient = np.einsum("tj,tji->ji", error, np.array(eligible))
    return spikes, 0.5 * np.sum(error**2) / n, gradient
