"""Batches: the mean gradient of their trials, and a regulariser that may count the spikes of all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_networks import Case, Experiment, KeepingSGD, Trials, engines
from reference import e_prop as oracle

from snnplast.training.trainer import Trainer

both = pytest.mark.parametrize("evaluation", ["online", "factored"])

THREE = Case(sizes=(5, 4), trials=3, steps=50, beta=0.2, delays="synapse", c_reg=3000.0, rate_of="batch", average=7)


def gradients(experiment, evaluation, updates=1, batch=None, task=None, workers=1, rate=1e-3, **settings):
    """Gradients of each update: projection -> (n_synapses,). And B."""
    kept = {f"{source}_to_{target}": KeepingSGD(learning_rate=rate) for source, target in experiment.weights}
    settings = {"batch": batch or experiment.case.trials, "optimizers": kept, **settings}
    with experiment.assembled(evaluation, **settings) as simulation:
        feedback = experiment.feedback(simulation)
        trainer = Trainer(simulation, task or Trials(experiment), updates, workers=workers)
        for _ in trainer:
            pass
        trainer.close()
    return [{name: optimizer._gradients[k] for name, optimizer in kept.items()} for k in range(updates)], feedback


def expected_gradients(experiment, feedback, trials=None, **constants):
    """The same of the first update by the oracle."""
    model, weights = replace(experiment.model(), **constants), experiment.matrices(feedback)
    records = [experiment.oracle_trial(weights, k) for k in trials or range(experiment.case.trials)]
    counts = np.array([record.z.sum(axis=0) for record in records])
    assert counts.sum() > 50
    return experiment.by_projection(oracle.batch_gradient(model, weights, records, oracle.gradient_online)), counts


def apart(found, expected):
    """Largest difference of a projection, relative to its largest entry."""
    return max(np.abs(found[name] - g).max() / np.abs(g).max() for name, g in expected.items())


@both
@pytest.mark.parametrize("rate_of", ["trial", "batch"])
def test_a_batch_has_the_mean_gradient_of_its_trials_and_the_rate_that_is_asked_for(evaluation, rate_of):
    experiment = Experiment(replace(THREE, rate_of=rate_of))
    (found,), feedback = gradients(experiment, evaluation)
    expected, counts = expected_gradients(experiment, feedback)
    assert np.any(np.ptp(counts, axis=0) > 1), "the trials have the same rates"
    assert apart(found, expected) < 1e-10
    other = {"trial": "batch", "batch": "trial"}[rate_of]
    wrong, _ = expected_gradients(experiment, feedback, rate_of=other)
    assert apart(found, wrong) > 1e-3
    hidden = [name for name in expected if not name.endswith("output")]
    unregularised, _ = expected_gradients(experiment, feedback, c_reg=0.0)
    assert all(apart({n: found[n]}, {n: unregularised[n]}) > 1e-3 for n in hidden)


@both
def test_in_a_batch_of_one_the_rate_of_the_batch_is_that_of_the_trial(evaluation):
    one = replace(THREE, trials=1)
    by_batch, _ = gradients(Experiment(one), evaluation)
    by_trial, _ = gradients(Experiment(replace(one, rate_of="trial")), evaluation)
    assert apart(by_batch[0], by_trial[0]) < 1e-13


def test_the_rate_is_that_of_the_trials_of_this_batch_even_where_the_last_is_smaller():
    """An epoch of three trials in batches of two: the second batch holds the third trial alone."""
    experiment = Experiment(THREE)

    class Epochs(Trials):
        epoch = 3

    standstill = 1e-300  # the second update finds the weights of the first
    found, feedback = gradients(experiment, "factored", 2, batch=2, task=Epochs(experiment), rate=standstill)
    for gradient, trials in zip(found, ([0, 1], [2]), strict=True):
        assert apart(gradient, expected_gradients(experiment, feedback, trials)[0]) < 1e-10


@engines
def test_the_number_of_workers_changes_no_bit_of_a_batch_with_delays(engine):
    experiment, on = Experiment(THREE), {"engine": engine}
    alone, beside = (gradients(experiment, "online", 2, workers=workers, **on)[0] for workers in (1, 2))
    for one, other in zip(alone, beside, strict=True):
        for name, gradient in one.items():
            assert np.array_equal(other[name], gradient), name


def test_two_regularisers_of_a_batch_add_up():
    experiment = Experiment(THREE)
    halves = [{"name": "batch-firing-rate", "coefficient": c} for c in (1000.0, 2000.0)]
    (found,), feedback = gradients(experiment, "factored", regularisers=halves)
    assert apart(found, expected_gradients(experiment, feedback)[0]) < 1e-10
