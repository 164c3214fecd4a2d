"""Batches in one call of compiled code leave what the loop over their trials leaves, bit for bit."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from snnplast import Delta
from snnplast.config.experiment import Experiment
from snnplast.engine import COMPILED
from snnplast.errors import UserError
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

SMALL = ["model.hidden=12", "rules.e-prop.batch=6", "train.seed=3"]
CASES = {
    "digits": ["digits", *SMALL],
    "symmetric": ["digits", *SMALL, "rules.e-prop.third_factor={name='readout-error', feedback='symmetric'}"],
    "adaptive": ["digits", *SMALL, "rules.e-prop.third_factor={name='readout-error', feedback='adaptive'}"],
    "rates": ["digits", *SMALL, "rules.e-prop.regularisers=['firing-rate']", "rules.e-prop.average_gradient=7"],
    "frozen": ["digits", "model.hidden=12", "rule=frozen", "rules.frozen.batch=5"],
    "cues": ["evidence-accumulation", *SMALL, "model.draws=fresh", "model.tests=70"],
    "pattern": ["pattern-generation", "model.hidden=20", "model.inputs=15"],
    "layers": ["digits", "model.hidden=[10, 6]", "rules.e-prop.batch=9"],
}


def some(cases, *fast):
    """Cases whose networks are compiled in every run of the tests, and those that are slow tests."""
    return [case if case in fast else pytest.param(case, marks=pytest.mark.slow) for case in cases]


def trained(sets, whole, workers=1, updates=3):
    """Weights, metrics of updates and of tests."""
    experiment = Experiment.of(*sets)
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed, COMPILED)
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=updates, workers=workers, whole=lambda phase, index: whole)
        steps = [trainer.update() for _ in range(updates)]
        assert all(bool(step.trials) == whole for step in steps)
        tests = [trainer.judged(record) for record in trainer.evaluate()]
        trainer.close()
        values = {name: array.copy() for name, array in simulation.values.items()}
    return values, [step.metrics for step in steps], tests


@pytest.mark.parametrize("case", some(CASES, "digits"))
def test_it_is_the_loop_bit_for_bit(case):
    values, metrics, tests = trained(CASES[case], whole=True)
    for workers in (1, 2):
        at_once = trained(CASES[case], whole=False, workers=workers)
        assert at_once[1:] == (metrics, tests)
        assert all(np.array_equal(values[name], at_once[0][name]) for name in values)
    assert len(tests) == {"pattern": 0, "cues": 70}.get(case, 360)


LAYERS = ["rule=ib-hebbian", "rules.ib-hebbian.third_factor=hsic", "model.hidden=[9, 7]", "third_factors.hsic.window=4"]
SEQUENTIAL = {
    "layers": ["digits", *LAYERS],
    "reference": ["xor", "rule=ib-hebbian", "third_factors.hsic.window=5", "third_factors.hsic.xi=reference"],
    "spikes": ["xor", "rule=ib-hebbian", "third_factors.hsic.window=3", "rules.ib-hebbian.local=spike"],
    "no homeostasis": ["xor", "rule=ib-hebbian", "third_factors.hsic.window=3", "rules.ib-hebbian.homeostasis=none"],
    "zero": ["xor", "rule=ib-hebbian", "rules.ib-hebbian.third_factor=zero"],
    "transforms": [
        *("xor", "rule=ib-hebbian", "third_factors.hsic.window=3"),
        "third_factors.hsic.transforms=['clip', {name='gain-control', memory=0.5}, 'gain-control']",
    ],
}


@contextmanager
def sequential(sets, whole, iterations=60):
    experiment = Experiment.of(*sets)
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed, COMPILED)
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=iterations, whole=lambda phase, index: whole)
        yield trainer
        trainer.close()


def left(trainer, steps):
    """Everything that learning changes, and metrics of updates and tests."""
    tests = [trainer.judged(record) for record in trainer.evaluate()]
    state = {name: values.copy() for name, values in trainer.state().items()}
    return state, [(step.iteration, step.epoch, step.size, step.metrics) for step in steps], tests


def same(one, other):
    return one[1:] == other[1:] and all(np.array_equal(one[0][name], other[0][name]) for name in one[0])


@pytest.mark.parametrize("case", some(SEQUENTIAL, "reference"))
def test_of_rules_that_remember_samples_trials_and_updates_run_in_one_call_once_their_window_is_full(case):
    sets = SEQUENTIAL[case]
    window = next(int(text.partition("window=")[2]) for text in [*sets, "window=1"] if "window=" in text)
    with sequential(sets, whole=True) as trainer:
        expected = left(trainer, [trainer.update() for _ in range(window + 30)])
    with sequential(sets, whole=False) as trainer:
        steps = [trainer.update() for _ in range(window + 30)]
        assert [bool(step.trials) for step in steps] == [k < window - 1 for k in range(window + 30)]
        assert same(left(trainer, steps), expected)
    with sequential(sets, whole=False) as trainer:
        stretches = [trainer.advance(window + 30)]
        while trainer.iteration < window + 30:
            stretches.append(trainer.advance(window + 30 - trainer.iteration))
        assert [len(stretch) for stretch in stretches] == [1] * (window - 1) + [31]
        assert same(left(trainer, [step for stretch in stretches for step in stretch]), expected)


REMEMBERS = [(memory, "layer") for memory in ("averages", "residuals", "delta")]
REMEMBERS += [("averages", "readout"), ("averages", "uniform")]


@pytest.mark.parametrize("memory, expectation", REMEMBERS)
def test_of_rules_that_remember_classes_they_run_in_one_call_once_every_class_was_seen(memory, expectation):
    factor = f"{{name='class-memory', remembers='{memory}', expectation='{expectation}'}}"
    sets = ["xor", "rule=ib-hebbian", f"rules.ib-hebbian.third_factor={factor}"]
    with sequential(sets, whole=True) as trainer:
        expected = left(trainer, [trainer.update() for _ in range(50)])
    with sequential(sets, whole=False) as trainer:
        stretches = []
        while trainer.iteration < 50:
            stretches.append(trainer.advance(50 - trainer.iteration))
        assert len(stretches[-1]) > 40 and all(len(stretch) == 1 for stretch in stretches[:-1])
        assert same(left(trainer, [step for stretch in stretches for step in stretch]), expected)


@pytest.mark.slow
def test_so_do_batches_whose_trials_remember_classes_in_their_order():
    sets = [
        "xor",
        "rule=e-prop",
        "model.readout=rate",
        "rules.e-prop.batch=10",
        "rules.e-prop.third_factor=class-memory",
    ]
    found = []
    for whole in (True, False):
        with sequential(sets, whole=whole) as trainer:
            steps = [trainer.update() for _ in range(4)]
            assert whole or not steps[-1].trials
            found.append(left(trainer, steps))
    assert same(*found)


def test_a_stretch_ends_with_the_epoch():
    with sequential([*SEQUENTIAL["reference"], "third_factors.hsic.window=2"], whole=False, iterations=2000) as trainer:
        lengths = []
        while trainer.iteration < 950:
            lengths.append(len(trainer.advance(1000)))
        assert trainer.updates_per_epoch() == 900
        assert lengths == [1, *[64] * 14, 899 - 14 * 64, 64]


def test_what_ends_a_run_in_the_middle_of_a_stretch_is_what_ends_the_loop():
    sets = [*SEQUENTIAL["reference"], "rules.ib-hebbian.readout_optimizer.learning_rate=1e306"]
    found = []
    for advance in (False, True):
        with sequential(sets, whole=False) as trainer, pytest.raises(UserError) as error:
            while True:
                _ = trainer.advance(30) if advance else trainer.update()
        found.append((str(error.value), trainer.iteration))
    assert (found[0] == found[1] and "not finite" in found[0][0]) or "the loss is" in found[0][0]
    assert found[0][1] > 6, "it ended before there was a stretch"


@pytest.mark.parametrize("feedback", ["random", pytest.param("symmetric", marks=pytest.mark.slow)])
def test_updates_behind_every_trial_run_at_a_stretch_unless_signals_follow_the_weights(feedback):
    factor = f"rules.e-prop.third_factor={{name='readout-error', feedback='{feedback}'}}"
    sets = ["digits", "model.hidden=12", "rules.e-prop.batch=1", "rules.e-prop.regularisers=['firing-rate']", factor]
    with sequential(sets, whole=True) as trainer:
        expected = left(trainer, [trainer.update() for _ in range(12)])
    with sequential(sets, whole=False) as trainer:
        stretches = [trainer.advance(12)] if feedback == "random" else [trainer.advance(12) for _ in range(12)]
        assert same(left(trainer, [step for stretch in stretches for step in stretch]), expected)


def test_two_rules_of_one_network_each_hear_a_trial_once():
    found = []
    for whole in (True, False):
        experiment = Experiment.of("digits", *LAYERS)
        network, task = experiment.network.copy(), experiment.task()
        network.change("hidden2_to_output", rule="delta")
        simulation = open_simulation(network, task.objective, experiment.rule, 1, COMPILED, {"delta": Delta()})
        with simulation.engine:
            trainer = Trainer(simulation, task, iterations=30, whole=lambda phase, index, whole=whole: whole)
            assert trainer.calls.reason == "" and len(simulation.plasticities) == 2
            steps = []
            while len(steps) < 30:
                steps += trainer.advance(30 - len(steps))
            assert bool(steps[-1].trials) == whole
            found.append(left(trainer, steps))
            trainer.close()
    assert same(*found)
