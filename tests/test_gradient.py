"""Reverse filters and the spike sweep are the forward sums over every step and synapse, written out."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from snnplast.engine import compiler_available
from snnplast.learning.gradient import adaptive_adjoint, adjoint_sweep, filtered, modulation, reverse_filter, sweep
from snnplast.learning.signals import Signal
from snnplast.network.connectivity import FixedInDegree
from snnplast.network.projection import Wiring

T, N = 40, 5
EVALUATIONS = [
    False,
    pytest.param(True, marks=pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")),
]


def rng(seed=0):
    return np.random.default_rng(seed)


def wiring(kind, n_pre=N):
    connected = np.ones((n_pre, N), bool)
    if kind == "no-diagonal":
        np.fill_diagonal(connected, False)
    elif kind == "sparse":
        connected[1:] = rng(3).random((n_pre - 1, N)) < 0.4
    result = Wiring.of(*np.nonzero(connected), (n_pre, N))
    assert result.layout == kind
    return result


def spikes(n_pre=N, seed=1):
    """About one in four steps, the last step always."""
    x = rng(seed).random((T, n_pre)) < 0.25
    x[-1] = True
    return np.nonzero(x)


def forward_filter(x, decay):
    y, now = np.empty_like(x), 0.0
    for t in range(len(x)):
        y[t] = now = decay * now + x[t]
    return y


def dense(spikes, n_pre, latency):
    """q (T, n_pre): the spikes in the step they act."""
    q = np.zeros((T + latency, n_pre))
    q[spikes[0] + latency, spikes[1]] = 1
    return q[:T]


def signals():
    random = rng(7)
    return [
        Signal(random.standard_normal((T, N)), "step", 0.9),
        Signal(random.standard_normal((T, N)), "step", None),
        Signal(random.standard_normal((T, 3)), "step", np.array([0.5, 0.8, 0.95]), random.standard_normal((3, N))),
        Signal(random.standard_normal(N), "trial", None),
        Signal(random.standard_normal(N), "trial", None),
    ]


def forward(signal, eligibility):
    """sum_t of the signal times the (filtered) eligibility (T, n_pre, N), as an online rule gathers it."""
    if signal.timing == "trial":
        return np.einsum("j,tij->ij", signal.values, eligibility)
    if signal.feedback is None:
        kept = eligibility
        if signal.decay is not None:
            kept = (1 - signal.decay) * forward_filter(eligibility, signal.decay)
        return np.einsum("tj,tij->ij", signal.values, kept)
    total = 0
    for k, decay in enumerate(signal.decay):
        alone = Signal(np.outer(signal.values[:, k], signal.feedback[k]), "step", decay)
        total = total + forward(alone, eligibility)
    return total


@pytest.mark.parametrize("decay", [0.0, 0.7, 1.0, np.array([0.1, 0.5, 0.9, 0.99, 0.0])])
def test_a_reverse_filter_is_a_triangular_sum(decay):
    x = rng().standard_normal((T, N))
    powers = np.arange(T)[None, :] - np.arange(T)[:, None]
    for j, d in enumerate(np.broadcast_to(decay, N)):
        matrix = np.where(powers >= 0, d ** np.maximum(powers, 0.0), 0.0)
        np.testing.assert_allclose(reverse_filter(x, decay)[:, j], matrix @ x[:, j], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", range(5))
def test_a_filtered_signal_times_the_plain_trace_is_the_signal_times_the_filtered_trace(k):
    signal, eligibility = signals()[k], rng(4).standard_normal((T, 4, N))
    weight = np.broadcast_to(filtered(signal), (T, N))
    np.testing.assert_allclose(
        np.einsum("tj,tij->ij", weight, eligibility), forward(signal, eligibility), rtol=1e-11, atol=1e-12
    )


def test_modulation_is_the_sum_of_all_signals():
    several = signals()
    expected = sum(np.broadcast_to(filtered(signal), (T, N)) for signal in several)
    np.testing.assert_allclose(modulation(several), expected, rtol=1e-14)
    assert modulation(several[3:]).shape == (N,)


@pytest.mark.parametrize("latency", [0, 1, 3])
@pytest.mark.parametrize("kind", ["full", "no-diagonal", "sparse"])
def test_a_sweep_is_the_product_with_the_spikes_as_a_matrix(kind, latency):
    values, wires, events = rng().standard_normal((T, N)), wiring(kind), spikes()
    expected = dense(events, N, latency).T @ values
    found = sweep(wires, events, values, latency)
    np.testing.assert_allclose(found, expected[wires.pre, wires.post], rtol=1e-12, atol=1e-12)
    assert np.all(found)


def test_a_sweep_without_spikes_is_zero():
    none = np.empty(0, np.int64), np.empty(0, np.int64)
    assert not np.any(sweep(wiring("full"), none, np.ones((T, N)), 0))


@pytest.mark.parametrize("longest", [0, 1, 7, 2 * T])
@pytest.mark.parametrize("adapting", [False, True])
@pytest.mark.parametrize("kind, latency, n_pre", [("full", 0, 3), ("no-diagonal", 1, N), ("sparse", 1, 9)])
@pytest.mark.parametrize("compiled", EVALUATIONS)
def test_the_adjoint_is_the_sum_over_forward_eligibility_traces(compiled, kind, latency, n_pre, adapting, longest):
    random = rng(9)
    psi, decay, gain = random.random((T, N)), random.uniform(0.6, 0.95, N), random.uniform(0.5, 2, N)
    beta, rho = random.uniform(0, 0.5, N), random.uniform(0.8, 0.99, N)
    wires, events = wiring(kind, n_pre), spikes(n_pre)
    delays = random.integers(0, longest + 1, wires.pre.size)
    if longest:
        wires = Wiring.of(wires.pre, wires.post, wires.shape, delays)
    q = np.zeros((T, n_pre, N))
    for pre, post, delay in zip(wires.pre, wires.post, delays, strict=True):
        q[:, pre, post] = dense(events, n_pre, latency + delay)[:, pre]
    zbar, eps, eligibility = np.zeros((n_pre, N)), np.zeros((n_pre, N)), np.zeros((T, n_pre, N))
    for t in range(T):
        zbar = decay * zbar + gain * q[t]
        eligibility[t] = psi[t] * (zbar - (beta * eps if adapting else 0))
        eps = rho * eps + eligibility[t]
    expected = sum(forward(signal, eligibility) for signal in signals())[wires.pre, wires.post]
    adaptation = (beta, rho) if adapting else None
    (found,) = adjoint_sweep(psi, signals(), T, decay, gain, [(wires, events, latency)], compiled, adaptation)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("compiled", EVALUATIONS)
def test_projections_of_every_layout_onto_one_population_keep_their_own_sums(compiled):
    psi, decay, gain = rng(9).random((T, N)), np.full(N, 0.9), rng(8).random(N)
    projections = [
        (wiring(kind), spikes(seed=k), k % 2) for k, kind in enumerate(["sparse", "full", "no-diagonal"] * 2)
    ]
    together = adjoint_sweep(psi, signals(), T, decay, gain, projections, compiled)
    for projection, found in zip(projections, together, strict=True):
        (alone,) = adjoint_sweep(psi, signals(), T, decay, gain, [projection], compiled)
        assert np.any(found) and np.array_equal(found, alone)


@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("compiled", EVALUATIONS)
def test_the_gradient_of_few_synapses_between_many_neurons_takes_memory_for_the_few(compiled, delayed):
    n, steps = 20_000, 10
    pre, post = FixedInDegree(3).pairs(rng(), n, n, False)
    wires = Wiring.of(pre, post, (n, n), rng().integers(0, 4, pre.size) if delayed else None)
    events, signal = (np.repeat(np.arange(steps), 5), rng(1).integers(0, n, 5 * steps)), Signal(np.ones(n), "trial")
    psi = np.ones((steps, n))
    adjoint_sweep(psi, [signal], steps, np.ones(n), np.ones(n), [(wires, events, 0)], compiled)  # compiles
    tracemalloc.start()
    adjoint_sweep(psi, [signal], steps, np.ones(n), np.ones(n), [(wires, events, 0)], compiled)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * (4 * pre.size + 6 * steps * n) < 8 * n * n / 100


@pytest.mark.parametrize("compiled", EVALUATIONS)
def test_without_psi_the_adjoint_is_a_readouts_filter_of_its_error(compiled):
    error, kappa, events = rng().standard_normal((T, N)), 0.85, spikes()
    signal = Signal(error, "step", None)
    gain, wires = np.full(N, 1 - kappa), wiring("full")
    (found,) = adjoint_sweep(None, [signal], T, np.full(N, kappa), gain, [(wires, events, 0)], compiled)
    trace = (1 - kappa) * forward_filter(dense(events, N, 0), kappa)
    np.testing.assert_allclose(found.reshape(N, N), trace.T @ error, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("compiled", EVALUATIONS)
def test_a_trial_signal_alone_needs_no_step_signal(compiled):
    values, psi = rng().standard_normal(N), np.ones((T, N))
    (found,) = adjoint_sweep(
        psi, [Signal(values, "trial")], T, np.zeros(N), np.ones(N), [(wiring("full"), spikes(), 0)], compiled
    )
    counts = np.bincount(spikes()[1], minlength=N)
    np.testing.assert_allclose(found.reshape(N, N), np.outer(counts, values), rtol=1e-12)


def test_neurons_that_do_not_adapt_have_the_plain_product():
    psi, total = rng().random((T, N)), rng(1).standard_normal((T, N))
    np.testing.assert_allclose(adaptive_adjoint(psi, total, np.zeros(N), np.full(N, 0.9)), psi * total, rtol=1e-14)
