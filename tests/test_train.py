"""The training loop: batches, epochs and schedules are what they say, and everything can be repeated bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.learning.optimizer import SGD, Adam, Schedule
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.random_streams import TRAINING
from snnplast.rules.e_prop import EProp
from snnplast.rules.frozen import Frozen
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.task.objective import MeanSquaredError
from snnplast.testing import small_network, small_task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

PLAIN = {"optimizer": SGD(learning_rate=1.0)}


def plain_network(**settings):
    net = Network()
    net.add("input", PoissonSource(12, peak_rate="300 Hz"))
    net.add("hidden", LIF(6, representation=LayerNorm()))
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", plastic=True, **settings)
    net.connect("hidden", "output", plastic=True)
    return net


def trainer(rule=None, network=None, iterations=4, engine=NUMPY, **settings):
    task = small_task()
    simulation = open_simulation(network or plain_network(), task.objective, rule or EProp(), 1, engine)
    return Trainer(simulation, task, iterations, **settings)


def values(run):
    return {name: array.copy() for name, array in run.simulation.values.items()}


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert np.array_equal(one[name], other[name]), name


def gradient(run, index):
    (plasticity,) = run.simulation.plasticities
    record = run.run(TRAINING, index)
    return {name: np.array(g) for name, g in plasticity.gradient(record, run.task.objective).items()}


# Batches and epochs


def test_an_update_follows_the_mean_gradient_of_its_trials():
    run = trainer(EProp(batch=3, **PLAIN))
    before, single = values(run), [gradient(run, k) for k in range(3)]
    step = run.update()
    assert [record.index for record in step.trials] == [0, 1, 2]
    for name in single[0]:
        mean = (single[0][name] + single[1][name] + single[2][name]) / 3
        assert np.any(mean)
        np.testing.assert_allclose(run.simulation.values[name], before[name] - mean, rtol=1e-13, atol=1e-15)
    losses = [record.judgement.loss for record in step.trials]
    np.testing.assert_allclose(step.metrics["loss"], np.mean(losses), rtol=1e-14)


def test_an_epoch_shows_all_twenty_samples_and_its_last_batch_may_be_short():
    run = trainer(EProp(batch=8), iterations=6)
    steps = list(run)
    assert [len(step.trials) for step in steps] == [8, 8, 4] * 2
    assert [step.epoch for step in steps] == [0, 0, 0, 1, 1, 1]
    assert [step.iteration for step in steps] == [1, 2, 3, 4, 5, 6]
    for epoch in (steps[:3], steps[3:]):
        shown = {record.inputs["input"].tobytes() for step in epoch for record in step.trials}
        assert len(shown) == 20


def test_a_linear_schedule_runs_over_the_whole_run():
    optimizer = SGD(learning_rate=1e-3, schedule=Schedule(name="linear", final=0.0))
    shares, run = [], trainer(EProp(optimizer=optimizer))
    for k in range(4):
        before, g = values(run)["input_to_hidden"], gradient(run, k)["input_to_hidden"]
        run.update()
        shares.append((before - run.simulation.values["input_to_hidden"]) @ g / (1e-3 * g @ g))
    np.testing.assert_allclose(shares, [1.0, 0.75, 0.5, 0.25], rtol=1e-9)


def test_metrics_count_spikes_and_what_they_reach():
    run = trainer(network=small_network())
    (record,) = (step := run.update()).trials
    hidden = [record.spikes[name][1] for name in ("first", "second")]
    assert step.metrics["spikes_per_trial"] == sum(map(len, hidden))
    pairs = run.simulation.plan.wiring
    reached = 0
    for source, targets in {"input": ["first"], "first": ["first", "second"], "second": ["output"]}.items():
        for i in record.spikes[source][1]:
            reached += sum(np.sum(pairs[f"{source}_to_{target}"].pre == i) for target in targets)
    assert step.metrics["synaptic_operations"] == reached > 1000
    assert step.metrics["accuracy"] in (0.0, 1.0)


# Repeatability


def test_any_trial_can_be_run_alone_in_any_order():
    one, other = trainer(), trainer()
    forward = {k: one.run(TRAINING, k) for k in range(5)}
    for k in (4, 1, 3, 0, 2, 1):
        again = other.run(TRAINING, k)
        assert again.judgement.loss == forward[k].judgement.loss
        for name in ("input", "hidden"):
            assert again.spikes[name][0].size
            for now, then in zip(again.spikes[name], forward[k].spikes[name], strict=True):
                assert np.array_equal(now, then)


@pytest.mark.parametrize("rule", [EProp(batch=2, evaluation="online"), IBHebbian(third_factor=HSIC(window=2))])
def test_two_runs_end_with_the_same_bits(rule):
    runs = [trainer(rule, small_network()) for _ in range(2)]
    losses = [[step.metrics["loss"] for step in run] for run in runs]
    assert losses[0] == losses[1] and len(set(losses[0])) == 4
    assert_same_bits(values(runs[0]), values(runs[1]))
    other = Trainer(open_simulation(small_network(), small_task().objective, rule, 2, NUMPY), small_task(2), 4)
    assert [step.metrics["loss"] for step in other] != losses[0]


ENGINES = [
    NUMPY,
    pytest.param(
        COMPILED,
        marks=[pytest.mark.slow, pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")],
    ),
]


@pytest.mark.parametrize("engine", ENGINES, ids=["numpy", "compiled"])
def test_the_number_of_workers_changes_no_bit(engine):
    ended = []
    for workers in (1, 3):
        rule = EProp(batch=7, third_factor={"name": "readout-error", "feedback": "symmetric"})
        run = trainer(rule, engine=engine, workers=workers)
        seen = [[record.index for record in step.trials] for step in run]
        tested = [record.judgement.loss for record in run.evaluate()]
        ended.append((values(run), seen, tested))
        run.close()
    assert_same_bits(ended[0][0], ended[1][0])
    assert ended[0][1:] == ended[1][1:] and len(ended[0][2]) == 4


def test_an_evaluation_runs_the_test_trials_and_changes_nothing():
    run = trainer(EProp(**PLAIN))
    run.update()
    before = {name: array.copy() for name, array in run.state().items()}
    first, again = ([record.judgement.loss for record in run.evaluate()] for _ in range(2))
    assert len(first) == 4 and first == again
    assert_same_bits(before, run.state())


@pytest.mark.parametrize(
    "rule",
    [
        EProp(optimizer=Adam(learning_rate=0.01), batch=2),
        IBHebbian(third_factor=HSIC(window=2)),
    ],
)
def test_a_restored_run_goes_on_as_if_it_had_never_stopped(rule):
    whole, first, second = (trainer(rule, small_network()) for _ in range(3))
    list(whole)
    for _ in range(2):
        first.update()
    second.restore({name: array.copy() for name, array in first.state().items()})
    assert second.iteration == 2
    list(second)
    assert_same_bits(whole.state(), second.state())


def test_a_state_of_another_experiment_is_refused():
    run = trainer()
    state = dict(run.state())
    del state["values/input_to_hidden"]
    with pytest.raises(UserError, match="checkpoint: 'values/input_to_hidden' is in the experiment only"):
        run.restore(state)
    with pytest.raises(UserError, match=r"'values/input_to_hidden' has shape \(3,\), the experiment \(72,\)"):
        run.restore({**run.state(), "values/input_to_hidden": np.zeros(3)})


# Parameters


def test_bounds_of_a_projection_hold_after_every_update():
    run = trainer(EProp(optimizer=SGD(learning_rate=1e4)), plain_network(weights=0.3, bounds=(0.0, 0.5)))
    for step in run:
        weights = run.simulation.values["input_to_hidden"]
        assert step.trials[0].counts("hidden").sum() and weights.min() >= 0 and weights.max() <= 0.5
    assert weights.min() == 0 and weights.max() == 0.5


def test_an_optimiser_may_be_chosen_per_parameter():
    run = trainer(EProp(**PLAIN, optimizers={"hidden_to_output": SGD(learning_rate=0.5)}))
    before, g = values(run), gradient(run, 0)
    run.update()
    for name, rate in (("input_to_hidden", 1.0), ("hidden_to_output", 0.5)):
        np.testing.assert_allclose(run.simulation.values[name], before[name] - rate * g[name], rtol=1e-13, atol=1e-15)


def test_an_optimiser_of_an_unknown_parameter_is_refused():
    rule = EProp(optimizers={"input_to_hiden": SGD(learning_rate=0.5)})
    with pytest.raises(
        UserError, match=r"optimizers.input_to_hiden: unknown parameter; did you mean 'input_to_hidden'"
    ):
        trainer(rule)


# What goes wrong


def test_weights_that_run_away_end_in_one_sentence():
    task = small_task()
    task.objective = MeanSquaredError()
    rule = Frozen(optimizer=SGD(learning_rate=1e30))
    run = Trainer(open_simulation(plain_network(), task.objective, rule, 1, NUMPY), task, 30)
    sentence = r"iteration \d+: the (loss is|gradient of .* is not finite;) .*a lower learning_rate"
    with pytest.raises(UserError, match=sentence), np.errstate(all="ignore"):
        list(run)
    assert 2 < run.iteration < 30


def test_a_gradient_that_is_not_finite_changes_no_parameter():
    run = trainer()
    run.simulation.values["hidden_to_output"][0] = np.nan
    before = values(run)
    with pytest.raises(UserError, match=r"iteration 1: the gradient of '\w+' is not finite"):
        run.update()
    for name, array in values(run).items():
        assert np.array_equal(array, before[name], equal_nan=True)


def test_a_short_last_batch_follows_the_mean_of_its_own_trials():
    run = trainer(EProp(batch=8, optimizer=SGD(learning_rate=1e-9)), iterations=3)  # 20 samples: 8, 8 and 4
    run.update(), run.update()
    single = [gradient(run, k) for k in range(16, 20)]
    before = values(run)
    run.update()
    for name in single[0]:
        mean = np.mean([g[name] for g in single], axis=0)
        change, largest = (before[name] - run.simulation.values[name]) / 1e-9, np.abs(mean).max()
        np.testing.assert_allclose(change, mean, rtol=1e-5, atol=1e-5 * largest)
