"""A reservoir that a class memory teaches: each pool holds the average of a class, and errors weight what they say."""

from __future__ import annotations

import numpy as np
import pytest
from reference import readout_rules as rules
from reference import reservoir as rs
from reference import spiking_reservoir as spiking
from small_runs import AVERAGES, matrices, trainer

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.class_memory import ClassMemory
from snnplast.rules.third_factors.memories import Averages
from snnplast.rules.third_factors.reservoir import Reservoir
from snnplast.rules.third_factors.reservoir_training import pretraining
from snnplast.rules.third_factors.reservoir_units import RateUnits
from snnplast.rules.third_factors.streams import Streams
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy, MeanSquaredError
from snnplast.testing import check_third_factor, small_network
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("own_cache")

UNIFORM = {**AVERAGES, "teacher": {**AVERAGES["teacher"], "expectation": "uniform"}}
LAYER = {**AVERAGES, "teacher": {**AVERAGES["teacher"], "expectation": "layer"}}
SPIKING = {
    **AVERAGES,
    "dynamics": "spiking",
    "sample_time": "20 ms",
    "bias": 2.0,
    "input_scale": 1.0,
    "tau_trace": "100 ms",
    "connectivity": 0.7,
    "streams": 2,
    "stream_length": 8,
}
DRIVEN = {**SPIKING, "drive": "spikes"}
compiled = pytest.param(
    COMPILED, marks=[pytest.mark.slow, pytest.mark.skipif(not compiler_available(), reason="no C++ compiler")]
)


def run_with(settings, iterations=10, **more):
    return trainer(IBHebbian(third_factor={"name": "reservoir", **settings}), small_network("rate"), iterations, **more)


def reservoir_of(simulation, target, leak=AVERAGES["leak"]):
    """The reservoir of one layer in the oracle's terms."""
    weights, own = matrices(simulation), f"{target}_reservoir"
    w_z, w_r = weights[f"{target}_to_{own}"].T, weights[f"{own}_to_{own}"].T
    readout = simulation.values[f"{target}_third_factor_from_pools"].reshape(w_z.shape)
    return rs.Reservoir(leak, w_z, w_r, np.arange(len(w_z)) % 3, readout.copy())


def given(record, target):
    return record.during("response").ends[f"{target}_third_factor.drive"]


@pytest.mark.parametrize("engine", [NUMPY, compiled], ids=["runtime", "compiled"])
@pytest.mark.parametrize("settings", [AVERAGES, UNIFORM, LAYER], ids=["readout", "uniform", "layer"])
def test_what_the_pools_say_is_weighted_by_the_error_of_their_class(settings, engine):
    run = run_with(settings, engine=engine)
    factors = {name: rs.Averages(reservoir_of(run.simulation, name)) for name in ("first", "second")}
    known = np.zeros(3)
    for step in run:
        (record,) = step.trials
        y = record.series["output.target"][-1]
        e = record.series["output.error"][0] if settings is AVERAGES else known / max(known.sum(), 1) - y
        for name, factor in factors.items():
            held, z = factor.held(), record.representation(name)
            if settings is LAYER:
                evidence = np.exp(0.1 * (held @ z - np.sum(held**2, axis=1) / 2))
                e = evidence / evidence.sum() - y
            xi = factor(y, z, e)
            np.testing.assert_allclose(given(record, name), xi, rtol=1e-10, atol=1e-10)
            state = run.simulation.engine[f"{name}_reservoir.r"]
            np.testing.assert_allclose(state, factor.r, rtol=1e-10, atol=1e-12)
            if record.index > 4:
                wrong = np.roll(e, 1) @ held, e @ factor.held()
                assert all(np.abs(other - xi).max() > 1e-4 for other in wrong), "another error, or a sample too many"
        known[y.argmax()] = 1
    assert np.any(xi) and known.all()


def test_another_gate_is_told_apart():
    run = run_with(AVERAGES)
    right, wrong = (rs.Averages(reservoir_of(run.simulation, "first")) for _ in range(2))
    for step in run:
        (record,) = step.trials
        y, e, z = record.series["output.target"][-1], record.series["output.error"][0], record.representation("first")
        found = [right(y, z, e), wrong(np.roll(y, 1), z, e)]
    assert np.abs(given(record, "first") - found[0]).max() < 1e-10
    assert np.abs(given(record, "first") - found[1]).max() > 1e-3


