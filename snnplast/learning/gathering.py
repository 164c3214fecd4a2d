"""Online: code that gathers a gradient from eligibility traces, wherever they are kept, and the gradient it makes.

    G = sum_t L^t F(e)^t + R sum_t e^t,   F(e)^t = kappa F(e)^{t-1} + (1-kappa) e^t

for step signals L and trial signals R; F is applied twice, first with tau_rise, where a signal asks for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from snnplast.errors import UserError
from snnplast.learning.signals import Signal, SignalKind
from snnplast.network.fragments import Fragment
from snnplast.network.projection import Projection
from snnplast.task.trial import Record


class Gathered(NamedTuple):
    """Declarations of what is gathered, the lines that gather it, and the variables to read after a trial."""

    declared: Fragment
    lines: list[str]
    read: list[str]


class Gathering:
    """Code that gathers, for the signals there are."""

    def __init__(self, kinds: Sequence[SignalKind]) -> None:
        self.kinds = kinds

    def __call__(self, eligibility: str, suffix: str = "", ending: str = "", unit: str = "1") -> Gathered:
        """eligibility: name of e, in `unit`. suffix: of neurons' variables. ending: of the names of what is gathered.

        Raises `UserError` for a signal with one filter per readout.
        """
        equations: list[str] = []
        code: list[str] = []
        read: list[str] = []
        constants: dict[str, float | np.ndarray] = {}
        units: dict[str, str] = {}
        for kind in self.kinds:
            name = kind.variable
            if kind.timing == "trial":
                continue
            trace = eligibility
            if kind.tau is not None:
                if np.ndim(kind.tau):
                    raise UserError(
                        "evaluation = 'online' needs one tau_m for all readouts: "
                        "with one per readout every synapse would need a trace per readout; use 'factored'"
                    )
                filters = {"rising": kind.tau_rise} if kind.tau_rise is not None else {}
                for stage, value in {**filters, "filtered": kind.tau}.items():
                    heard, trace = trace, f"{stage}_{name}{ending}"
                    tau = f"tau_{name}" if stage == "filtered" else f"tau_rise_{name}"
                    equations.append(f"{trace} : {unit}")
                    constants[tau], units[tau] = value, "second"
                    code.append(f"{trace} = {trace}*exp(-dt/{tau}) + (1 - exp(-dt/{tau}))*{heard}")
            read.append(f"gradient_{name}{ending}")
            equations.append(f"{read[-1]} : {unit}")
            code.append(f"{read[-1]} = {read[-1]} + {name}{suffix}*{trace}")
        if any(kind.timing == "trial" for kind in self.kinds):
            read.append(f"eligibility_sum{ending}")
            equations.append(f"{read[-1]} : {unit}")
            code.append(f"{read[-1]} = {read[-1]} + {eligibility}")
        return Gathered(Fragment(tuple(equations), constants, units), code, read)


def gathered_by_synapses(record: Record, projection: Projection, signals: Sequence[Signal]) -> np.ndarray:
    """The gradient of a projection's weights, (n_synapses,)."""
    return _gradient(signals, record.wiring[projection.name].post, lambda name: record.gathered(projection.name, name))


def gathered_by_neurons(record: Record, projection: Projection, signals: Sequence[Signal], name: str) -> np.ndarray:
    """The gradient of a constant of a projection's target neurons, (n,)."""
    everyone = np.arange(record.network.populations[projection.target].size)
    return _gradient(signals, everyone, lambda own: record.gathered(projection.name, f"post.{own}_{name}"))


def _gradient(signals: Sequence[Signal], neurons: np.ndarray, gathered: Callable[[str], np.ndarray]) -> np.ndarray:
    """neurons: whose signal each entry hears."""
    total = np.zeros(neurons.size)
    for signal in signals:
        if signal.timing == "step":
            total += gathered(f"gradient_{signal.variable}")
    trial = [signal.values for signal in signals if signal.timing == "trial"]
    if trial:
        total += np.sum(trial, axis=0)[neurons] * gathered("eligibility_sum")
    return total
