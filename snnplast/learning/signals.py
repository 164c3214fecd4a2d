"""What tells a population in which direction its synapses should change: announced, given, and as gradients read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Timing = Literal["step", "trial"]


@dataclass(frozen=True)
class SignalKind:
    """What a rule must know of a signal before any exists.

    variable: the target neurons' variable that holds a step signal while an online rule runs.
    timing: "step" or "trial". tau: time constant (s) of the filter of the trace it multiplies; None: no filter.
    tau_rise: of a filter before that one; None: there is only one.
    """

    variable: str
    timing: Timing
    tau: float | np.ndarray | None = None
    tau_rise: float | None = None


@dataclass(frozen=True)
class Broadcast:
    """A step signal as the product values (T, k) @ feedback (k, n), e.g. readout errors and feedback weights."""

    values: np.ndarray
    feedback: np.ndarray


@dataclass(frozen=True)
class Signal:
    """A third factor's signal for one population, as gradients read it.

    values: (T, n) with timing "step", (n,) with timing "trial"; with `feedback`, a step signal before its broadcast.
    decay: kappa of the filter of the trace that a step signal multiplies, None for the unfiltered trace; one number,
        or one per column of `values`. rise: that of a filter before it, None where there is only one.
    variable: the target neurons' variable that holds a step signal while an online rule runs.
    feedback: (k, n); the signal is values (T, k) @ feedback. Filters act on the k columns, which is exact for
        different kappas and cheaper.

    >>> errors, feedback = np.zeros((100, 2)), np.ones((2, 50))
    >>> signal = Signal.of(Broadcast(errors, feedback), SignalKind("learning_signal", "step", tau=0.02), dt=1e-3)
    >>> signal.values.shape, round(float(signal.decay), 3)
    ((100, 2), 0.951)
    """

    values: np.ndarray
    timing: Timing
    decay: float | np.ndarray | None = None
    feedback: np.ndarray | None = None
    variable: str = ""
    rise: float | None = None

    @classmethod
    def of(cls, given: np.ndarray | Broadcast, kind: SignalKind, dt: float) -> Signal:
        """What a source gave for a population, dt (s) being the time step."""
        decay = None if kind.tau is None else np.exp(-dt / kind.tau)
        rise = None if kind.tau_rise is None else float(np.exp(-dt / kind.tau_rise))
        if isinstance(given, Broadcast):
            return cls(given.values, kind.timing, decay, given.feedback, kind.variable, rise)
        return cls(given, kind.timing, decay, variable=kind.variable, rise=rise)


Signals = Mapping[str, Sequence[Signal] | None]
"""Population -> its signals; None while a source is not ready, then nothing is learned there."""
