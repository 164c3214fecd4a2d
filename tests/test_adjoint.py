"""The compiled factored gradient at every width of its blocks: the numpy form to rounding, and each neuron its bits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from snnplast.engine import compiler_available
from snnplast.learning.gradient import adjoint_sweep
from snnplast.learning.signals import Signal
from snnplast.network.projection import Wiring

pytestmark = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
T = 30
WIDTHS = [1, 7, 8, 9, 16, 17, 31, 32, 33, 100]


def wiring(kind, n, longest=0):
    """From 6 sources, or from the n neurons themselves."""
    random = np.random.default_rng(n)
    connected = np.ones((n if kind == "no-diagonal" else 6, n), bool)
    if kind == "no-diagonal":
        np.fill_diagonal(connected, False)
    elif kind == "sparse":
        connected = random.random(connected.shape) < 0.5
        connected[0] = False
    pre, post = np.nonzero(connected)
    delays = random.integers(0, longest + 1, pre.size).astype(np.int32) if longest else None
    result = Wiring.of(pre, post, connected.shape, delays)
    assert result.layout == kind
    return result


def spikes(sources):
    """About one in four steps, the last step always; one source never."""
    x = np.random.default_rng(sources).random((T, sources)) < 0.25
    x[-1], x[:, sources // 2] = True, False
    return np.nonzero(x)


def projections(n):
    kinds = [("full", 0), ("full", 5), ("sparse", 0), ("sparse", 5)]
    if n > 1:
        kinds += [("no-diagonal", 0), ("no-diagonal", 2 * T)]
    wirings = [wiring(kind, n, longest) for kind, longest in kinds]
    return [(wires, spikes(wires.shape[0]), k % 2) for k, wires in enumerate(wirings)]


def signals(n, which):
    random = np.random.default_rng(7)
    several = {
        "broadcast": Signal(
            random.standard_normal((T, 3)), "step", np.array([0.5, 0.8, 0.9]), random.normal(size=(3, n))
        ),
        "unfiltered": Signal(random.standard_normal((T, n)), "step"),
        "filtered": Signal(random.standard_normal((T, n)), "step", 0.8),
        "trial": Signal(random.standard_normal(n), "trial"),
    }
    return list(several.values()) if which == "all" else [several[which]]


def problem(n, which="all", psi=True, adapting=False):
    """What `adjoint_sweep` takes, but for `compiled`."""
    random = np.random.default_rng([n, 3])
    rate, decay, gain, beta = (random.uniform(0.1, 0.9, size) for size in ((T, n), n, n, n))
    return {
        "psi": rate if psi else None,
        "signals": signals(n, which),
        "steps": T,
        "decay": decay,
        "gain": gain,
        "projections": projections(n),
        "adaptation": (beta, decay) if adapting else None,
    }


@pytest.mark.parametrize(
    "options", [{}, {"adapting": True}, {"psi": False}, {"which": "trial"}, {"which": "broadcast"}]
)
@pytest.mark.parametrize("n", WIDTHS)
def test_the_kernel_is_the_numpy_form_at_every_width(n, options):
    swept = problem(n, **options)
    for found, expected in zip(*(adjoint_sweep(**swept, compiled=c) for c in (True, False)), strict=True):
        assert found.size == 0 or np.any(found)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max(initial=1.0))


def last_neuron(swept, events):
    """The same problem without all neurons but the last."""

    def told(signal):
        if signal.feedback is None:
            return Signal(signal.values[..., -1:], signal.timing, signal.decay)
        return Signal(signal.values, signal.timing, signal.decay, signal.feedback[:, -1:])

    given = {name: swept[name][..., -1:] for name in ("psi", "decay", "gain")}
    adaptation = swept["adaptation"] and tuple(values[-1:] for values in swept["adaptation"])
    alone = [(wiring("full", 1), events, 1)]
    return swept | given | {"signals": [*map(told, swept["signals"])], "adaptation": adaptation, "projections": alone}


@pytest.mark.parametrize("adapting", [False, True])
@pytest.mark.parametrize("n", WIDTHS[1:])
def test_a_neuron_has_the_bits_that_it_has_alone(n, adapting):
    events = spikes(6)
    swept = problem(n, adapting=adapting) | {"projections": [(wiring("full", n), events, 1)]}
    (together,) = adjoint_sweep(**swept, compiled=True)
    (alone,) = adjoint_sweep(**last_neuron(swept, events), compiled=True)
    assert np.any(alone) and np.array_equal(together.reshape(6, n)[:, -1], alone)


def same(one, other):
    return all(np.array_equal(*pair) for calls in zip(one, other, strict=True) for pair in zip(*calls, strict=True))


@pytest.mark.parametrize("adapting", [False, True])
@pytest.mark.parametrize("n", [7, 32, 100])
def test_a_history_in_single_precision_is_read_as_what_it_holds(n, adapting):
    single = problem(n, adapting=adapting)
    single["psi"] = single["psi"].astype(np.float32)
    double = single | {"psi": single["psi"].astype(float)}
    assert same(*([adjoint_sweep(**swept, compiled=True)] for swept in (single, double)))


def test_a_call_leaves_nothing_for_the_next():
    swept = [problem(n, adapting=n == 8) for n in (8, 100, 1, 33, 8)]
    first = [adjoint_sweep(**one, compiled=True) for one in swept]
    again = [adjoint_sweep(**one, compiled=True) for one in reversed(swept)][::-1]
    assert same(first, again)


def test_threads_have_the_same_bits_as_one_after_the_other():
    swept = [problem(n) for n in (100, 33, 64, 100)] * 4
    expected = [adjoint_sweep(**one, compiled=True) for one in swept]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: adjoint_sweep(**one, compiled=True), swept))
    assert same(found, expected)
