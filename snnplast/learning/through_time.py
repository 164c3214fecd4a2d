r"""Back through time: the derivative of a loss by all that spikes on their way to it go through.

With the linearised step of `snnplast.learning.chain` for every population, what is to come depends on a spike z_j^t by

    C_j^t = D_j^t + sum over synapses j -> k of w_kj gain_k A_k^{t + latency + delay_kj}

so that populations are run backwards side by side, each step with what the steps after it have left in A. D is what
reaches the objective's readout, and what signals of regularisers add:

    leaky readout   D_j^t = sum_k w_kj (1 - kappa) B_k^{t + delay},   B^t = kappa B^{t+1} + E^t;  with tau_rise, twice
    rate readout    D_j^t = (V E through the normalisation of z)_j / (T dt), the same at every step
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from snnplast.errors import UserError
from snnplast.learning.chain import Backward
from snnplast.learning.derived import DerivedTraces, latency
from snnplast.learning.gradient import reverse_filter, sweep
from snnplast.learning.signals import Signal
from snnplast.network.network import Network
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.projection import Projection, Wiring
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.network.weights import Transposed
from snnplast.task.trial import Record

Lags = list[tuple[int, Any]]
"""(steps until a spike arrives, matrix (n_pre, n_post), dense or sparse, of what it adds then)."""


class Path(NamedTuple):
    """Spikes of a population on their way to another one's variable."""

    target: str
    variable: int
    lags: Lags


def passed(network: Network, projections: Sequence[Projection]) -> list[str]:
    """Spiking populations between what is learned and a readout, those that it is learned onto first of all.

    Raises `UserError` for what cannot be followed.
    """
    targets = {p.target for p in projections if not network.populations[p.target].readout}
    edges = [p for p in network.projections.values() if p.simulated]
    after = _closure(targets, {(p.source, p.target) for p in edges})
    before = _closure(set(network.readouts), {(p.target, p.source) for p in edges}) | targets
    for p in edges:
        if p.source in after and p.target in before:
            _refuse_other_ways(network, p)
        if isinstance(p.weights, Transposed) and p.kind == "spiking" and p.weights.of in {q.name for q in projections}:
            raise UserError(
                f"network.{p.name}: its weights are those of {p.weights.of!r}, which are learned: one derivative for "
                "both is not worked out; weights of its own are allowed"
            )
    spiking = [name for name, p in network.populations.items() if isinstance(p, SpikingPopulation)]
    return sorted((name for name in spiking if name in after & before), key=lambda name: name not in targets)


def _closure(found: set[str], edges: set[tuple[str, str]]) -> set[str]:
    while more := {to for origin, to in edges if origin in found} - found:
        found = found | more
    return found


def _refuse_other_ways(network: Network, p: Projection) -> None:
    source, target = network.populations[p.source], network.populations[p.target]
    own = p.into in (None, target.input_variable_name)
    if p.kind == "spiking":
        fits = isinstance(target, SpikingPopulation) or (isinstance(target, LeakyReadout) and own)
    else:
        represented = isinstance(source, SpikingPopulation) and source.rate_representation is not None
        fits = p.every == "trial" and p.variable == "z" and represented and isinstance(target, RateReadout) and own
    if not fits:
        raise UserError(
            f"network.{p.name}: what it carries from {p.source!r} to {p.target!r} has a part in the loss, and "
            "derivatives follow spikes to neurons and leaky readouts, and rate representations to rate readouts only"
        )


def told_by_readout(record: Record, readout: str, error: Signal, names: Iterable[str]) -> dict[str, np.ndarray]:
    """D of the objective's readout: population -> (T, n), for those of these names that it hears."""
    population, found = record.network.populations[readout], dict[str, np.ndarray]()
    for name in names:
        for p in record.network.between(name, readout):
            if p.simulated:
                way = _from_rates if isinstance(population, RateReadout) else _from_spikes
                found[name] = found.get(name, 0.0) + way(record, p, error)
    return found


def _from_rates(record: Record, p: Projection, error: Signal) -> np.ndarray:
    source = record.network.populations[p.source]
    assert source.rate_representation is not None
    xi = record.wiring[p.name].matrix(record.values[p.name]) @ error.values
    by_rates = source.rate_representation.back(record.rates(p.source), xi)
    return np.broadcast_to(by_rates / (record.steps * record.network.dt), (record.steps, source.size))


