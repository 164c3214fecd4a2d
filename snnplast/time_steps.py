"""From times to steps: refractory times, delays and durations are whole numbers of steps, or refused.

Times that are drawn, as `UniformDelay` does, are rounded to the nearest step.
"""

from __future__ import annotations

import numpy as np

from snnplast.errors import UserError

TOLERANCE = 1e-6
"""Of a step: how far a time may be from a whole number of steps, so that 0.3 ms is three steps of 0.1 ms."""


def whole_steps(place: str, times: float | np.ndarray, dt: float) -> np.ndarray:
    """Numbers of steps of `dt` (s), int64, in the shape of `times` (s). Raises `UserError` for what is in between."""
    steps = np.asarray(times) / dt
    nearest = np.rint(steps)
    wrong = np.abs(steps - nearest) > TOLERANCE
    if np.any(wrong):
        time = float(np.asarray(times)[wrong].flat[0])
        below = int(np.floor(time / dt))
        allowed = " and ".join(f"{1e3 * dt * k:.12g}" for k in (below, below + 1) if k >= 0)
        raise UserError(
            f"{place} = {1e3 * time:.12g} ms is no multiple of the time step, {1e3 * dt:.12g} ms; {allowed} ms"
            " are allowed"
        )
    return nearest.astype(np.int64)


def steps_of(place: str, time: float, dt: float) -> int:
    """Number of steps of one duration, at least 1."""
    steps = int(whole_steps(place, time, dt))
    if steps < 1:
        raise UserError(f"{place} = {1e3 * time:.12g} ms: at least one time step, {1e3 * dt:.12g} ms, is needed")
    return steps
