"""The factored gradient as a stage of trials that run in one call: see adjoint/trials.h."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

import numpy as np

from snnplast.learning.adjoint import Held, HistoryData, SignalData, SweepData, chain_data, kernels
from snnplast.learning.capabilities import Swept
from snnplast.learning.signals import Signal
from snnplast.learning.sums import Sums, SumsData
from snnplast.native.stage import Fired, Stage, address, addresses, place
from snnplast.network.projection import Wiring
from snnplast.task.trial import Record

_P, _L, _D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


class _Problem(ctypes.Structure):
    _fields_ = (
        *(("steps", _L), ("n", _L), ("psi", HistoryData), ("trial", _P), ("decay", _P), ("gain", _P), ("beta", _P)),
        *(("rho", _P), ("n_signals", _L), ("signals", _P), ("chain", _P)),
    )


class _SweptTrials(ctypes.Structure):
    _fields_ = (
        *(("problem", _Problem), ("n_sweeps", _L), ("sweeps", _P), ("fired", _P), ("n_given", _L), ("given", _P)),
        *(("trial", _P), ("divisor", _D), ("sums", SumsData)),
    )


class SweptTrials(Sums):
    """Gradients of weights onto one population, summed over the trials of a call: first in chunks, then over these.

    record: of the trials; its histories are where those of each trial will be. signals: of the population, whose
    arrays stay where they are. fired: spikes of all populations. chunk: trials of a chunk.
    """

    def __init__(
        self, swept: Swept, record: Record, signals: Sequence[Signal], fired: Mapping[str, Fired], chunk: int
    ) -> None:
        super().__init__({name: record.wiring[name].post.size for name, _, _ in swept.projections}, chunk)
        n = record.network.populations[swept.target].size
        held = Held((record.steps, n))
        given = [signal.values for signal in signals if signal.timing == "trial"]
        carried = [signal for signal in signals if signal.timing == "step"]
        trial = np.empty(n) if given else None
        table = (SignalData * len(carried))(*(self._signal(held, signal) for signal in carried))
        variables, gains, chain = [0] * len(self.names), [None] * len(self.names), None
        if swept.linear is not None:
            linear, gains = swept.linear(record)
            psi, variables = linear.psi, [linear.places[name] for name in self.names]
            chain = chain_data(held, linear.chain, linear.variables, linear.parameters, np.zeros((0, n)))
        else:
            psi = None if swept.psi is None else record.kept(self.names[0], swept.psi)
        rows = zip(swept.projections, variables, gains, strict=True)
        sweeps = (SweepData * len(self.names))(
            *(self._sweep(held, record.wiring[name], late, k, gain) for (name, _, late), k, gain in rows)
        )
        beta, rho = swept.adaptation or (None, None)
        arrays = (held.at(array) for array in (swept.decay, swept.gain, beta, rho))
        signals_at = len(carried), ctypes.addressof(table)
        chain_at = None if chain is None else ctypes.addressof(chain)
        problem = _Problem(record.steps, n, held.history(psi), place(trial), *arrays, *signals_at, chain_at)
        spikes = (_P * len(self.names))(*(ctypes.addressof(fired[source]) for _, source, _ in swept.projections))
        places, divisor = addresses(given), float(record.steps) if swept.per_step else swept.divisor
        data = _SweptTrials(
            *(problem, len(self.names), ctypes.addressof(sweeps), ctypes.addressof(spikes), len(given)),
            *(ctypes.addressof(places), place(trial), divisor, self.data),
        )
        kept = held, table, sweeps, spikes, places, given, carried, trial, psi, fired, chain, self
        self.stage = Stage(address(kernels().swept_trial), data, kept)

    @staticmethod
    def _signal(held: Held, signal: Signal) -> SignalData:
        k = signal.values.shape[1]
        decay = None if signal.decay is None else np.full(k, signal.decay)
        return SignalData(place(signal.values), held.at(decay), place(signal.feedback), k)

    @staticmethod
    def _sweep(held: Held, wiring: Wiring, late: int, variable: int, gain: np.ndarray | None) -> SweepData:
        few = wiring.layout == "sparse"
        starts, post = (wiring.starts, wiring.post) if few else (None, None)
        synapses = (
            held.at(starts, np.int64),
            held.at(post, np.int32),
            held.at(wiring.delays, np.int32),
            wiring.longest_delay,
        )
        hollow = wiring.layout == "no-diagonal"
        return SweepData(None, None, 0, wiring.shape[0], late, hollow, *synapses, None, variable, held.at(gain))
