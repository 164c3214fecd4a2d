"""Quantities from text, as DESIGN asks: Brian2's unit names, dimension checks, no eval, one sentence per mistake."""

import numpy as np
import pytest
from brian2 import Hz, amp, ms, mV, nA, second
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from snnplast.errors import UserError
from snnplast.units import (
    InUnit,
    NonNegativeTime,
    PositiveRate,
    PositiveTime,
    Rate,
    Time,
    format_quantity,
    in_unit,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("20 ms", "second", 0.02),
        ("20ms", "ms", 0.02),
        ("20*ms", "ms", 0.02),
        ("  -1.5e1   ms ", "ms", -0.015),
        ("2 s", "ms", 2.0),
        ("2 second", "ms", 2.0),
        (".5 us", "ms", 0.5e-6),
        ("10 Hz", "Hz", 10.0),
        ("0.5 1/ms", "Hz", 500.0),
        ("0.5/ms", "Hz", 500.0),
        ("5 ms**-1", "Hz", 5000.0),
        ("3 nA/ms", "amp/second", 3e-6),
        ("4 ms^2", "second**2", 4e-6),
        ("1_000 ms", "ms", 1.0),
        ("0", "ms", 0.0),
        ("0.9", "1", 0.9),
    ],
)
def test_text_becomes_a_value_in_si_base_units(text, unit, value):
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-15, abs=0)


def test_values_equal_those_of_brian2_to_the_last_bit():
    for number in (0.1, 1.1, 3, 7.7, 20):
        assert parse_quantity(f"{number} ms", "second") == float(number * ms)


def test_brian2_quantities_and_what_brian2_prints_are_accepted():
    assert parse_quantity(20 * ms, "second") == 0.02
    assert parse_quantity(second, "ms") == 1.0
    assert parse_quantity(str(20 * ms), "ms") == 0.02
    assert parse_quantity(3 * nA / ms, "amp/second") == float(3 * nA / ms / (amp / second))
    assert parse_quantity(np.float64(0), "ms") == 0.0


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("20 mV", "'20 mV' has the unit 'mV': a time is needed, such as '20 ms'"),
        ("20 mss", "'20 mss' has the unknown unit 'mss': did you mean 'ms'? Known: ms, msecond, second, us, usecond"),
        ("20", "'20' has no unit: a time is needed, write '20 ms' if ms is meant"),
        (20, "20 has no unit: a time is needed, write '20 ms' if ms is meant"),
        (20 * mV, "20. mV is in V: a time is needed, such as '20 ms'"),
        ([1, 2] * ms, r"\[1. 2.\] ms is an array: one value is needed, such as '20 ms'"),
        (np.ones(1), r"\[1.\] is an array: one value is needed, such as '20 ms'"),
        ("soon", "'soon' is no quantity: a time is needed, such as '20 ms'"),
        (True, "True is no quantity: a time is needed, such as '20 ms'"),
        (None, "None is no quantity: a time is needed, such as '20 ms'"),
        ("20 ms ms", "'20 ms ms' has the unreadable unit 'ms ms': a time is needed, such as '20 ms'"),
        ("20 ms/", "'20 ms/' has the unreadable unit 'ms/': a time is needed, such as '20 ms'"),
        ("1 ksecond**9999", "'1 ksecond\\*\\*9999' has the unreadable unit .*"),
        ("1__0 ms", "'1__0 ms' has the unreadable unit '__0 ms': .*"),
        ("nan", "'nan' is no quantity: .*"),
        ("1e999 ms", "'1e999 ms' is not a finite number"),
        (float("inf") * ms, ".* is not a finite number"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_value_and_what_is_allowed(value, sentence):
    with pytest.raises(UserError, match=f"^{sentence}$".replace("?", r"\?")):
        parse_quantity(value, "ms")


def test_the_example_in_a_message_is_in_the_wanted_unit():
    with pytest.raises(UserError, match="a rate is needed, such as '20 Hz'"):
        parse_quantity("20 ms", "Hz")
    with pytest.raises(UserError, match=r"did you mean 'Hz'\?"):
        parse_quantity("20 HZ", "Hz")
    with pytest.raises(UserError, match=r"a number without a unit is needed, such as '0.5'"):
        parse_quantity("20 ms", "1")


def test_text_is_never_evaluated():
    for text in ("__import__('os').getpid() * ms", "2+3 ms", "20 ms; 1", "20 ms if 1 else 2"):
        with pytest.raises(UserError):
            parse_quantity(text, "ms")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.02, "ms", "20 ms"),
        (0.0011, "ms", "1.1 ms"),
        (10.0, "Hz", "10 Hz"),
        (0.0, "ms", "0 ms"),
        (500.0, "1/ms", "0.5 1/ms"),
        (0.3, "1", "0.3"),
        (5e-3, None, "0.005"),
    ],
)
def test_values_are_shown_in_their_unit(value, unit, text):
    assert format_quantity(value, unit) == text


