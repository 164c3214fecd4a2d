"""Gradients of neurons' constants: the same in both faces, and the slopes that they say they are."""

from __future__ import annotations

import numpy as np
import pytest
from constant_runs import SLOPES, SPIKING, N, gradients, slopes

from snnplast.engine import EngineChoice, compiler_available
from snnplast.rules.e_prop import EProp


def apart(found, expected):
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def names_of(learnable, neurons):
    return [f"hidden.initial_{name}" if name in neurons.initial_values else f"hidden.{name}" for name in learnable]


@pytest.mark.parametrize("kind", SPIKING)
def test_both_faces_give_constants_the_same_gradient(kind):
    """With a filtered step signal and a trial signal."""
    make, learnable = SPIKING[kind]
    neurons = make(learnable=learnable)
    rules = (EProp(evaluation=face, regularisers=("firing-rate",)) for face in ("factored", "online"))
    factored, online = (gradients(neurons, rule) for rule in rules)
    for name in names_of(learnable, neurons):
        assert factored[name].shape == (N,) and np.any(factored[name]), name
    assert factored.keys() == online.keys()
    for name in factored:
        assert apart(online[name], factored[name]) <= 1e-10, name


@pytest.mark.slow
@pytest.mark.skipif(not compiler_available(), reason="no C++ compiler")
@pytest.mark.parametrize("kind", SPIKING)
def test_the_compiled_engine_gives_the_same_gradient(kind):
    make, learnable = SPIKING[kind]
    expected = gradients(make(learnable=learnable), EProp())
    for evaluation in ("factored", "online"):
        found = gradients(make(learnable=learnable), EProp(evaluation=evaluation), EngineChoice(name="compiled"))
        for name, gradient in expected.items():
            assert apart(found[name], gradient) <= 1e-10, (evaluation, name)


@pytest.mark.parametrize("kind", ["lif", "alif"])
def test_what_is_learnable_leaves_the_gradients_of_weights_alone(kind):
    """Their short traces without, derived ones with it."""
    make, learnable = SPIKING[kind]
    without, with_them = gradients(make(), EProp()), gradients(make(learnable=learnable), EProp())
    for name, gradient in without.items():
        assert apart(with_them[name], gradient) <= 1e-12, name


@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("kind", SLOPES)
def test_constants_have_central_differences_also_across_resets(kind, evaluation):
    found, spikes = slopes(*SLOPES[kind], evaluation)
    assert spikes > 1
    for name, (by_rule, by_differences) in found.items():
        assert by_rule == pytest.approx(by_differences, rel=1e-6), name
