"""What is refused before it could corrupt the generated code's memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnplast.engine.inputs import SpikeInput, check_writable, checked_initial
from snnplast.errors import UserError

spikes = st.sets(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=40)


@given(spikes, st.randoms())
def test_spikes_are_sorted_by_step_then_neuron_however_they_come(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    half = len(shuffled) // 2
    source = SpikeInput("source", 7)
    for part in (shuffled[:half], shuffled[half:]):
        source.add([step for step, _ in part], [index for _, index in part], 0)
    assert list(zip(source.events.steps.tolist(), source.events.indices.tolist(), strict=True)) == sorted(pairs)
    assert source.events.steps.dtype == source.events.indices.dtype == np.int32


@given(spikes.filter(bool), st.randoms())
def test_a_twin_is_found_wherever_it_is(pairs, random):
    source = SpikeInput("source", 7)
    doubled = [*pairs, random.choice(sorted(pairs))]
    random.shuffle(doubled)
    with pytest.raises(UserError, match="spikes twice"):
        source.add([step for step, _ in doubled], [index for _, index in doubled], 0)
    assert len(source.events.steps) == 0


def test_spikes_of_one_segment_after_another_are_appended_and_others_merged_with_later_ones_only(monkeypatch):
    merged, merge = [], SpikeInput._merged
    monkeypatch.setattr(SpikeInput, "_merged", lambda *args: merged.append(merge(*args)) or merged[-1])
    source = SpikeInput("source", 3)
    for start in range(0, 1000, 10):
        source.add(start + np.array([0, 4, 4]), [2, 0, 1], start)
    assert not merged and source.events.count == 300
    source.add([995], [2], 990)
    source.add([992], [2], 990)
    assert [keys.size for keys in merged] == [4], "995 is appended; 992 comes among three later ones"
    assert source.events.steps[-5:].tolist() == [990, 992, 994, 994, 995]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8, np.uint32, np.int64, np.uint64])
def test_any_integer_type_will_do(dtype):
    source = SpikeInput("source", 200)
    source.add(np.array([3, 1], dtype), np.array([100, 2], dtype), 0)
    assert source.events.steps.tolist() == [1, 3]
    assert source.events.indices.tolist() == [2, 100]


@pytest.mark.parametrize(
    "steps, indices, sentence",
    [
        ([2, 2**62 + 7, 3], [0, 1, 2], "step 4611686018427387911 is not in 2 to"),
        ([3, 2, 1], [0, 0, 0], "step 1 is not in 2 to 2147483646, earlier ones have passed"),
        ([2, 3], [0, -(2**63)], "index -9223372036854775808 is not in 0 to 3"),
        ([2, -(2**62), 4], [0, 1, 2], "step -4611686018427387904 is not in 2 to"),
    ],
)
def test_a_number_out_of_range_is_found_wherever_it_is(steps, indices, sentence):
    source = SpikeInput("source", 4)
    with pytest.raises(UserError, match=sentence):
        source.add(steps, indices, 2)
    assert not source.events.count


def test_unsigned_numbers_too_large_for_an_index_are_refused():
    with pytest.raises(UserError, match="too large"):
        SpikeInput("source", 2).add(np.array([2**63], np.uint64), np.array([1], np.uint64), 0)


def test_the_largest_steps_and_indices_do_not_overflow():
    source = SpikeInput("source", 2**31 - 1)
    source.add([2**31 - 2, 0], [2**31 - 2, 0], 0)
    assert source.events.steps.tolist() == [0, 2**31 - 2]
    assert source.events.indices.tolist() == [0, 2**31 - 2]


@pytest.mark.parametrize(
    ("values", "dtype", "fine"),
    [
        (np.ones(1, np.int64), np.float64, True),
        (np.ones(1, bool), np.float64, True),
        (np.ones(1, np.float32), np.float64, True),
        (np.ones(1), np.int32, False),
        (np.ones(1, complex), np.float64, False),
        (np.array(["1"]), np.float64, False),
        (np.array([None]), np.float64, False),
        (np.array([np.inf]), np.float64, False),
    ],
)
def test_only_what_the_variable_can_hold_is_written(values, dtype, fine):
    if fine:
        check_writable("here", values, np.dtype(dtype))
        return
    with pytest.raises(UserError, match=r"^here: "):
        check_writable("here", values, np.dtype(dtype))


def test_one_number_fills_a_variable():
    assert checked_initial("x", 2, np.zeros(3)).shape == ()
    assert checked_initial("x", [1, 2, 3], np.zeros(3)).tolist() == [1.0, 2.0, 3.0]
    assert checked_initial("x", 2.0, np.zeros(1)).shape == (1,)
