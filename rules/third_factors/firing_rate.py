r"""Firing-rate regulariser of e-prop: pulls every neuron towards a target rate.

    R_j = c_reg (n_j / T - f*) / T

n_j: spikes of neuron j in this trial of T steps; f*: target in spikes per step. It multiplies the unfiltered trace and
is known only at the end of the trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.rules.references import BELLEC_2020
from snnplast.third_factor import Context, SignalKind, State, ThirdFactor
from snnplast.trial import Record
from snnplast.units import NonNegativeRate


class FiringRate(ThirdFactor):
    """Firing-rate regularisation per trial (Bellec et al. 2020, methods; as in NEST).

    coefficient: c_reg, default 300, >= 0. target: f*, default 10 Hz, >= 0.
    """

    name: ClassVar[str] = "firing-rate"
    reference: ClassVar[str] = BELLEC_2020

    coefficient: Annotated[float, Field(ge=0, description="c_reg")] = 300.0
    target: Annotated[NonNegativeRate, Field(description="target rate f*")] = "10 Hz"  # type: ignore[assignment]

    def kind(self, context: Context, population: str) -> SignalKind:
        return SignalKind("firing_rate", "trial")

    def signal(self, record: Record, targets: Sequence[str], state: State) -> dict[str, np.ndarray | None]:
        return {name: self._pull(record, name) for name in targets}

    def _pull(self, record: Record, population: str) -> np.ndarray:
        excess = record.counts(population) / record.steps - self.target * record.network.dt
        return self.coefficient * excess / record.steps
