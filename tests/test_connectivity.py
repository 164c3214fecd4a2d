"""Pairs of every kind of connectivity: sorted, each once, and as many as the kind says."""

from __future__ import annotations

import tracemalloc
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnplast.errors import UserError
from snnplast.network.connectivity import AllToAll, ExplicitPairs, FixedInDegree, OneToOne, Probability
from snnplast.network.projection import Wiring

sizes = st.integers(1, 9)


def rng():
    return np.random.default_rng(0)


@given(st.sampled_from([AllToAll(), Probability(0.4), FixedInDegree(2)]), st.integers(3, 9), st.integers(3, 9))
def test_pairs_are_sorted_and_each_occurs_once(connectivity, n_pre, n_post):
    pre, post = connectivity.pairs(rng(), n_pre, n_post, False)
    flat = pre.astype(int) * n_post + post
    assert np.all(np.diff(flat) > 0) and pre.dtype == post.dtype == np.int32
    assert flat.size == 0 or (flat[0] >= 0 and pre.max() < n_pre and post.max() < n_post)


@given(st.sampled_from([AllToAll(), Probability(0.9), FixedInDegree(2)]), st.integers(3, 9))
def test_self_connections_are_left_out_where_they_are_unwanted(connectivity, n):
    pre, post = connectivity.pairs(rng(), n, n, True)
    assert pre.size and not np.any(pre == post)


def test_all_to_all_is_every_pair():
    pre, post = AllToAll().pairs(rng(), 2, 3, False)
    assert pre.tolist() == [0, 0, 0, 1, 1, 1] and post.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_probability_is_the_share_of_connected_pairs():
    pre, post = Probability(0.3).pairs(rng(), 300, 200, False)
    assert abs(pre.size - 0.3 * 60_000) < 5 * np.sqrt(60_000 * 0.3 * 0.7)
    fan_in = np.bincount(post, minlength=200)
    assert fan_in.std() > 4, "every target the same number: not independent pairs"


@given(st.integers(1, 5), st.booleans())
def test_every_target_has_its_fixed_number_of_different_sources(k, itself):
    _, post = FixedInDegree(k).pairs(rng(), 6, 6, itself)
    assert np.bincount(post, minlength=6).tolist() == [k] * 6


def test_every_set_of_sources_is_equally_likely_also_of_more_than_half_of_them():
    for n, k in ((6, 2), (6, 3), (6, 5), (4, 4)):
        pre, post = FixedInDegree(k).pairs(rng(), n, 20_000, False)
        connected = np.zeros((20_000, n), bool)
        connected[post, pre] = True
        assert np.all(connected.sum(axis=1) == k)
        seen = np.bincount(connected @ (1 << np.arange(n)))
        sets, p = comb(n, k), 1 / comb(n, k)
        assert np.count_nonzero(seen) == sets
        assert np.abs(seen[seen > 0] - 20_000 * p).max() <= 5 * np.sqrt(20_000 * p * (1 - p))


@pytest.mark.parametrize("connectivity, p", [(Probability(0.1), 0.1), (Probability(0.8), 0.8), (FixedInDegree(2), 0.2)])
def test_every_pair_is_as_likely_as_another_and_none_is_of_a_neuron_with_itself(monkeypatch, connectivity, p):
    monkeypatch.setattr("snnplast.network.connectivity.BLOCK", 23)  # so that several blocks follow one another
    random, counts, repeats = rng(), np.zeros((11, 11)), 4000
    for _ in range(repeats):
        counts[connectivity.pairs(random, 11, 11, True)] += 1
    assert not np.any(np.diag(counts))
    others = counts[~np.eye(11, dtype=bool)]
    assert np.abs(others - repeats * p).max() < 5 * np.sqrt(repeats * p * (1 - p))


@pytest.mark.parametrize("itself", [False, True])
def test_numbers_of_synapses_drawn_with_a_probability_are_binomial(itself):
    pre, post = Probability(0.05).pairs(rng(), 400, 400, itself)
    n = 400 - itself
    for ends in (pre, post):
        fans = np.bincount(ends, minlength=400)
        assert abs(fans.mean() - n * 0.05) < 5 * np.sqrt(n * 0.05 * 0.95 / 400)
        assert abs(fans.var() / (n * 0.05 * 0.95) - 1) < 5 * np.sqrt(2 / 400)


@pytest.mark.parametrize("connectivity", [Probability(0.3), FixedInDegree(3)])
def test_the_same_random_numbers_give_the_same_pairs_and_others_give_others(connectivity):
    first, again = (connectivity.pairs(rng(), 30, 20, False) for _ in range(2))
    other = connectivity.pairs(np.random.default_rng(1), 30, 20, False)
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], other[0]) or not np.array_equal(first[1], other[1])


