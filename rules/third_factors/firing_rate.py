r"""Firing-rate regulariser of e-prop: pulls every neuron towards a target rate.

    R_j = c_reg (n_j / T - f*) / T

n_j: spikes of neuron j in this trial of T steps (average = "trial", as in NEST), or their mean over the batch (average
= "batch", as in the authors' TensorFlow code); f*: target in spikes per step. It multiplies the unfiltered trace and is
known only at the end of the trial or batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.rules.references import BELLEC_2020
from snnplast.third_factor import Context, SignalKind, State, ThirdFactor
from snnplast.trial import Record
from snnplast.units import NonNegativeRate


class FiringRate(ThirdFactor):
    """Firing-rate regularisation (Bellec et al. 2020, methods).

    coefficient: c_reg, default 300, >= 0. target: f*, default 10 Hz, >= 0. average: of the spike counts, over each
    trial (default) or over the batch; the same where a batch holds one trial.
    """

    name: ClassVar[str] = "firing-rate"
    reference: ClassVar[str] = BELLEC_2020

    coefficient: Annotated[float, Field(ge=0, description="c_reg")] = 300.0
    target: Annotated[NonNegativeRate, Field(description="target rate f*")] = "10 Hz"  # type: ignore[assignment]
    average: Annotated[Literal["trial", "batch"], Field(description="what a firing rate is averaged over")] = "trial"

    def kind(self, context: Context, population: str) -> SignalKind:
        return SignalKind("firing_rate", "trial")

    def signal(self, record: Record, targets: Sequence[str], state: State) -> dict[str, np.ndarray | None]:
        return {name: self._pull([record], name) for name in targets}

    @property
    def over_batch(self) -> bool:
        return self.average == "batch"

    def batch_signal(self, records: Sequence[Record], targets: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: self._pull(records, name) for name in targets}

    def _pull(self, records: Sequence[Record], population: str) -> np.ndarray:
        rates = [record.counts(population) / record.steps for record in records]  # spikes per step
        steps = np.mean([record.steps for record in records])
        excess = np.mean(rates, axis=0) - self.target * records[0].network.dt
        return self.coefficient * excess / steps
