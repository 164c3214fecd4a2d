"""Online and factored gradients are one, on both engines, whatever neurons a network is mixed from."""

from __future__ import annotations

import numpy as np
import pytest
from mixed_networks import Mixed

from snnplast.engine import COMPILED, NUMPY, compiler_available

ROUND, ROUNDS = 12, 10
"""Networks of one test, and tests."""

FEW = 10
"""Networks of a round in which every population must spike: all but two."""


def compared(seed, engine=NUMPY):
    """Compare both faces, and the engine with numpy's; returns whether every population spiked."""
    network = Mixed(seed)
    spikes, expected = network.run("online")
    others = [network.run("factored", engine)] + ([network.run("online", engine)] if engine != NUMPY else [])
    for found_spikes, found in others:
        for name, (steps, indices) in spikes.items():
            assert np.array_equal(found_spikes[name][0], steps) and np.array_equal(found_spikes[name][1], indices)
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            assert np.all(np.isfinite(gradient)), (seed, name)
            assert np.abs(found[name] - gradient).max() <= 1e-10 * np.abs(gradient).max(), (seed, name)
    moved = [np.any(gradient) for name, gradient in expected.items() if name.startswith("input_to")]
    return all(steps.size for steps, _ in spikes.values()) and all(moved)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, ROUND * ROUNDS, ROUND))
def test_online_and_factored_gradients_are_one(first):
    assert sum(compared(seed) for seed in range(first, first + ROUND)) >= FEW
    assert FEW * ROUNDS >= 100


@pytest.mark.slow
@pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
@pytest.mark.parametrize("seed", range(10))
def test_both_engines_have_the_same_spikes_and_gradients(seed):
    compared(seed, COMPILED)
