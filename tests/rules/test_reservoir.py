"""The reservoir: a class-gated memory in the simulation that stands in for the exact HSIC signal."""

from __future__ import annotations

import numpy as np
import pytest
from reference import ib_hebbian as ib
from reference import reservoir as rs
from small_runs import RESERVOIR, matrices, trainer

from snnplast.engine import compiler_available
from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors import reservoir_training
from snnplast.rules.third_factors.reservoir import Reservoir
from snnplast.rules.third_factors.streams import Streams
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy
from snnplast.testing import check_third_factor, small_network

pytestmark = pytest.mark.usefixtures("own_cache")


def reservoir_of(simulation, target, **settings):
    """The reservoir of one layer in the oracle's terms."""
    weights = matrices(simulation)
    units = weights[f"{target}_to_{target}_reservoir"].shape[1]
    return rs.Reservoir(
        leak=settings.get("leak", RESERVOIR["leak"]),
        w_z=weights[f"{target}_to_{target}_reservoir"].T,
        w_r=weights[f"{target}_reservoir_to_{target}_reservoir"].T,
        pool=np.arange(units) % 3,
        readout=np.vstack([weights[f"{target}_third_factor_from_{v}"] for v in ("opened", "closed", "z")]),
    )


@pytest.mark.parametrize("rule, readout", [(IBHebbian, "rate"), (EProp, "leaky")])
def test_the_reservoir_in_the_simulation_is_the_oracles(rule, readout):
    run = trainer(rule(third_factor={"name": "reservoir", **RESERVOIR}), small_network(readout))
    expected = {name: rs.Factor(reservoir_of(run.simulation, name)) for name in ("first", "second")}
    for step in run:
        (record,) = step.trials
        label = record.series["output.target"][-1]
        for name, factor in expected.items():
            before, z = factor.r, record.representation(name)
            xi = factor(None, label, z)
            found = run.simulation.engine[f"{name}_reservoir.r"]
            np.testing.assert_allclose(
                record.during("response").ends[f"{name}_third_factor.drive"], xi, rtol=1e-9, atol=1e-12
            )
            np.testing.assert_allclose(found, factor.r, rtol=1e-9, atol=1e-12)
            assert np.array_equal(factor.r != before, factor.res.pool == label.argmax()), "the label opens one pool"
            assert np.any(xi)


def test_closed_pools_hold_every_bit_and_trials_do_not_reset_them():
    run = trainer(IBHebbian(third_factor={"name": "reservoir", **RESERVOIR}), small_network("rate"))
    state, opened = run.simulation.engine["first_reservoir.r"], set()
    for index in range(6):
        before = state.copy()
        record = run.run(0, index)
        pool = record.series["output.target"][-1].argmax()
        opened.add(int(pool))
        changed = state != before
        assert np.array_equal(changed, np.arange(state.size) % 3 == pool)
    assert len(opened) > 1


def test_an_evaluation_leaves_the_reservoir_as_it_is():
    run = trainer(IBHebbian(third_factor={"name": "reservoir", **RESERVOIR}), small_network("rate"))
    run.update()
    before = {name: values.copy() for name, values in run.simulation.persistent().items()}
    assert set(before) == {"first_reservoir.r", "second_reservoir.r"}
    records = list(run.evaluate())
    assert len(records) == 4
    for name, values in run.simulation.persistent().items():
        assert np.any(values) and np.array_equal(values, before[name])


def test_the_readout_is_the_ridge_regression_onto_the_exact_signal():
    settings = {**RESERVOIR, "teacher": {"name": "hsic", "window": 3, "gamma": 5.0}, "ridge": 0.03}
    run = trainer(IBHebbian(third_factor={"name": "reservoir", **settings}), small_network("rate"), seed=4)
    res, objective = reservoir_of(run.simulation, "first"), ib.Objective(window=3, gamma=5.0)
    features, wanted = [], []
    for x, y, z in Streams(6, 30, 3, 8, seed=4, owner="first"):
        features.append(rs.run(res, y[None], z[None])[0, 2:])
        wanted.append(rs.teacher(objective, x[None], y[None], z[None])[0])
    expected = rs.ridge(np.vstack(features), np.vstack(wanted), relative=0.03)
    np.testing.assert_allclose(res.readout, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


@pytest.mark.slow
def test_a_small_fitted_reservoir_follows_the_exact_signal_of_streams_it_has_not_seen():
    settings = {"teacher": {"name": "hsic", "window": 8}, "units": 90, "streams": 30, "stream_length": 80, "leak": 0.5}
    run = trainer(IBHebbian(third_factor={"name": "reservoir", **settings}), small_network("rate"))
    res = reservoir_of(run.simulation, "first", **settings)
    X, Y, Z = (np.stack(part) for part in zip(*Streams(10, 80, 3, 8, seed=999, owner="first"), strict=True))
    assert rs.correlation(res, ib.Objective(window=8), X, Y, Z) > 0.5


def test_layers_of_one_size_are_fitted_one_by_one():
    net = Network()
    net.add("input", PoissonSource(12))
    for name in ("first", "second"):
        net.add(name, LIF(5, representation=LayerNorm()))
    net.add("output", LeakyReadout(3))
    for source, target in (("input", "first"), ("first", "second"), ("second", "output")):
        net.connect(source, target, plastic=True)
    run = trainer(EProp(third_factor={"name": "reservoir", **RESERVOIR}), net)
    weights = matrices(run.simulation)
    for name in ("first", "second"):
        assert np.any(weights[f"{name}_third_factor_from_z"])


def test_a_fit_is_made_once_and_kept(monkeypatch):
    fits, plain = [], reservoir_training.ridge
    monkeypatch.setattr(reservoir_training, "ridge", lambda *given: fits.append(1) or plain(*given))
    rule = {"name": "reservoir", **RESERVOIR}
    weights = [matrices(trainer(EProp(third_factor=rule)).simulation) for _ in range(2)]
    assert len(fits) == 2  # one per layer
    for name, matrix in weights[0].items():
        assert np.array_equal(matrix, weights[1][name])
    trainer(EProp(third_factor={**rule, "ridge": 0.5}))
    assert len(fits) == 4


@pytest.mark.slow
@pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
def test_the_reservoir_keeps_the_contract_on_the_compiled_engine():
    check_third_factor(
        Reservoir, rule="ib-hebbian", network=small_network("rate"), trials=4, engine="compiled", **RESERVOIR
    )


def test_fewer_units_than_classes_are_refused():
    rule = IBHebbian(third_factor={"name": "reservoir", **RESERVOIR, "units": 2})
    with pytest.raises(UserError, match="reservoir': units = 2: at least"):
        design(small_network("rate"), CrossEntropy(), rule, 1)