def _from_spikes(record: Record, p: Projection, error: Signal) -> np.ndarray:
    network, readout = record.network, record.network.populations[p.target]
    assert isinstance(readout, LeakyReadout)
    kappa = np.broadcast_to(np.exp(-network.dt / readout.tau_m), (readout.size,))
    adjoint = (1 - kappa) * reverse_filter(error.values, kappa)
    if readout.tau_rise is not None:
        rho = float(np.exp(-network.dt / readout.tau_rise))
        adjoint = (1 - rho) * reverse_filter(adjoint, rho)
    found = np.zeros((record.steps, network.populations[p.source].size))
    for lag, matrix in _lags(record.wiring[p.name], record.values[p.name], np.ones(readout.size), 0):
        if lag < record.steps:
            found[: record.steps - lag] += (matrix @ adjoint[lag:].T).T
    return found


def _lags(wiring: Wiring, weights: np.ndarray, gain: np.ndarray, late: int) -> Lags:
    """late: latency of the projection. gain: (n_post,)."""
    if wiring.delays is None and wiring.layout != "sparse":
        return [(late, wiring.matrix(weights) * gain)]
    added = weights * gain[wiring.post]
    delays = np.zeros(wiring.pre.size, np.int32) if wiring.delays is None else wiring.delays
    chosen = ((int(d), delays == d) for d in np.unique(delays))
    return [
        (late + d, csr_array((added[own], (wiring.pre[own], wiring.post[own])), shape=wiring.shape))
        for d, own in chosen
    ]


def through_time(
    record: Record,
    traces: Mapping[str, DerivedTraces],
    kept: Mapping[str, str],
    direct: Mapping[str, np.ndarray],
    learned: Sequence[Projection],
) -> dict[str, np.ndarray]:
    """Projection -> gradient (n_synapses,), 'population.constant' -> gradient (n,).

    traces: of all populations that are `passed`. kept: population -> the projection for which it was recorded.
    direct: D, (T, n) each, nothing where it is 0. learned: projections onto neurons.
    """
    network, populations = record.network, {}
    heard = {name: list(_heard(network, name, one, traces, learned)) for name, one in traces.items()}
    linear = {name: one.linear(record, heard[name], kept[name]) for name, one in traces.items()}
    ways: dict[str, list[Path]] = {name: [] for name in traces}
    for name, one in traces.items():
        whole = linear[name]
        populations[name] = Backward(whole.chain, whole.psi, whole.variables, whole.parameters)
        for p in heard[name]:
            if p.source in traces:
                lags = _lags(record.wiring[p.name], record.values[p.name], one.gains(p), latency(network, p))
                ways[p.source].append(Path(name, whole.places[p.name], lags))
    found: dict[str, np.ndarray] = {}
    if record.compiled and not any(ways.values()):  # each by itself, which there is a kernel for
        for name, one in traces.items():
            told = direct.get(name, np.zeros(linear[name].psi.shape))
            found |= one.gradient(record, heard[name], [Signal(told, "step")])
        return found
    _run_back(populations, direct, ways, record.steps)
    for p in learned:
        wiring, one = record.wiring[p.name], traces[p.target]
        seen = populations[p.target].seen[linear[p.target].places[p.name]]
        found[p.name] = sweep(wiring, record.spikes[p.source], seen, latency(network, p)) * one.gains(p)[wiring.post]
    for name in dict.fromkeys(p.target for p in learned):
        found |= dict(zip(traces[name].constants, populations[name].totals, strict=True))
    return found


def _heard(
    network: Network,
    name: str,
    own: DerivedTraces,
    traces: Mapping[str, DerivedTraces],
    learned: Sequence[Projection],
) -> Iterator[Projection]:
    """Projections onto a population that something flows back through, or whose gradient is asked for."""
    names = {p.name for p in learned}
    for p in own.incoming:
        if p.name in names or (p.simulated and p.source in traces and not own.silent(p)):
            yield p


def _run_back(
    populations: Mapping[str, Backward],
    direct: Mapping[str, np.ndarray],
    ways: Mapping[str, Sequence[Path]],
    steps: int,
) -> None:
    for t in range(steps - 1, -1, -1):
        for one in populations.values():
            one.undo_reset(t)
        for name, one in populations.items():
            told = direct[name][t] if name in direct else np.zeros(one.psi.shape[1])
            for target, variable, lags in ways[name]:
                seen = populations[target].seen[variable]
                for lag, matrix in lags:
                    if t + lag < steps:
                        told = told + matrix @ seen[t + lag]
            one.undo_step(t, told)