@pytest.mark.parametrize("settings", [SPIKING, DRIVEN], ids=["working", "driven"])
def test_spiking_pools_say_what_the_oracles_do(settings):
    run = run_with(settings)
    reservoirs = {name: reservoir_of(run.simulation, name) for name in ("first", "second")}
    oracles = {
        name: spiking.Reservoir(res.w_z, res.w_r, res.pool, bias=2.0, tau_m=20, tau_trace=100)
        for name, res in reservoirs.items()
    }
    states, fired = {name: spiking.rest(res) for name, res in oracles.items()}, 0
    for step in run:
        (record,) = step.trials
        y, e = record.series["output.target"][-1], record.series["output.error"][0]
        for name, state in states.items():
            xi = (state.r * e[oracles[name].pool]) @ reservoirs[name].readout
            np.testing.assert_allclose(given(record, name), xi, rtol=1e-8, atol=1e-10)
            if settings is SPIKING:
                fired += spiking.work(oracles[name], state, y, record.representation(name), steps=20).sum()
            else:
                layer = np.zeros((record.steps, reservoirs[name].w_z.shape[1]))
                layer[record.spikes[name]] = 1
                fired += spiking.listen(oracles[name], state, y, layer).sum()
    assert fired > 50 and np.any(xi)


@pytest.mark.parametrize("expectation", ["uniform", "layer"])
def test_pools_that_hold_averages_exactly_give_the_signal_of_the_formula(expectation):
    """Units that hardly leave the linear range and have no recurrence are averages of W_in z."""
    teacher = ClassMemory(expectation=expectation, remembers=Averages(memory=0.1, sharpness=0.5))
    linear = {"radius": 0.0, "input_scale": 1e-3, "leak": 0.9, "units": 60, "ridge": 1e-9}
    run = run_with({**AVERAGES, **linear, "teacher": teacher}, iterations=30)
    found = [step.metrics.get("third_factor_correlation", 0.0) for step in run]
    assert found[-1] > 0.9999 > found[5]


# Training


def examples(memory=0.6, streams=2, length=30, seed=4):
    parts = [*Streams(streams, length, 3, 8, seed, "layer")]
    Y, Z = (np.stack([part[k] for part in parts]) for k in (1, 2))
    return Y, Z, rs.averages(Y, Z, memory)


def lesson(**settings):
    reservoir = Reservoir(**{**AVERAGES, "streams": 2, **settings})
    task = pretraining(reservoir, RateUnits, "layer", 8, 3, seed=4)
    simulation = open_simulation(task.network, task.task.objective, task.rule, 4, NUMPY)
    return task, Trainer(simulation, task.task, iterations=task.epochs * task.task.epoch)


def untrained(simulation):
    weights = matrices(simulation)
    w_z, w_r = weights["layer_to_layer_reservoir"].T, weights["layer_reservoir_to_layer_reservoir"].T
    return rs.Reservoir(AVERAGES["leak"], w_z, w_r, np.arange(len(w_z)) % 3)


def test_every_pool_is_fitted_to_the_average_of_its_class():
    task, run = lesson(ridge=0.03)
    assert task.fit is not None
    fitted = task.fit(run.run(0, index) for index in range(60))["layer_third_factor_from_pools"].reshape(18, 8)
    Y, Z, wanted = examples()
    features = rs.opened(untrained(run.simulation), Y, Z)
    expected = rs.ridge(features.reshape(60, 18), wanted.reshape(60, 8), relative=0.03)
    np.testing.assert_allclose(fitted, expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    for c in range(3):
        own = Y[..., c] > 0
        alone = features[own][:, np.arange(18) % 3 == c]
        level = 0.03 * np.sum(features**2) / 18
        weights = np.linalg.solve(alone.T @ alone + level * np.eye(6), alone.T @ wanted[own])
        np.testing.assert_allclose(fitted[np.arange(18) % 3 == c], weights, rtol=1e-8, atol=1e-10)


def test_the_delta_rule_learns_the_averages_as_it_does_in_numpy():
    _, run = lesson(training="delta", passes=2, learning_rate=0.5)
    Y, Z, wanted = examples()
    features, expected = rs.opened(untrained(run.simulation), Y, Z).reshape(60, 18), np.zeros((18, 8))
    for done, _ in enumerate(run):
        u, m, eta = features[done % 60], wanted.reshape(60, 8)[done % 60], rules.linear_decay(0.5, done / 120)
        expected = rules.delta(expected, u, m, eta)
    found = matrices(run.simulation)["layer_third_factor_from_pools"]
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)
    assert done == 119 and np.any(expected)


