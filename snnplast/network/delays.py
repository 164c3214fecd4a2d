"""Conduction delays of a projection: how long after its latency a spike acts."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, model_validator

from snnplast.description import Description, WrongValue
from snnplast.errors import UserError
from snnplast.network.fragments import Value
from snnplast.network.population import NonNegativeTimes
from snnplast.time_steps import whole_steps
from snnplast.units import NonNegativeTime

LAST_STEP = 2**31 - 2
"""Steps are counted in 32 bits."""


class UniformDelay(Description):
    """A delay for every synapse, drawn from U(low, high). low, high: times, 0 <= low <= high.

    >>> UniformDelay(low="1 ms", high="5 ms").high
    0.005
    >>> UniformDelay(low="5 ms", high="1 ms")
    Traceback (most recent call last):
    snnplast.description.WrongValue: UniformDelay: low = 5 ms must not exceed high = 1 ms
    """

    low: NonNegativeTime = 0.0
    high: NonNegativeTime

    @model_validator(mode="after")
    def _ordered(self) -> UniformDelay:
        if self.low > self.high:
            raise ValueError(f"low = {1e3 * self.low:g} ms must not exceed high = {1e3 * self.high:g} ms")
        return self


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


def check_delay(delay: Value | UniformDelay, synapses: int | None, dt: float) -> None:
    """Raise `UserError` where this cannot be the delay of so many synapses; None: not known before drawing."""
    uniform = isinstance(delay, UniformDelay)
    shape, longest = ((), delay.high) if uniform else (np.shape(delay), np.max(delay, initial=0.0))
    if longest / dt > LAST_STEP:
        raise UserError(f"delay: {1e3 * longest:g} ms are more than {LAST_STEP} steps")
    if shape and synapses is not None and shape != (synapses,):
        raise UserError(f"delay has shape {shape}; allowed are a time or ({synapses},), one per synapse")
    if not uniform:
        whole_steps("delay", delay, dt)


def delay_steps(delay: Value | UniformDelay, rng: np.random.Generator, synapses: int, dt: float) -> np.ndarray | None:
    """Delays (n_synapses,) in steps of `dt` (s), int32; None where all are 0.

    Drawn ones are rounded to the nearest step, given ones are whole numbers of steps, or refused.
    """
    check_delay(delay, synapses, dt)
    if isinstance(delay, UniformDelay):
        times = rng.uniform(delay.low, delay.high, synapses)
    else:
        times = np.array(delay, dtype=float)
    times /= dt
    steps = np.rint(times, out=times).astype(np.int32)
    return np.broadcast_to(steps, (synapses,)) if np.any(steps) else None
