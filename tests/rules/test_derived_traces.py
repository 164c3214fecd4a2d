"""What is derived from a neuron's code is what was written by hand for LIF and ALIF neurons, on random networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from random_networks import DELAYS, DIFFERING, Case, Experiment, cases
from test_e_prop import ALL_AT_ONCE, COMPILED_NETWORKS, NETWORKS, compiled, needs_compiler, thoroughly

from snnplast.engine import COMPILED, NUMPY
from snnplast.learning.eligibility import _short
from snnplast.network.neurons import ALIF, LIF


class AnyLIF(LIF):
    """LIF neurons whose traces are derived from their code."""

    @property
    def exponential(self):
        return None


class AnyALIF(ALIF):
    """The same of ALIF neurons."""

    @property
    def exponential(self):
        return None


class Derived(Experiment):
    """An experiment of such neurons."""

    lif, alif = AnyLIF, AnyALIF


def assert_derived_as_written(case, engine=NUMPY):
    written, derived = Experiment(case), Derived(case)
    for experiment, short in ((written, True), (derived, False)):
        network = experiment.network()
        assert all(_short(network, network.populations[name], name) == short for name in case.names)
    evaluations = ("factored", "online") if np.ndim(case.tau_out) == 0 else ("factored",)
    for evaluation in evaluations:
        expected, found = written.run(evaluation, engine), derived.run(evaluation, engine)
        for name in case.names:
            assert all(map(np.array_equal, found.record.spikes[name], expected.record.spikes[name]))
        assert found.gradients.keys() == expected.gradients.keys()
        for name, gradient in expected.gradients.items():
            assert np.abs(found.gradients[name] - gradient).max() <= 1e-12 * np.abs(gradient).max(), name


SMALL = Case(sizes=(4,), inputs=5, steps=40, recurrent=True, refractory=2, c_reg=300.0)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(SMALL, id="LIF, all alike: traces per source"),
        pytest.param(replace(SMALL, beta=0.2, delays="uniform", density=0.6), id="ALIF, one delay, sparse"),
        pytest.param(replace(SMALL, differ=frozenset(DIFFERING), delays="synapse"), id="LIF that differ, delays too"),
    ],
)
def test_derived_traces_are_those_written_by_hand(case):
    assert_derived_as_written(case)


@pytest.mark.slow
@pytest.mark.parametrize("delays", DELAYS)
@pytest.mark.parametrize("beta", [0.0, 0.2])
def test_with_delays_of_every_kind_and_several_populations(delays, beta):
    assert_derived_as_written(replace(ALL_AT_ONCE, delays=delays, beta=beta))


@pytest.mark.slow
def test_derived_traces_are_those_written_by_hand_in_200_networks():
    assert compared(thoroughly, NUMPY) >= NETWORKS


@pytest.mark.slow
@needs_compiler
def test_derived_traces_are_those_written_by_hand_in_compiled_networks():
    assert compared(compiled, COMPILED) >= COMPILED_NETWORKS


def compared(setting, engine):
    """Compare as many networks as the setting says; returns how many they were."""
    count = 0

    @setting
    @given(cases())
    def compare(case):
        nonlocal count
        assert_derived_as_written(case, engine)
        count += 1

    compare()
    return count
