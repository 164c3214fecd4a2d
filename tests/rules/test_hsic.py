"""HSIC: a stream of samples through the library's window gives the signals that the equations say."""

from __future__ import annotations

import numpy as np
import pytest
from reference import ib_hebbian as ib
from streams_of_samples import LAYERS, context, records, shown

from snnplast.engine import compiler_available
from snnplast.errors import UserError
from snnplast.rules.third_factors.hsic import HSIC

SETTINGS = {"gamma": 3.0, "sigma_x": 0.4, "sigma_y": 0.6, "sigma_z": 1.2}
needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
WINDOWS = (2, 3, 8, 16, 32, 64)


def streamed(window, xi="exact", seed=0, compiled=False, **settings):
    """(signals, windows (X, Y, Z)) by layer and sample, from a stream that goes more than once through the window."""
    factor = HSIC(window=window, xi=xi, transforms=(), **{**SETTINGS, **settings})
    state, found, samples = factor.init(context()), [], {name: [] for name in LAYERS}
    for record in records(seed, 2 * window + 3):
        record.compiled = compiled
        signals = factor.signal(record, context(), state)
        for name in LAYERS:
            samples[name].append(shown(record, name))
            signal = signals[name]
            assert (signal is not None) == (len(samples[name]) >= window)
            if signal is not None:
                seen = [np.array(part) for part in zip(*samples[name][-window:], strict=True)]
                found.append((signal.copy(), seen))
    return found


def objective(window, **settings):
    return ib.Objective(window, **{**SETTINGS, **settings})


def slopes(function, Z, step=1e-5):
    """Central differences of a function of Z (N, D) by its last row."""
    found = np.zeros(Z.shape[1])
    for i, shift in enumerate(step * np.eye(Z.shape[1])):
        ends = [np.vstack([Z[:-1], Z[-1] + sign * shift]) for sign in (1, -1)]
        found[i] = (function(ends[0]) - function(ends[1])) / (2 * step)
    return found


def apart(found, expected):
    """Relative error of a vector."""
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("gamma", [0.0, 3.0])
def test_the_exact_signal_is_the_slope_of_the_windowed_objective(window, gamma):
    o = objective(window, gamma=gamma)
    for xi, (X, Y, Z) in streamed(window, gamma=gamma)[-10:]:
        assert apart(xi, slopes(lambda z, X=X, Y=Y: ib.objective(o, X, Y, z), Z)) < 1e-6


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("xi, transcription", [("exact", ib.xi_exact), ("reference", ib.xi_reference)])
def test_every_signal_of_a_stream_is_that_of_the_transcription(window, xi, transcription):
    o = objective(window)
    for signal, samples in streamed(window, xi):
        assert apart(signal, transcription(o, *samples)) < 1e-12


@needs_compiler
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("xi", ["exact", "reference"])
def test_compiled_code_gives_the_signals_of_numpy(window, xi):
    for (one, _), (other, _) in zip(streamed(window, xi), streamed(window, xi, compiled=True), strict=True):
        assert apart(other, one) < 1e-12


@needs_compiler
def test_compiled_code_remembers_what_numpy_does():
    factor = HSIC(window=4, **SETTINGS)
    one, other = (factor.init(context()) for _ in range(2))
    for record in records(0, 11):
        for record.compiled, state in ((False, one), (True, other)):
            factor.signal(record, context(), state)
        for name, values in one.items():
            np.testing.assert_allclose(other[name], values, rtol=1e-12, atol=1e-14)
    assert one["seen"] == other["seen"] == 11


def test_the_reference_signal_is_the_slope_of_the_trace_of_an_elementwise_product():
    """2 (N-1)^-2 sum_i (H K)_ii (H K_z)_ii, with kernels centred once."""
    window = 12
    o, centring = objective(window), np.eye(window) - 1 / window

    def elementwise(X, Y, Z):
        K = ib.kernel(X, o.sigma_x) - o.gamma * ib.kernel(Y, o.sigma_y)
        return 2 / (window - 1) ** 2 * np.diag(centring @ K) @ np.diag(centring @ ib.kernel(Z, o.sigma_z))

    for xi, (X, Y, Z) in streamed(window, "reference")[-10:]:
        assert apart(xi, slopes(lambda z, X=X, Y=Y: elementwise(X, Y, z), Z)) < 1e-6


def test_of_two_samples_the_reference_signal_is_exact():
    pairs = list(zip(streamed(2), streamed(2, "reference"), strict=True))
    assert len(pairs) > 10
    for (exact, _), (reference, _) in pairs:
        assert apart(reference, exact) < 1e-12


def test_of_sixteen_samples_the_reference_signal_points_elsewhere():
    """And with HSIC's default settings away from all remembered samples, whatever their class."""
    default = {"gamma": 10.0, "sigma_x": 0.5, "sigma_y": 0.25, "sigma_z": 1.0}
    cosines, blind = [], []
    for seed in range(5):
        both = zip(streamed(16, "exact", seed, **default), streamed(16, "reference", seed, **default), strict=True)
        for (exact, (_, _, Z)), (reference, _) in both:
            k_z = ib.kernel(Z, 1.0)[-1]
            cosines.append(cosine(exact, reference))
            blind.append(cosine(reference, -k_z @ (Z[-1] - Z)))
    assert len(cosines) == 5 * 20 * len(LAYERS)
    assert np.mean(cosines) < 0.9, np.mean(cosines)
    assert np.mean(blind) > 0.99


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def test_an_unknown_signal_is_refused():
    with pytest.raises(UserError, match=r"HSIC.xi = 'approximate': input should be 'exact' or 'reference'"):
        HSIC(xi="approximate")
