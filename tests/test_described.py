"""Values that users hand over: what is right passes as it is, what is not is said with its place."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import mV

from snnplast.described import count, integers, reals
from snnplast.errors import UserError
from snnplast.task.trial import Segment


def test_floats_pass_uncopied_and_numbers_of_other_kinds_as_the_floats_they_are():
    given = np.array([0.25, 1.0], dtype=np.float32)
    assert reals("x", given) is given
    for value in ([0, 1], np.array([False, True]), np.array([0, 1], dtype=np.uint8), np.ma.masked_array([0.0, 1.0])):
        assert reals("x", value).dtype == float and reals("x", value).tolist() == [0, 1]
    assert reals("x", []).shape == (0,)


def test_integers_pass_as_they_are():
    assert integers("n", [3, 0]).tolist() == [3, 0] and integers("n", np.array([7], dtype=np.uint64)).dtype == np.int64
    assert integers("n", []).size == 0
    assert count("n", np.int32(4)) == 4 and count("n", 0, low=0) == 0


@pytest.mark.parametrize(
    "check, sentence",
    [
        (lambda: reals("x", [0.5, np.nan]), "x: finite numbers are needed, not nan"),
        (lambda: reals("x", [[0.5], [np.inf]]), "x: finite numbers are needed, not inf"),
        (lambda: reals("x", [0.5, 1.5], 0, 1), "x: values must lie in [0, 1], these span 0.5 to 1.5"),
        (lambda: reals("x", [-1.5], low=0), "x: values of at least 0 are allowed, these span -1.5 to -1.5"),
        (lambda: reals("x", ["a", "b"]), "x: numbers are needed, not text"),
        (lambda: reals("x", [1j]), "x: real numbers are needed, not complex numbers"),
        (lambda: reals("x", [[1], [2, 3]]), "x: an array of numbers is needed, not [[1], [2, 3]]"),
        (lambda: reals("x", [None]), "x: numbers are needed"),
        (lambda: reals("x", 0.5 * mV), "x: numbers without a unit are needed, not 0.5 * mvolt"),
        (
            lambda: reals("x", np.ma.masked_array([0.1, 0.2], mask=[True, False])),
            "x: 1 of 2 values are masked; all are needed",
        ),
        (lambda: integers("n", [0.0, 1.0]), "n: integers are needed, not floating-point numbers"),
        (lambda: integers("n", [True]), "n: integers are needed, not booleans"),
        (lambda: integers("n", [2, 9], 0, 4), "n: integers must lie in [0, 4], these span 2 to 9"),
        (lambda: integers("n", np.array([2**63], dtype=np.uint64)), "n: integers"),
        (lambda: count("n", 20.0), "n = 20.0: an integer of at least 1 is needed"),
        (lambda: count("n", True), "n = True: an integer of at least 1 is needed"),
        (lambda: count("n", -3), "n = -3: an integer of at least 1 is needed"),
        (lambda: count("n", "3"), "n = '3': an integer of at least 1 is needed"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_place(check, sentence):
    with pytest.raises(UserError) as caught:
        check()
    assert str(caught.value).startswith(sentence)


def test_a_large_array_is_looked_at_in_blocks(tmp_path):
    """A memory-mapped array: nothing of its size is allocated, and a wrong value anywhere is found."""
    import tracemalloc

    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(3000, 2000))
    tracemalloc.start()
    assert np.shares_memory(reals("x", mapped, 0, 1), mapped)
    assert tracemalloc.get_traced_memory()[1] < mapped.nbytes / 4
    tracemalloc.stop()
    mapped[2999, 1999] = 2
    with pytest.raises(UserError, match="these span 0 to 2"):
        reals("x", mapped, 0, 1)


SPIKES = np.array([0, 2]), np.array([1, 1])


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"steps": 0}, "Segment.steps = 0: an integer of at least 1 is needed"),
        ({"steps": 5.0}, "Segment.steps = 5.0: an integer"),
        (
            {"inputs": {"input": (np.array([0.4, 1.7, 2.9]), np.array([0, 1, 2]))}},
            "Segment.inputs['input']: steps: integers are needed, not floating-point numbers",
        ),
        (
            {"inputs": {"input": (np.array([0, 7]), np.array([0, 1]))}},
            "Segment.inputs['input']: steps: integers must lie in [0, 4], these span 0 to 7",
        ),
        ({"inputs": {"input": ([0, 1], [0])}}, "Segment.inputs['input']: steps have shape (2,), indices (1,)"),
        ({"inputs": {"input": ([0], [-1])}}, "Segment.inputs['input']: indices: integers of at least 0 are allowed"),
        (
            {"inputs": {"input": ([0], [0], [0])}},
            "Segment.inputs['input']: spikes are two arrays, (steps, indices), not 3",
        ),
        ({"inputs": {"input": [0.5, 1.5]}}, "Segment.inputs['input']: values must lie in [0, 1]"),
        ({"inputs": [0.5]}, "Segment.inputs = [0.5]: a dictionary of arrays by name is needed"),
        (
            {"series": {"output.target": [np.nan]}},
            "Segment.series['output.target']: finite numbers are needed, not nan",
        ),
        ({"series": {"target": [1.0]}}, "Segment.series['target']: no name of a series"),
        ({"series": {"output.target": "one"}}, "Segment.series['output.target']: numbers are needed"),
    ],
)
def test_a_segment_is_checked_where_it_is_described(settings, sentence):
    with pytest.raises(UserError) as caught:
        Segment(**{"steps": 5, **settings})
    assert str(caught.value).startswith(sentence)


def test_a_segment_takes_lists_and_silence():
    segment = Segment(3, {"a": [0, 1], "b": ([], []), "c": ([2, 0], [1, 1])}, {"output.target": [1], "output.y": 0.5})
    assert segment.inputs["a"].tolist() == [0, 1] and segment.inputs["b"][0].size == 0
    assert segment.inputs["c"][0].tolist() == [2, 0]
    assert segment.series["output.target"].tolist() == [1] and segment.series["output.y"].shape == (1,)
