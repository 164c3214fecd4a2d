"""Conduction delays of a projection: how long after its latency a spike acts."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from snnplast.description import Description, WrongValue
from snnplast.errors import UserError
from snnplast.fragments import Value
from snnplast.population import NonNegativeTimes
from snnplast.time_steps import whole_steps
from snnplast.units import NonNegativeTime


class UniformDelay(Description):
    """A delay for every synapse, drawn from U(low, high). low, high: times, 0 <= low <= high."""

    low: NonNegativeTime = 0.0
    high: NonNegativeTime


class _Number(Description):
    delay: NonNegativeTimes


def _delay(value: Any) -> Any:
    if isinstance(value, UniformDelay):
        return value
    try:
        return _Number(delay=value).delay
    except WrongValue as error:
        raise UserError(error.complaint.removeprefix(": ")) from None


Delay = Annotated[Value | UniformDelay, BeforeValidator(_delay)]
"""A time, one time per synapse (in the projection's order: by source, then target), or `UniformDelay`."""


def delay_steps(delay: Value | UniformDelay, rng: np.random.Generator, synapses: int, dt: float) -> np.ndarray:
    """Delays (n_synapses,) in steps of `dt` (s): drawn ones rounded to the nearest, given ones whole or refused."""
    if isinstance(delay, UniformDelay):
        if delay.low > delay.high:
            raise UserError(f"delay: low = {1e3 * delay.low:g} ms must not exceed high = {1e3 * delay.high:g} ms")
        return np.rint(rng.uniform(delay.low, delay.high, synapses) / dt).astype(np.int64)
    steps = whole_steps("delay", delay, dt)
    if steps.ndim and steps.shape != (synapses,):
        raise UserError(f"delay has shape {steps.shape}; allowed are a time or ({synapses},), one per synapse")
    return np.broadcast_to(steps, (synapses,))
