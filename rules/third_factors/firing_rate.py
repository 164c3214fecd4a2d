r"""Firing-rate regulariser of e-prop: pulls every neuron towards a target rate.

    R_j = c_reg (n_j / T - f*) / T

n_j: spikes of neuron j in this trial of T steps (`firing-rate`, as in NEST), or their mean over the batch
(`batch-firing-rate`, as in the authors' TensorFlow code); f*: target in spikes per step. It multiplies the unfiltered
trace and is known only at the end of the trial or batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.learning import Context, OverBatch, SignalKind, State, ThirdFactor
from snnplast.rules.references import BELLEC_2020
from snnplast.task import Record
from snnplast.units import NonNegativeRate


class FiringRate(ThirdFactor):
    """Firing-rate regularisation (Bellec et al. 2020, methods).

    coefficient: c_reg, default 300, >= 0. target: f*, default 10 Hz, >= 0.

    >>> import numpy as np
    >>> from snnplast import LIF, FiringRate, Network, Record
    >>> from snnplast.learning import Context
    >>> net = Network()
    >>> net.add("hidden", LIF(2))
    >>> trial = Record(net, {}, {}, steps=100, spikes={"hidden": (np.array([3, 50]), np.array([0, 0]))})
    >>> FiringRate().signal(trial, Context(net, ("hidden",), None, online=False), {})["hidden"].round(6).tolist()
    [0.03, -0.03]
    """

    name: ClassVar[str] = "firing-rate"
    reference: ClassVar[str] = BELLEC_2020

    coefficient: Annotated[float, Field(ge=0, description="c_reg")] = 300.0
    target: Annotated[NonNegativeRate, Field(description="target rate f*")] = "10 Hz"

    def kind(self, context: Context, population: str) -> SignalKind:
        return SignalKind("firing_rate", "trial")

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray]:
        return {name: self._pull([record], name) for name in context.targets}

    def _pull(self, records: Sequence[Record], population: str) -> np.ndarray:
        rates = [record.counts(population) / record.steps for record in records]  # spikes per step
        steps = np.mean([record.steps for record in records])
        excess = np.mean(rates, axis=0) - self.target * records[0].network.dt
        return self.coefficient * excess / steps


class BatchFiringRate(OverBatch, FiringRate):
    """The same of firing rates averaged over the batch; of a batch of one trial, `firing-rate` itself.

    coefficient: c_reg, default 300, >= 0. target: f*, default 10 Hz, >= 0.

    >>> import numpy as np
    >>> from snnplast import LIF, BatchFiringRate, Network, Record
    >>> from snnplast.learning import Context
    >>> net = Network()
    >>> net.add("hidden", LIF(2))
    >>> fired = (np.array([3, 50]), np.array([0, 0])), (np.array([7, 9]), np.array([1, 1]))
    >>> batch = [Record(net, {}, {}, steps=100, spikes={"hidden": spikes}) for spikes in fired]
    >>> rule = BatchFiringRate(target="5 Hz")
    >>> rule.batch_signal(batch, Context(net, ("hidden",), None, online=False))["hidden"].round(6).tolist()
    [0.015, 0.015]
    """

    name: ClassVar[str] = "batch-firing-rate"

    def batch_signal(self, records: Sequence[Record], context: Context) -> dict[str, np.ndarray]:
        return {name: self._pull(records, name) for name in context.targets}