def test_what_weights_the_averages_makes_no_other_lesson():
    teachers = [
        ClassMemory(expectation=p, remembers=Averages(memory=m)) for p, m in (("readout", 0.6), ("uniform", 0.6))
    ]
    teachers.append(ClassMemory(remembers=Averages(memory=0.7)))
    keys = [pretraining(Reservoir(**{**AVERAGES, "teacher": t}), RateUnits, "layer", 8, 3, 4).key for t in teachers]
    assert keys[0] == keys[1] != keys[2]


def test_settings_that_are_not_given_fit_the_teacher():
    plain, averages = Reservoir(), Reservoir(teacher=ClassMemory(remembers=Averages(memory=0.9)), tau_trace="100 ms")
    names = ("leak", "radius", "ridge", "tau_trace", "bias", "learning_rate")
    assert [plain.in_force(name) for name in names] == [0.3, 0.5, 1e-2, 0.25, 1.1, 1e-2]
    assert [averages.in_force(name) for name in names] == [pytest.approx(0.1), 0.1, 1e-4, 0.1, 2.0, 0.1]
    spikes = Reservoir(teacher=averages.teacher, sample_time="20 ms")
    assert np.exp(-0.02 / spikes.in_force("tau_trace")) == pytest.approx(0.9)
    network = design(small_network("rate"), CrossEntropy(), IBHebbian(third_factor=averages), 1).plan.network
    assert network.populations["first_reservoir"].constants["leak"] == pytest.approx(0.1)
    recurrent = averages._units_of("first", 8, 3)._recurrent(np.random.default_rng(0))
    assert np.abs(np.linalg.eigvals(recurrent)).max() == pytest.approx(0.1)


# Contract and refusals


@pytest.mark.slow
@pytest.mark.parametrize("engine", [NUMPY, compiled], ids=["runtime", "compiled"])
@pytest.mark.parametrize("settings", [AVERAGES, UNIFORM, LAYER, SPIKING, DRIVEN])
def test_pools_of_averages_keep_the_contract(settings, engine):
    check_third_factor(Reservoir, rule="ib-hebbian", network=small_network("rate"), trials=6, engine=engine, **settings)


REFUSED = [
    ({"remembers": "residuals"}, "remembers = 'residuals': a reservoir holds averages; 'averages' is allowed"),
    ({"remembers": "delta"}, "remembers = 'delta': a reservoir holds averages"),
    ({"remembers": "whitened"}, "remembers = 'whitened': a reservoir holds averages"),
    ({"remembers": "neighbours"}, "remembers = 'neighbours': a reservoir holds averages"),
]


@pytest.mark.parametrize("teacher, sentence", REFUSED)
def test_what_no_reservoir_holds_is_refused_in_one_sentence(teacher, sentence):
    with pytest.raises(UserError) as caught:
        Reservoir(teacher={"name": "class-memory", **teacher})
    assert str(caught.value).startswith("Reservoir.teacher") and sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reservoir_without_pools_holds_no_averages():
    with pytest.raises(
        UserError, match='gating = "none" has no pools that hold a class each; with this teacher, "class"'
    ):
        Reservoir(**{**AVERAGES, "gating": "none"})


def test_spikes_leave_a_trace_of_some_length():
    with pytest.raises(UserError, match='memory = 0 leaves no trace; with dynamics = "spiking", a larger one or'):
        Reservoir(teacher=ClassMemory(remembers=Averages(memory=0.0)), dynamics="spiking")


def test_the_error_of_a_readout_is_needed_once_per_trial_and_must_sum_to_zero():
    rule = IBHebbian(third_factor={"name": "reservoir", **AVERAGES})
    with pytest.raises(UserError, match="expectation = 'readout': 'output' acts step by step; a RateReadout is needed"):
        design(small_network(), CrossEntropy(), rule, 1)
    with pytest.raises(
        UserError, match="errors of MeanSquaredError do not sum to 0; a CrossEntropy objective is needed"
    ):
        design(small_network("rate"), MeanSquaredError(), rule, 1)
