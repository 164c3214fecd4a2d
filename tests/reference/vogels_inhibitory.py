"""Inhibitory plasticity as its paper has it: near-coincident spikes, pair by pair, and every arrival; no traces.

Vogels et al. (2011). Magnitudes of weights, whatever their sign.
"""

from __future__ import annotations

import numpy as np


def magnitudes(first, pre, post, steps, delays, dt, eta, rho_0, tau, largest=np.inf):
    """|w| (n_pre, n_post) after given spikes (steps, indices); an arrival comes before spikes of its step."""
    found, delays = first.copy(), np.broadcast_to(delays, first.shape)
    for i, j in np.ndindex(*first.shape):
        arrivals, spikes = np.sort(pre[0][pre[1] == i]) + delays[i, j], np.sort(post[0][post[1] == j])
        arrivals = arrivals[arrivals < steps]
        for t, is_post in sorted([(int(t), 0) for t in arrivals] + [(int(t), 1) for t in spikes]):
            others = arrivals[arrivals <= t] if is_post else spikes[spikes < t]
            close = np.sum(np.exp(-(t - others) * dt / tau))
            changed = found[i, j] + eta * (close if is_post else close - 2 * rho_0 * tau)
            found[i, j] = min(max(changed, 0.0), largest)
    return found