def test_a_probability_of_one_connects_all_and_a_lone_neuron_has_no_other():
    assert np.array_equal(Probability(1.0).pairs(rng(), 5, 5, True), AllToAll().pairs(rng(), 5, 5, True))
    for connectivity in (Probability(0.5), AllToAll()):
        assert [indices.size for indices in connectivity.pairs(rng(), 1, 1, True)] == [0, 0]


@pytest.mark.parametrize(
    "connectivity", [AllToAll(), FixedInDegree(2), OneToOne(), ExplicitPairs(pre=[0, 3], post=[1, 1])]
)
def test_how_many_pairs_there_will_be_is_known_without_drawing(connectivity):
    for itself in (False, True) if not isinstance(connectivity, OneToOne) else (False,):
        assert connectivity.count(4, 4, itself) == connectivity.pairs(rng(), 4, 4, itself)[0].size
    assert Probability(0.5).count(4, 4, False) is None


@pytest.mark.parametrize("connectivity", [Probability(1e-3), FixedInDegree(20), OneToOne()])
def test_drawing_pairs_takes_memory_in_proportion_to_them(connectivity):
    n, block = 20_000, 2**20 * 8 * 6
    tracemalloc.start()
    pre, _ = connectivity.pairs(rng(), n, n, False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * pre.size + block < n * n / 6


def test_one_to_one_pairs_equals():
    pre, post = OneToOne().pairs(rng(), 3, 3, False)
    assert pre.tolist() == post.tolist() == [0, 1, 2]


def test_explicit_pairs_are_sorted():
    pre, post = ExplicitPairs(pre=[2, 0, 2], post=[1, 1, 0]).pairs(rng(), 3, 2, False)
    assert pre.tolist() == [0, 2, 2] and post.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: Probability(0.0), "Probability.p = 0.0: input should be greater than 0"),
        (lambda: Probability(1.5), "Probability.p = 1.5: input should be less than or equal to 1"),
        (lambda: FixedInDegree(0), "FixedInDegree.k = 0: input should be greater than or equal to 1"),
        (
            lambda: FixedInDegree(4).pairs(rng(), 4, 4, True),
            "FixedInDegree(k=4): only 3 source neurons are available",
        ),
        (lambda: OneToOne().pairs(rng(), 3, 4, False), "OneToOne: sizes 3 and 4 differ; equal sizes are needed"),
        (
            lambda: OneToOne().pairs(rng(), 3, 3, True),
            "OneToOne: from a population to itself these are self-connections, which are excluded",
        ),
        (
            lambda: ExplicitPairs(pre=[0, 3], post=[0, 0]).pairs(rng(), 3, 1, False),
            "pre index 3 is out of range: 0..2 are allowed",
        ),
        (
            lambda: ExplicitPairs(pre=[0], post=[0, 1]).pairs(rng(), 3, 2, False),
            "1 source and 2 target indices: equal numbers are needed",
        ),
        (
            lambda: ExplicitPairs(pre=[0, 0], post=[1, 1]).pairs(rng(), 3, 2, False),
            "a pair of neurons is listed twice; each may occur once",
        ),
        (
            lambda: ExplicitPairs(pre=[0.5], post=[1]),
            "ExplicitPairs.pre: integers are needed, not floating-point numbers (array([0.5]))",
        ),
        (
            lambda: ExplicitPairs(pre=[0, 1], post=[1, 1]).pairs(rng(), 3, 3, True),
            "the pair (1, 1) is listed, but self_connections = False leaves it out",
        ),
        (
            lambda: ExplicitPairs(pre=[[0]], post=[1]),
            "ExplicitPairs.pre = [[0]]: indices have shape (1, 1); (n_synapses,) is needed",
        ),
        (
            lambda: ExplicitPairs(pre=[-1], post=[1]),
            "ExplicitPairs.pre = [-1]: integers of at least 0 are allowed, these span -1 to -1",
        ),
    ],
)
def test_what_cannot_be_connected_is_said(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value) == sentence


@given(sizes, sizes, st.sampled_from(["full", "no-diagonal", "sparse"]), st.randoms(use_true_random=False))
def test_a_matrix_and_its_entries_are_each_others_inverse(n_pre, n_post, kind, random):
    connected = np.ones((n_pre, n_post), bool)
    if kind == "no-diagonal":
        n_post, connected = n_pre, ~np.eye(n_pre, dtype=bool)
    elif kind == "sparse":
        connected = np.array([[random.random() < 0.5 for _ in range(n_post)] for _ in range(n_pre)])
    wiring = Wiring.of(*np.nonzero(connected), connected.shape)
    matrix = np.random.default_rng(1).standard_normal(connected.shape)
    entries = wiring.entries(matrix)
    assert np.array_equal(entries, matrix[wiring.pre, wiring.post])
    assert np.array_equal(wiring.matrix(entries), np.where(connected, matrix, 0))
    assert np.array_equal(wiring.fan_out(), connected.sum(axis=1))
