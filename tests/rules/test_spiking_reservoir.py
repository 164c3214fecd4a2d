"""Spiking reservoirs: those of the oracle, read before they take up a sample, and kept from trial to trial."""

from __future__ import annotations

import numpy as np
import pytest
from reference import spiking_reservoir as oracle
from small_runs import RESERVOIR, matrices, trainer

from snnplast.engine import compiler_available
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.reservoir import Reservoir
from snnplast.testing import check_third_factor, small_network

pytestmark = pytest.mark.usefixtures("own_cache")

SPIKING = {
    **RESERVOIR,
    "dynamics": "spiking",
    "streams": 2,
    "stream_length": 8,
    "sample_time": "20 ms",
    "bias": 2.0,
    "input_scale": 1.0,
    "tau_trace": "100 ms",
    "connectivity": 0.7,
}
"""Neurons at rest fire every 14 ms."""
DRIVEN = {**SPIKING, "drive": "spikes"}


def run_with(settings, iterations=8):
    return trainer(IBHebbian(third_factor={"name": "reservoir", **settings}), small_network("rate"), iterations)


def reservoir_of(simulation, target):
    """The reservoir of one layer in the oracle's terms."""
    weights = matrices(simulation)
    own = f"{target}_reservoir"
    pool = np.arange(weights[f"{target}_to_{own}"].shape[1]) % 3
    w_in, w_rec = weights[f"{target}_to_{own}"].T, weights[f"{own}_to_{own}"].T
    return oracle.Reservoir(w_in, w_rec, pool, bias=2.0, tau_m=20, tau_trace=100)


def readout_of(simulation, target):
    weights = matrices(simulation)
    return np.vstack([weights[f"{target}_third_factor_from_{v}"] for v in ("opened", "closed", "z")])


def features(res, r, y, z):
    gate = y[res.pool]
    return np.concatenate([r * gate, r * (1 - gate), z])


def raster(spikes, steps, size):
    """Spikes as a matrix (steps, size)."""
    dense = np.zeros((steps, size))
    dense[spikes] = 1
    return dense


def test_working_units_spike_as_the_oracles_do_after_the_readout_has_read():
    run = run_with(SPIKING)
    reservoirs = {name: reservoir_of(run.simulation, name) for name in ("first", "second")}
    states = {name: oracle.rest(res) for name, res in reservoirs.items()}
    spiked = 0
    for update in run:
        (record,) = update.trials
        y = record.series["output.target"][-1]
        for name, res in reservoirs.items():
            state, z = states[name], record.representation(name)
            xi = features(res, state.r, y, z) @ readout_of(run.simulation, name)
            np.testing.assert_allclose(
                record.during("response").ends[f"{name}_third_factor.drive"], xi, rtol=1e-9, atol=1e-12
            )
            spikes = oracle.work(res, state, y, z, steps=20)
            steps, indices = run.simulation.engine.spikes(f"{name}_reservoir")
            found = raster((steps - record.steps - 1, indices), 20, res.pool.size)
            assert np.array_equal(found, spikes)
            assert record.during("work").spikes[f"{name}_reservoir"][0].size == spikes.sum()
            for variable in ("v", "r"):
                engine = run.simulation.engine[f"{name}_reservoir.{variable}"]
                np.testing.assert_allclose(engine, getattr(state, variable), rtol=1e-9, atol=1e-12)
            spiked += spikes.sum()
    assert spiked > 50


def test_driven_units_spike_as_the_oracles_do_while_the_sample_is_shown():
    run = run_with(DRIVEN)
    states = {name: oracle.rest(reservoir_of(run.simulation, name)) for name in ("first", "second")}
    spiked = 0
    for update in run:
        (record,) = update.trials
        y = record.series["output.target"][-1]
        for name, state in states.items():
            res, z, before = reservoir_of(run.simulation, name), record.representation(name), state.r.copy()
            layer = raster(record.spikes[name], record.steps, z.size)
            spikes = oracle.listen(res, state, y, layer)
            assert np.array_equal(raster(record.spikes[f"{name}_reservoir"], record.steps, res.pool.size), spikes)
            xi = features(res, before, y, z) @ readout_of(run.simulation, name)
            np.testing.assert_allclose(
                record.during("response").ends[f"{name}_third_factor.drive"], xi, rtol=1e-9, atol=1e-12
            )
            for variable in ("v", "r"):
                engine = run.simulation.engine[f"{name}_reservoir.{variable}"]
                np.testing.assert_allclose(engine, getattr(state, variable), rtol=1e-8, atol=1e-10)
            assert np.array_equal(
                run.simulation.engine[f"{name}_reservoir.held"], run.simulation.engine[f"{name}_reservoir.r"]
            )
            spiked += spikes.sum()
    assert spiked > 50


