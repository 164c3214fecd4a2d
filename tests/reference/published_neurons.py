"""Published neurons in plain numpy, one explicit step after the other, in ms, mV, pA, nS and pF."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

P = Mapping[str, float]


def adex(p: P, current: float, dt: float, steps: int) -> np.ndarray:
    """Brette & Gerstner (2005): steps at which a neuron of constant input spikes."""
    v, w, spikes = p["E_L"], 0.0, []
    for t in range(steps):
        upstroke = p["g_L"] * p["Delta_T"] * np.exp((v - p["V_T"]) / p["Delta_T"])
        dv = (-p["g_L"] * (v - p["E_L"]) + upstroke - w + current) / p["C"]
        dw = (p["a"] * (v - p["E_L"]) - w) / p["tau_w"]
        v, w = v + dt * dv, w + dt * dw
        if v > p["V_cut"]:
            v, w = p["V_r"], w + p["b"]
            spikes.append(t)
    return np.array(spikes)


def izhikevich(p: P, current: float, dt: float, steps: int) -> np.ndarray:
    """Izhikevich (2003)."""
    v, u, spikes = p["c"], p["b"] * p["c"], []
    for t in range(steps):
        dv, du = 0.04 * v**2 + 5 * v + 140 - u + current, p["a"] * (p["b"] * v - u)
        v, u = v + dt * dv, u + dt * du
        if v >= 30:
            v, u = p["c"], u + p["d"]
            spikes.append(t)
    return np.array(spikes)


def glif(p: P, level: int, current: float, dt: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Teeter et al. (2018): membrane (steps,) and spikes; a spike cuts out the refractory time, then resets.

    The membrane and the threshold that follows it take exponential steps with the other's last value; all else is
    exact.
    """
    resets, currents, follows = level in (2, 4, 5), level >= 3, level == 5
    k, f, delta = (np.array([p[f"{name}_{j}"] for j in (1, 2)]) for name in ("k", "f", "delta"))
    v, after, theta_s, theta_v = p["E_L"], np.zeros(2), 0.0, 0.0
    membrane, spikes, t = np.zeros(steps), [], 0
    while t < steps:
        rest = p["E_L"] + (after.sum() + current) / p["g"]
        aim = p["a_v"] * (v - p["E_L"]) / p["b_v"]
        v = rest + (v - rest) * np.exp(-dt * p["g"] / p["C"])
        theta_v = aim + (theta_v - aim) * np.exp(-dt * p["b_v"]) if follows else 0.0
        after, theta_s = after * np.exp(-dt * k), theta_s * np.exp(-dt * p["b_s"])
        membrane[t] = v
        if v > p["v_threshold"] + theta_s + theta_v:
            spikes.append(t)
            cut = round(p["refractory"] / dt) - 1
            v = p["E_L"] + p["f_v"] * (v - p["E_L"]) + p["delta_v"] if resets else p["E_L"]
            if resets:
                theta_s = theta_s * np.exp(-p["b_s"] * cut * dt) + p["delta_theta"]
            if currents:
                after = f * after * np.exp(-k * cut * dt) + delta
            membrane[t : t + cut + 1] = v
            t += cut
        t += 1
    return membrane, np.array(spikes)
