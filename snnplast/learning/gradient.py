"""The factored gradient: reverse filters over time and one sweep over the spikes, no trace per synapse.

With an eligibility e_ji^t = psi_j^t zbar_i^t, zbar_i^t = alpha_j zbar_i^{t-1} + c_j q_i^t, and a modulation C_j^t,

    G_ji = sum_t C_j^t e_ji^t = c_j sum over events (i, s) of Abar_j^s,   Abar^t = alpha Abar^{t+1} + psi^t C^t

because the filter of the spikes transposes into a reversed filter of what it is multiplied with. A step signal L that
multiplies the kappa-filtered trace becomes a reversed kappa filter of L in C; a trial signal is a constant in C.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from snnplast.learning.adjoint import Blocks, Carried, Sweep, adjoint_gradient, chain_gradient
from snnplast.learning.chain import ByParameter, Chain, Variable, run_back
from snnplast.learning.signals import Signal
from snnplast.network.projection import Wiring
from snnplast.task.trial import Spikes


def reverse_filter(x: np.ndarray, decay: float | np.ndarray) -> np.ndarray:
    """y^t = decay * y^{t+1} + x^t with y^T = 0. x: (T, n); decay: a number or (n,). Returns (T, n)."""
    y = np.empty_like(x)
    after = np.zeros(x.shape[1])
    for t in range(len(x) - 1, -1, -1):
        after = decay * after + x[t]
        y[t] = after
    return y


def adaptive_adjoint(psi: np.ndarray, modulation: np.ndarray, beta: np.ndarray, rho: np.ndarray) -> np.ndarray:
    r"""D of neurons whose threshold adapts: what the reversed membrane filter is applied to.

    D^t = psi^t (C^t + lambda^{t+1}),  lambda^t = rho lambda^{t+1} - beta D^t,  lambda^T = 0

    lambda is the derivative by the synapses' adaptation trace eps, e = psi (zbar - beta eps), eps' = rho eps + e: its
    coefficients vary in time with psi. psi, modulation: (T, n); beta, rho: (n,). Returns (T, n).
    """
    direct, after = np.empty_like(psi), np.zeros(psi.shape[1])
    for t in range(len(psi) - 1, -1, -1):
        direct[t] = psi[t] * (modulation[t] + after)
        after = rho * after - beta * direct[t]
    return direct


def filtered(signal: Signal) -> np.ndarray:
    """What multiplies the unfiltered trace at each step: (T, n), or (n,) where it is constant."""
    values = _risen(signal)
    if signal.timing == "step" and signal.decay is not None:
        values = reverse_filter((1 - signal.decay) * values, signal.decay)
    return values if signal.feedback is None else values @ signal.feedback


def _risen(signal: Signal) -> np.ndarray:
    """Its values, through the reverse of the first of two filters: their order does not matter."""
    if signal.rise is None:
        return signal.values
    return reverse_filter((1 - signal.rise) * signal.values, signal.rise)


def modulation(signals: Sequence[Signal]) -> np.ndarray:
    """C: the sum of all signals, (T, n) or (n,)."""
    total = filtered(signals[0])
    for signal in signals[1:]:
        total = total + filtered(signal)
    return total


def adjoint_sweep(
    psi: np.ndarray | Blocks | None,
    signals: Sequence[Signal],
    steps: int,
    decay: np.ndarray,
    gain: np.ndarray,
    projections: Sequence[tuple[Wiring, Spikes, int]],
    compiled: bool,
    adaptation: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[np.ndarray]:
    """G of each projection (wiring, spikes, latency) onto one population, (n_synapses,) each.

    Delays of a wiring come on top of the latency. Time and memory of a sparse wiring follow its synapses and their
    spikes, never sources x n.
    psi: (T, n), or None for 1; compiled, and where all wirings are sparse, also in blocks. steps: T.
    decay, gain: (n,), of the membrane or readout.
    adaptation: (beta, rho), (n,) each, of an adaptive threshold; see `adaptive_adjoint`.
    compiled: by one fused C++ kernel, otherwise by scipy; they agree up to rounding.
    """
    if compiled:
        return _by_kernel(psi, signals, steps, decay, gain, projections, adaptation)
    assert psi is None or isinstance(psi, np.ndarray)
    total = modulation(signals)
    direct = total if psi is None else psi * total
    if adaptation is not None and psi is not None:
        direct = adaptive_adjoint(psi, np.broadcast_to(total, psi.shape), *adaptation)
    uniform = decay[0] if np.all(decay == decay[0]) else decay
    adjoint = reverse_filter(np.broadcast_to(direct, (steps, decay.size)), uniform) * gain
    return [sweep(wiring, spikes, adjoint, latency) for wiring, spikes, latency in projections]


def _by_kernel(
    psi: np.ndarray | Blocks | None,
    signals: Sequence[Signal],
    steps: int,
    decay: np.ndarray,
    gain: np.ndarray,
    projections: Sequence[tuple[Wiring, Spikes, int]],
    adaptation: tuple[np.ndarray, np.ndarray] | None,
) -> list[np.ndarray]:
    trial, carried = _told(signals)
    sweeps = [_sweep_of(wiring, spikes, latency) for wiring, spikes, latency in projections]
    return adjoint_gradient(psi, steps, trial, carried, decay, gain, sweeps, adaptation)


def _told(signals: Sequence[Signal]) -> tuple[np.ndarray | None, list[Carried]]:
    """Signals as the kernels take them: the sum of those of the trial, and those of steps."""
    constant = [signal.values for signal in signals if signal.timing == "trial"]
    carried = []
    for signal in signals:
        if signal.timing == "step":
            values = _risen(signal)
            kappa = None if signal.decay is None else np.broadcast_to(signal.decay, values.shape[1:])
            carried.append(Carried(values, kappa, signal.feedback))
    return functools.reduce(np.add, constant) if constant else None, carried


def _sweep_of(wiring: Wiring, spikes: Spikes, latency: int, variable: int = 0, gain: np.ndarray | None = None) -> Sweep:
    few = (wiring.starts, wiring.post) if wiring.layout == "sparse" else (None, None)
    hollow, synapses = wiring.layout == "no-diagonal", wiring.post.size
    late = wiring.delays, wiring.longest_delay
    return Sweep(*spikes, wiring.shape[0], synapses, latency, hollow, *few, *late, variable, gain)


def sweep(wiring: Wiring, spikes: Spikes, values: np.ndarray, latency: int) -> np.ndarray:
    """Sum of values^{s + latency + delay} over the spikes (i, s) of each synapse's source neuron.

    values: (T, n_post). Returns (n_synapses,) in the projection's order; spikes that act after the trial drop out.
    """
    steps, indices = spikes
    kept = np.searchsorted(steps, len(values) - latency)
    steps, indices = steps[:kept] + latency, indices[:kept]
    if wiring.layout == "sparse" or wiring.delays is not None:
        return _spike_by_spike(wiring, steps, indices, values)
    n_pre = wiring.shape[0]
    order = np.argsort(indices, kind="stable")
    starts = np.zeros(n_pre + 1, dtype=np.int64)
    np.cumsum(np.bincount(indices, minlength=n_pre), out=starts[1:])
    rows = csr_array((np.ones(steps.size), steps[order], starts), shape=(n_pre, len(values)))
    return wiring.entries(rows @ np.ascontiguousarray(values))


def _spike_by_spike(wiring: Wiring, steps: np.ndarray, indices: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Each spike visits its own synapses, and looks up what each sees when the spike arrives."""
    gradient, starts, end = np.zeros(wiring.post.size), wiring.starts.tolist(), len(values)
    for step, source in zip(steps.tolist(), indices.tolist(), strict=True):
        own = slice(starts[source], starts[source + 1])
        if wiring.delays is None:
            gradient[own] += values[step, wiring.post[own]]
        else:
            arrival = step + wiring.delays[own]
            seen = values[np.minimum(arrival, end - 1), wiring.post[own]]
            gradient[own] += np.where(arrival < end, seen, 0.0)
    return gradient


def chain_sweep(
    chain: Chain,
    psi: np.ndarray,
    signals: Sequence[Signal],
    variables: Sequence[Variable],
    projections: Sequence[tuple[Wiring, Spikes, int, int, np.ndarray]],
    compiled: bool,
    parameters: Sequence[ByParameter] = (),
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """G of each projection (wiring, spikes, latency, variable, gain (n,)), and of each parameter, (n,).

    psi: (T, n). compiled: by the C++ kernel, otherwise by numpy; they agree up to rounding.
    """
    if compiled:
        trial, carried = _told(signals)
        sweeps = [_sweep_of(w, spikes, late, k, gain) for w, spikes, late, k, gain in projections]
        return chain_gradient(chain, psi, trial, carried, variables, sweeps, parameters)
    seen, totals = run_back(chain, psi, modulation(signals), variables, parameters)
    return [sweep(w, spikes, seen[k], late) * gain[w.post] for w, spikes, late, k, gain in projections], totals
