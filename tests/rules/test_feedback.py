"""Adaptive feedback: weights that start at random and learn what the readout learns (Kolen & Pollack 1994)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_networks import Case, Experiment
from reference import e_prop as oracle

from snnplast.errors import UserError
from snnplast.learning.optimizer import SGD, Adam
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import SpikeSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.rules.third_factors.readout_error import ReadoutError
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy

both = pytest.mark.parametrize("evaluation", ["online", "factored"])

TWO = Case(sizes=(5, 4), trials=2, feedback="adaptive", c_reg=30.0, density=0.7)


def adaptive(decay=0.0):
    return {"name": "readout-error", "feedback": "adaptive", "decay": decay}


def parameters(experiment, simulation):
    """Copies of all weights that learn."""
    names = [f"{source}_to_{target}" for source, target in experiment.weights]
    names += [f"feedback_{name}" for name in experiment.case.names]
    return {name: simulation.values[name].copy() for name in names}


def trained(experiment, evaluation, updates, **settings):
    """Weights before and after so many updates, and B (n, n_out) before."""
    with experiment.assembled(evaluation, **settings) as simulation:
        before, feedback = parameters(experiment, simulation), experiment.feedback(simulation)
        steps = list(experiment.trainer(simulation, updates))
        assert all(
            record.counts(name).any() for step in steps for record in step.trials for name in experiment.case.names
        )
        return before, parameters(experiment, simulation), feedback


@both
@pytest.mark.parametrize("decay", [0.0, 2.0])
def test_it_gets_the_transposed_gradient_of_the_readout_and_decays(evaluation, decay):
    """Means over the batch, divided by average_gradient as all gradients are; the decay is not."""
    experiment, rate, updates = Experiment(TWO), 0.01, 3
    settings = {
        "third_factor": adaptive(decay),
        "batch": 2,
        "average_gradient": 5,
        "optimizer": SGD(learning_rate=rate),
    }
    before, after, feedback = trained(experiment, evaluation, updates, **settings)
    weights, model = experiment.matrices(feedback), replace(experiment.model(), average=5)
    for _ in range(updates):
        trials = [experiment.oracle_trial(weights, k) for k in range(2)]
        gradient = experiment.masked(oracle.batch_gradient(model, weights, trials))
        weights = oracle.sgd(weights, oracle.with_feedback(gradient, weights, decay), rate)
    expected = experiment.by_projection(weights) | experiment.by_population(weights["feedback"])
    for name, values in expected.items():
        change = np.abs(values - before[name]).max()
        assert change > 0 and np.abs(after[name] - values).max() <= 1e-10 * change, name


def differences(experiment, parameters):
    """B - Wout^T of each population."""
    found = {}
    for name, size in zip(experiment.case.names, experiment.case.sizes, strict=True):
        readout = parameters[f"{name}_to_output"].reshape(size, experiment.case.outputs)
        found[name] = parameters[f"feedback_{name}"].reshape(readout.T.shape) - readout.T
    return found


@both
def test_with_the_decay_of_the_readout_it_becomes_symmetric(evaluation):
    """B - Wout^T shrinks by 1 - eta decay per update, and stays where nothing decays."""
    experiment, rate, updates = Experiment(Case(sizes=(5, 4), feedback="adaptive")), 0.05, 4
    for decay in (0.0, 3.0):
        optimizer = SGD(learning_rate=rate, weight_decay=decay)
        settings = {"third_factor": adaptive(decay), "optimizer": SGD(learning_rate=rate)}
        settings["optimizers"] = {f"{name}_to_output": optimizer for name in experiment.case.names}
        before, after, _ = trained(experiment, evaluation, updates, **settings)
        first, last = differences(experiment, before), differences(experiment, after)
        for name, difference in first.items():
            assert np.abs(difference).max() > 0.1
            np.testing.assert_allclose(last[name], (1 - rate * decay) ** updates * difference, rtol=1e-10)
            assert not np.array_equal(after[f"feedback_{name}"], before[f"feedback_{name}"])


def test_it_may_have_an_optimiser_of_its_own():
    experiment = Experiment(Case(sizes=(5,), feedback="adaptive"))
    rates = {"feedback_hidden0": 0.01, "hidden0_to_output": 0.03}
    settings = {"optimizers": {name: SGD(learning_rate=rate) for name, rate in rates.items()}}
    before, after, _ = trained(experiment, "factored", 1, third_factor=adaptive(), **settings)
    changes = {name: (after[name] - before[name]) / rate for name, rate in rates.items()}
    transposed = changes["hidden0_to_output"].reshape(5, 2).T.reshape(-1)
    assert np.any(transposed)
    np.testing.assert_allclose(changes["feedback_hidden0"], transposed, rtol=1e-10)


def test_it_is_part_of_the_state_that_a_run_goes_on_from():
    experiment, optimizer = Experiment(Case(sizes=(5,), feedback="adaptive")), Adam(learning_rate=0.01)
    with experiment.assembled("factored", optimizer=optimizer, third_factor=adaptive(0.1)) as simulation:
        first = experiment.trainer(simulation, 4)
        start = {name: values.copy() for name, values in first.state().items()}
        for _ in range(2):
            first.update()
        middle = {name: values.copy() for name, values in first.state().items()}
        for _ in range(2):
            first.update()
        expected = parameters(experiment, simulation)
    assert np.any(middle["optimizer/feedback_hidden0/m"])
    assert not np.array_equal(middle["values/feedback_hidden0"], start["values/feedback_hidden0"])
    with experiment.assembled("factored", optimizer=optimizer, third_factor=adaptive(0.1)) as simulation:
        second = experiment.trainer(simulation, 4)
        second.restore(middle)
        for _ in range(2):
            second.update()
        for name, values in parameters(experiment, simulation).items():
            assert np.array_equal(values, expected[name]), name


def test_adaptive_feedback_starts_as_random_feedback_and_only_then_differs():
    case, runs = Case(sizes=(5,)), {}
    for kind in ("random", "adaptive"):
        factor = {"name": "readout-error", "feedback": kind, "scale": 0.5}
        runs[kind] = trained(Experiment(case), "factored", 2, third_factor=factor)
    random, learned = runs["random"], runs["adaptive"]
    assert np.array_equal(learned[2], random[2]) and np.array_equal(
        random[0]["feedback_hidden0"], random[1]["feedback_hidden0"]
    )
    assert not np.array_equal(learned[1]["input_to_hidden0"], random[1]["input_to_hidden0"])


def forward(plastic):
    net = Network()
    net.add("input", SpikeSource(3))
    net.add("hidden", LIF(4))
    net.add("output", LeakyReadout(2))
    net.connect("input", "hidden", plastic=True)
    if plastic is not None:
        net.connect("hidden", "output", plastic=plastic)
    return net


@pytest.mark.parametrize("plastic", [None, False])
def test_it_needs_a_readout_that_learns(plastic):
    rule = EProp(third_factor=adaptive())
    with pytest.raises(
        UserError, match="adaptive feedback to 'hidden' needs one plastic projection from 'hidden' to 'output'"
    ):
        design(forward(plastic), CrossEntropy(), rule, 1)


@pytest.mark.parametrize("decay", [-0.1, "fast"])
def test_its_decay_is_a_number_and_not_negative(decay):
    with pytest.raises(UserError, match="decay"):
        ReadoutError(feedback="adaptive", decay=decay)