@pytest.mark.parametrize("settings", [SPIKING, DRIVEN], ids=["working", "driven"])
def test_closed_pools_hold_and_trials_do_not_reset_them(settings):
    run = run_with(settings)
    state, opened = {name: run.simulation.engine[f"first_reservoir.{name}"] for name in ("v", "r")}, set()
    for index in range(6):
        before = {name: values.copy() for name, values in state.items()}
        record = run.run(0, index)
        pool = np.arange(18) % 3 == record.series["output.target"][-1].argmax()
        opened.add(tuple(pool))
        assert np.array_equal(np.abs(state["r"] - before["r"]) > 1e-12, pool)
        np.testing.assert_allclose(state["v"][~pool], before["v"][~pool], rtol=0, atol=1e-12)
    assert len(opened) > 1


@pytest.mark.parametrize("settings", [SPIKING, DRIVEN], ids=["working", "driven"])
def test_an_evaluation_leaves_the_reservoir_as_it_is(settings):
    run = run_with(settings)
    run.update()
    before = {name: values.copy() for name, values in run.simulation.persistent().items()}
    assert {name.partition(".")[2] for name in before} >= {"v", "r"}
    assert len(list(run.evaluate())) == 4
    for name, values in run.simulation.persistent().items():
        assert np.any(values) and np.array_equal(values, before[name])


@pytest.mark.parametrize("settings", [SPIKING, DRIVEN], ids=["working", "driven"])
def test_a_restored_run_goes_on_bitwise(settings):
    run, again = run_with(settings), run_with(settings)
    for _ in range(3):
        run.update()
    kept = {name: np.array(values) for name, values in run.state().items()}
    again.restore(kept)
    for _ in range(3):
        run.update()
        again.update()
    assert np.any(run.state()["persistent/first_reservoir.r"] != kept["persistent/first_reservoir.r"])
    for name, values in run.state().items():
        assert np.array_equal(values, again.state()[name], equal_nan=True), name


def test_the_work_enters_no_record_of_the_trial():
    run = run_with(SPIKING)
    plain = trainer(IBHebbian(), small_network("rate"))
    given, other = run.run(0, 0), plain.run(0, 0)
    assert sum(steps.size for steps, _ in given.during("work").spikes.values()) > 0
    assert given.steps == other.steps
    for name in other.spikes:
        for found, expected in zip(given.spikes[name], other.spikes[name], strict=True):
            assert np.array_equal(found, expected)
    assert given.spikes["first_reservoir"][0].size == 0
    for name, rows in other.history.items():
        assert np.array_equal(given.history[name], rows)


@pytest.mark.parametrize("settings", [SPIKING, DRIVEN], ids=["working", "driven"])
def test_the_spikes_of_a_reservoir_are_reported(settings):
    run = run_with(settings)
    metrics = run.update().metrics
    own = [run.simulation.engine.spikes(f"{name}_reservoir")[0].size for name in ("first", "second")]
    assert metrics["reservoir_spikes"] == sum(own) > 0


def test_weights_from_spikes_sum_to_zero_for_every_unit():
    weights = matrices(run_with(DRIVEN).simulation)
    for name in ("first_to_first_reservoir", "first_reservoir_to_first_reservoir"):
        assert np.any(weights[name])
        np.testing.assert_allclose(weights[name].sum(axis=0), 0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
@pytest.mark.parametrize("settings", [SPIKING, DRIVEN], ids=["working", "driven"])
def test_spiking_reservoirs_keep_the_contract_on_the_compiled_engine(settings):
    check_third_factor(
        Reservoir, rule="ib-hebbian", network=small_network("rate"), trials=4, engine="compiled", **settings
    )
