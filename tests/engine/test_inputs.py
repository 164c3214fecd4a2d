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
    assert list(zip(source.steps.tolist(), source.indices.tolist(), strict=True)) == sorted(pairs)
    assert source.steps.dtype == source.indices.dtype == np.int32


@given(spikes.filter(bool), st.randoms())
def test_a_twin_is_found_wherever_it_is(pairs, random):
    source = SpikeInput("source", 7)
    doubled = [*pairs, random.choice(sorted(pairs))]
    random.shuffle(doubled)
    with pytest.raises(UserError, match="spikes twice"):
        source.add([step for step, _ in doubled], [index for _, index in doubled], 0)
    assert len(source.steps) == 0


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8, np.uint32, np.int64, np.uint64])
def test_any_integer_type_will_do(dtype):
    source = SpikeInput("source", 200)
    source.add(np.array([3, 1], dtype), np.array([100, 2], dtype), 0)
    assert source.steps.tolist() == [1, 3]
    assert source.indices.tolist() == [2, 100]


def test_unsigned_numbers_too_large_for_an_index_are_refused():
    with pytest.raises(UserError, match="too large"):
        SpikeInput("source", 2).add(np.array([2**63], np.uint64), np.array([1], np.uint64), 0)


def test_the_largest_steps_and_indices_do_not_overflow():
    source = SpikeInput("source", 2**31 - 1)
    source.add([2**31 - 2, 0], [2**31 - 2, 0], 0)
    assert source.steps.tolist() == [0, 2**31 - 2]
    assert source.indices.tolist() == [0, 2**31 - 2]


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
