"""Single precision: which choices there are, and that state of 32 bits is handed on bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from engine_networks import N_IN, needs_compiler, recurrent

from snnplast.engine import EngineChoice, open_engine
from snnplast.errors import UserError
from snnplast.training import prepared

SINGLE = EngineChoice(precision="single")


def test_only_the_compiled_engine_has_single_precision(monkeypatch):
    with pytest.raises(UserError, match="the runtime engine has no single precision; 'double', or the compiled engine"):
        EngineChoice(name="runtime", precision="single")
    with pytest.raises(UserError, match="unknown precision 'half'"):
        EngineChoice(precision="half")
    monkeypatch.setattr(prepared, "compiler_available", lambda: False)
    with pytest.raises(UserError, match=r"engine\.precision = 'single': only the compiled engine has it"):
        prepared.available_engine(SINGLE)
    assert prepared.available_engine(EngineChoice()).name == "runtime"


def shown(engine):
    rng = np.random.default_rng(1)
    engine.set_spikes("inputs", *np.nonzero(rng.random((60, N_IN)) < 0.3))
    engine.set_series("hidden.target", rng.normal(size=(60, 20)))
    engine.steps(60)
    return {"spikes": np.array(engine.spikes("hidden")), **{n: rows.copy() for n, rows in engine.history.items()}}


@needs_compiler
@pytest.mark.slow
def test_variables_are_of_32_bits_and_go_on_bit_by_bit_where_state_was_taken():
    with open_engine(recurrent, SINGLE) as engine, open_engine(recurrent, SINGLE) as other:
        first = shown(engine)
        engine.proceed()
        other.restore(engine.state())
        other["in_hidden.w"][:] = engine["in_hidden.w"]
        on, restored, weights = shown(engine), shown(other), engine["in_hidden.w"].dtype
    assert {first[n].dtype for n in first if n != "spikes"} == {weights} == {np.dtype("f4")}
    assert first["spikes"].shape[1] > 20
    assert any(not np.array_equal(first[n], on[n]) for n in first)
    for name in on:
        np.testing.assert_array_equal(on[name], restored[name], err_msg=name)


@needs_compiler
@pytest.mark.slow
def test_times_are_those_of_double_precision_after_many_steps():
    """A refractory time of 3 steps is one after a million steps too, where 32 bits would no longer tell steps apart."""
    with open_engine(recurrent, SINGLE) as engine:
        engine["hidden.alpha"][:] = 0
        engine.set_series("hidden.target", np.full((1, 20), 1e3))
        engine.steps(10**6)
        steps, indices = engine.spikes("hidden")
    apart = np.diff(steps[indices == 0])
    assert len(apart) > 10**5 and set(apart[-1000:]) == set(apart[:1000])
