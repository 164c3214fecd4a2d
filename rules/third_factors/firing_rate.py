r"""Firing-rate regulariser of e-prop: pulls every neuron towards a target rate.

    R_j = c_reg (n_j / T - f*) / T

n_j: spikes of neuron j in this trial of T steps (`firing-rate`, as in NEST), or their mean over the batch
(`batch-firing-rate`, as in the authors' TensorFlow code); f*: target in spikes per step. It multiplies the unfiltered
trace and is known only at the end of the trial or batch.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from snnplast.learning import Compiled, CompiledSignal, Context, OverBatch, SignalKind, State, ThirdFactor, Trials
from snnplast.native.functions import functions
from snnplast.native.stage import Stage, address, header, place
from snnplast.network import Wiring
from snnplast.rules.references import BELLEC_2020
from snnplast.task import Record
from snnplast.units import NonNegativeRate


class _Pull(ctypes.Structure):
    """What firing_rate.cpp is given."""

    _fields_ = (
        *(("fired", ctypes.c_void_p), ("pull", ctypes.c_void_p), ("n", ctypes.c_int64)),
        *(("coefficient", ctypes.c_double), ("steps", ctypes.c_double), ("target", ctypes.c_double)),
    )


@functools.cache
def _functions() -> Any:
    source = Path(__file__).with_name("firing_rate.cpp").read_text()
    return functions({**header(), "firing_rate.cpp": source}, "firing_rate.cpp")


class FiringRate(Compiled, ThirdFactor):
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

    def compiled_signal(
        self,
        trials: Trials,
        context: Context,
        state: State,
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> CompiledSignal | None:
        given, stages = {}, []
        for name in context.targets:
            given[name] = pull = np.zeros(context.network.populations[name].size)
            steps, target = float(trials.steps), self.target * context.network.dt
            fired = trials.fired(name)
            data = _Pull(ctypes.addressof(fired), place(pull), pull.size, self.coefficient, steps, target)
            stages.append(Stage(address(_functions().firing_rate), data, (fired, pull)))
        return CompiledSignal(given, stages)

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
