"""Random streams: pure functions of a seed and of what they are for, which share nothing."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snnplast.learning.third_factor import Context
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm
from snnplast.random_streams import SOURCES, TEST, TRAINING, stream
from snnplast.rules.third_factors.random import Random
from snnplast.rules.third_factors.reservoir import Reservoir
from snnplast.task.trial import Record

numbers = st.integers(0, 2**40)
names = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=8)


@given(numbers, numbers, numbers, numbers)
def test_a_stream_is_a_pure_function_of_its_numbers(seed, first, second, third):
    draw = stream(seed, first, second, third).random(4)
    stream(seed, first, second, third + 1).random(4)
    assert np.array_equal(stream(seed, first, second, third).random(4), draw)


@given(st.integers(0, 2**70), names, st.lists(names | numbers, max_size=4))
def test_a_named_stream_is_a_pure_function_of_its_names(seed, purpose, owner):
    draw = stream(seed, purpose, *owner).random(4)
    stream(seed, purpose, *owner, "other").random(4)
    assert np.array_equal(stream(seed, purpose, *owner).random(4), draw)


def independent(places):
    draws = np.array([stream(*place).random(500) for place in places])
    assert len(np.unique(draws)) == draws.size, "no overlap of shifted streams either"
    correlation = np.corrcoef(draws)[np.triu_indices(len(places), 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(500)


def test_streams_of_different_numbers_share_nothing():
    independent([(s, a, b, c) for s in (0, 1) for a in (0, 1) for b in (0, 1) for c in (0, 1, 2)])


def test_streams_of_different_names_and_owners_share_nothing():
    paths = [
        ("a",),
        ("b",),
        ("a", "b"),
        ("ab",),
        ("b", "a"),
        ("a", 1),
        ("a", "1"),
        ("a", 1, 2),
        ("a", 12),
        ("a", "b", 0),
    ]
    run = [(0, SOURCES, phase, 0) for phase in (TRAINING, TEST)]
    independent([(seed, *path) for seed in (0, 1) for path in paths] + run)


def layers():
    net = Network()
    for name in ("first", "second"):
        net.add(name, LIF(8, representation=LayerNorm()))
    return net


def test_noise_instead_of_a_signal_is_another_for_every_population_and_trial():
    noise = Random(transforms=()).raw
    rows = [
        noise(Record(layers(), {}, {}, index, seed), Context(layers(), (name,), None, False), {})[name].tolist()
        for seed, index, name in itertools.product((1, 2), (0, 1), ("first", "second"))
    ]
    assert len({tuple(row) for row in rows}) == len(rows)


def test_reservoirs_of_two_layers_share_no_weight():
    """Whatever the sizes: input and recurrent weights are drawn for each layer anew."""
    net, settings = Network(), Reservoir(units=20, connectivity=0.5)
    found = []
    for name in ("first", "second"):
        net.add(name, LIF(8, representation=LayerNorm()))
        settings._units_of(name, 8, 2, seed=3).add_to(net)
        inputs = net.projections[f"{name}_to_{name}_reservoir"].weights.values
        recurrent = net.projections[f"{name}_reservoir_to_{name}_reservoir"].weights.values
        found.append(np.concatenate([inputs.reshape(-1), recurrent]))
    assert not np.intersect1d(*found).size
    again = Network()
    again.add("second", LIF(8, representation=LayerNorm()))
    settings._units_of("second", 8, 2, seed=3).add_to(again)
    assert np.array_equal(
        again.projections["second_to_second_reservoir"].weights.values,
        net.projections["second_to_second_reservoir"].weights.values,
    )
