"""DECOLLE (Kaiser, Mostafa & Neftci 2020) in plain numpy: layers of LIF neurons, a random readout each, forward traces.

Weights are [post, pre], times in steps. A layer hears its input in the same step where that is a source, and one step
later where it is a layer. Nothing here imports snnplast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layer:
    """w (n, n_in), recurrent (n, n) or None, readout G (k, n); tau_m, theta of its neurons, late: whether input is."""

    w: np.ndarray
    recurrent: np.ndarray | None
    readout: np.ndarray
    tau_m: float
    theta: float
    late: bool


def boxcar(v, theta):
    """Derivative of the piecewise-linear function of slope 1/theta within theta/2 of the threshold."""
    return (np.abs(v - theta) <= 0.5 * theta) / theta


def triangle(v, theta):
    return 0.3 / theta * np.maximum(0, 1 - np.abs(v - theta) / theta)


def error_of(y, target, task):
    if task == "regression":
        return y - target
    p = np.exp(y - y.max())
    return p / p.sum() - target


def run(layer, x, target, in_window, *, tau=0.0, task="classification", sigma=boxcar):
    """Spikes (T, n), readout (T, k), and the gradients of w and recurrent, of one layer for its input x (T, n_in)."""
    steps, (n, n_in) = len(x), layer.w.shape
    alpha, kappa = np.exp(-1 / layer.tau_m), np.exp(-1 / tau) if tau else 0.0
    heard = np.vstack([np.zeros(n_in), x])[:steps] if layer.late else x
    v, z, y = np.zeros(n), np.zeros(n), np.zeros(len(layer.readout))
    spikes, ys = np.zeros((steps, n)), np.zeros((steps, y.size))
    traces = {"w": np.zeros(n_in), "recurrent": np.zeros(n)}
    smooth = {"w": np.zeros((n, n_in)), "recurrent": np.zeros((n, n))}
    gradient = {name: np.zeros_like(values) for name, values in smooth.items()}
    for t in range(steps):
        before = z
        v = alpha * v + layer.w @ heard[t] - layer.theta * before
        traces["w"] = alpha * traces["w"] + heard[t]
        if layer.recurrent is not None:
            v = v + layer.recurrent @ before
        traces["recurrent"] = alpha * traces["recurrent"] + before
        psi = sigma(v, layer.theta)
        z = (v >= layer.theta).astype(float)
        y = kappa * y + (1 - kappa) * layer.readout @ z
        local = layer.readout.T @ (in_window[t] * error_of(y, target[t], task))
        for name, trace in traces.items():
            smooth[name] = kappa * smooth[name] + (1 - kappa) * np.outer(psi, trace)
            gradient[name] += local[:, None] * smooth[name]
        spikes[t], ys[t] = z, y
    return spikes, ys, gradient