@given(st.floats(-1e6, 1e6), st.sampled_from(["ms", "us", "second", "Hz", "kHz", "nA/ms", "1"]))
def test_what_is_shown_reads_back_exactly(value, unit):
    assert parse_quantity(format_quantity(value, unit), unit) == value


class Model(BaseModel):
    tau: PositiveTime = 0.02
    delay: NonNegativeTime = 0.0
    start: Time | None = None
    peak: PositiveRate = 200.0
    base: Rate = 0.0
    plain: float = 0.5


def test_fields_take_text_and_quantities_and_hold_si_floats():
    model = Model(tau="25 ms", delay=1 * ms, start="-3 ms", peak=50 * Hz, base="1 kHz")
    assert (model.tau, model.delay, model.start, model.peak, model.base) == (0.025, 0.001, -0.003, 50.0, 1000.0)


def test_a_field_knows_its_unit_also_where_it_is_optional():
    fields = Model.model_fields
    assert [(found := in_unit(fields[name])) and found.unit for name in ("tau", "start", "peak", "plain")] == [
        *("ms", "ms", "Hz", None),
    ]
    assert in_unit(fields["tau"]).range_text() == "above 0 ms"
    assert in_unit(fields["delay"]).range_text() == "of at least 0 ms"
    assert in_unit(fields["start"]).range_text() == ""


def test_a_dump_is_a_valid_config_again():
    model = Model(tau="25 ms", start="-3 ms")
    dump = model.model_dump()
    assert dump["tau"] == "25 ms" and dump["start"] == "-3 ms" and dump["plain"] == 0.5
    assert Model(**dump) == model
    assert Model(**Model().model_dump()) == Model()
    assert Model.model_validate_json(model.model_dump_json()) == model


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        (PositiveTime, "0 ms", "'0 ms' is out of range: a time above 0 ms is needed"),
        (PositiveTime, -20 * ms, "-20. ms is out of range: a time above 0 ms is needed"),
        (NonNegativeTime, "-1 us", "'-1 us' is out of range: a time of at least 0 ms is needed"),
        (PositiveRate, 0, "0 is out of range: a rate above 0 Hz is needed"),
        (Time, "20 mV", "'20 mV' has the unit 'mV': a time is needed, such as '20 ms'"),
    ],
)
def test_a_field_error_carries_the_sentence(kind, value, sentence):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    assert str(caught.value.errors()[0]["ctx"]["error"]) == sentence


def test_authors_can_name_further_units():
    from typing import Annotated

    adapter = TypeAdapter(Annotated[float, InUnit("mV", ge=-0.08)])
    assert adapter.validate_python("-70 mV") == pytest.approx(-0.07)
    with pytest.raises(ValidationError, match="a voltage of at least -80 mV is needed"):
        adapter.validate_python("-90 mV")
