"""E-prop is what Bellec et al. (2020) published: their losses, and the oracle's gradients in both evaluations."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import PrivateAttr
from random_networks import Case, Experiment
from reference import e_prop as oracle
from reference import published_draws
from reference.test_e_prop import CLASSIFICATION_NEST, CLASSIFICATION_TF, REGRESSION_NEST, REGRESSION_TF
from small_runs import trainer

from snnplast.assemble import assemble
from snnplast.engine import compiler_available
from snnplast.errors import UserError
from snnplast.models.evidence_accumulation import EvidenceAccumulation
from snnplast.models.pattern_generation import PatternGeneration
from snnplast.optimizer import SGD, Adam
from snnplast.rules.e_prop import EProp
from snnplast.task import TRAINING
from snnplast.testing import check_rule, small_network
from snnplast.train import Trainer

MATRICES = {"input_to_hidden": "in", "hidden_to_hidden": "rec", "hidden_to_output": "out"}
needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
slow, compiling = [pytest.mark.slow], [pytest.mark.slow, needs_compiler]


class KeepingSGD(SGD):
    """Gradient descent that remembers the gradients it was given."""

    _gradients: list = PrivateAttr(default_factory=list)

    def step(self, gradient, state, eta):
        self._gradients.append(gradient.copy())
        return super().step(gradient, state, eta)


class KeepingAdam(Adam):
    """Adam that remembers the gradients it was given."""

    _gradients: list = PrivateAttr(default_factory=list)

    def step(self, gradient, state, eta):
        self._gradients.append(gradient.copy())
        return super().step(gradient, state, eta)


def regression():
    """(loss, gradient, recurrent spikes) of each iteration of the published regression, from the oracle."""
    model, (weights, x, target) = published_draws.REGRESSION, published_draws.regression()
    for _ in range(5):
        trial = oracle.simulate(model, weights, x, target)
        gradient = oracle.gradient_factored(model, weights, trial)
        yield trial.loss, gradient, trial.z.sum()
        weights = oracle.sgd(weights, gradient, rate=1e-4)


def classification():
    """The same of the published classification, one trial per iteration."""
    model, (weights, batches), state = published_draws.CLASSIFICATION, published_draws.classification(), None
    for x, target in islice(batches, 5):
        trial = oracle.simulate(model, weights, x[0], target[0])
        gradient = oracle.gradient_factored(model, weights, trial)
        yield trial.loss, gradient, trial.z.sum()
        weights, state = oracle.adam(weights, gradient, state, rate=5e-3)


@pytest.fixture(scope="module", params=["pattern-generation", "evidence-accumulation"])
def published(request):
    """Model, optimiser, settings, losses of NEST and TensorFlow, and the oracle's iterations."""
    if request.param == "pattern-generation":
        return PatternGeneration(), KeepingSGD, 1e-4, {}, REGRESSION_NEST, REGRESSION_TF, list(regression())
    settings = {"average_gradient": 150}
    iterations = list(classification())
    return EvidenceAccumulation(), KeepingAdam, 5e-3, settings, CLASSIFICATION_NEST, CLASSIFICATION_TF, iterations


@pytest.mark.parametrize(
    "evaluation, engine, target",
    [
        pytest.param("factored", "runtime", "numpy", id="factored-numpy"),
        pytest.param("online", "runtime", "numpy", id="online-numpy", marks=slow),
        pytest.param("factored", "runtime", "cython", id="factored-cython", marks=compiling),
        pytest.param("online", "runtime", "cython", id="online-cython", marks=compiling),
        pytest.param("factored", "compiled", "auto", id="factored-compiled", marks=compiling),
        pytest.param("online", "compiled", "auto", id="online-compiled", marks=compiling),
    ],
)
def test_the_published_runs_have_their_losses_and_the_gradients_of_the_oracle(published, evaluation, engine, target):
    model, kind, rate, settings, nest, tensorflow, iterations = published
    optimizers = {name: kind(learning_rate=rate) for name in MATRICES}
    rule = EProp(evaluation=evaluation, optimizers=optimizers, regularisers=("firing-rate",), **settings)
    task = model.task(1)
    assembly = assemble(model.network(), task.objective, rule, 1, engine, target)
    steps = list(Trainer(assembly, task, 5))
    losses = [step.metrics["loss"] for step in steps]
    np.testing.assert_allclose(losses, nest, rtol=1e-10)
    np.testing.assert_allclose(losses, tensorflow, rtol=2e-7)
    assert [step.metrics["spikes_per_trial"] for step in steps] == [spikes for *_, spikes in iterations]
    for name, matrix in MATRICES.items():
        wiring = assembly.plan.wiring[name]
        for found, (_, expected, _) in zip(optimizers[name]._gradients, iterations, strict=True):
            assert_close(found, expected[matrix].T[wiring.pre, wiring.post], name)
    assembly.engine.close()


@st.composite
def cases(draw):
    return Case(
        seed=draw(st.integers(0, 2**32 - 1)),
        inputs=draw(st.integers(4, 9)),
        sizes=tuple(draw(st.lists(st.integers(2, 9), min_size=1, max_size=2))),
        outputs=draw(st.integers(1, 3)),
        steps=draw(st.integers(30, 90)),
        tau_m=(draw(st.floats(5, 40)), draw(st.floats(5, 40))),
        tau_out=draw(st.floats(3, 40)),
        refractory=draw(st.integers(0, 4)),
        beta=draw(st.sampled_from([0.0, 0.2])),
        tau_a=draw(st.floats(20, 2000)),
        normalise=draw(st.booleans()),
        recurrent=draw(st.booleans()),
        density=draw(st.sampled_from([0.4, 1.0])),
        window=draw(st.sampled_from([None, 1, 20, 1000])),
        classify=draw(st.booleans()),
        feedback=draw(st.sampled_from(["random", "symmetric"])),
        c_reg=draw(st.sampled_from([0.0, 300.0])),
        average=draw(st.sampled_from([1, 20])),
    )


quickly = settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
thoroughly = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@quickly
@given(cases())
def test_online_and_factored_gradients_are_those_of_the_oracle(case):
    assert_both_evaluations_are_the_oracles(case)


@pytest.mark.slow
@thoroughly
@given(cases())
def test_online_and_factored_gradients_are_those_of_the_oracle_in_many_networks(case):
    assert_both_evaluations_are_the_oracles(case)


def assert_both_evaluations_are_the_oracles(case):
    experiment = Experiment(case)
    online, factored = experiment.run("online"), experiment.run("factored")
    trial, expected = experiment.run_oracle(online.feedback)
    starts = np.cumsum((0, *case.sizes))
    for name, (start, stop) in zip(case.names, pairwise(starts), strict=True):
        steps, neurons = np.nonzero(trial.z[:, start:stop])
        assert steps.size, "no neuron spikes: the test is vacuous"
        for outcome in (online, factored):
            assert np.array_equal(outcome.record.spikes[name], (steps, neurons))
    assert online.gradients.keys() == factored.gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_close(online.gradients[name], gradient, name)
        assert_close(factored.gradients[name], gradient, name)
    np.testing.assert_allclose(online.record.judgement.loss, trial.loss, rtol=1e-12)


def assert_close(found, expected, name):
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max(), name


@pytest.mark.slow
@needs_compiler
def test_both_engines_give_the_same_spikes_and_gradients():
    case = Case(sizes=(6, 5), refractory=2, density=0.6, c_reg=300.0, classify=True, window=30, beta=0.2)
    experiment = Experiment(case)
    expected = experiment.run("online")
    assert expected.record.counts("hidden0").sum() and expected.record.counts("hidden1").sum()
    for evaluation in ("online", "factored"):
        found = experiment.run(evaluation, "compiled", "auto")
        for name in ("input", "hidden0", "hidden1"):
            assert np.array_equal(found.record.spikes[name], expected.record.spikes[name])
        for name, gradient in expected.gradients.items():
            assert_close(found.gradients[name], gradient, name)


def test_factored_evaluation_takes_one_time_constant_per_readout():
    case = Case(outputs=3, tau_out=np.array([5.0, 15.0, 40.0]), c_reg=300.0)
    experiment = Experiment(case)
    found = experiment.run("factored")
    trial, expected = experiment.run_oracle(found.feedback)
    assert trial.z.sum() > 20
    for name, gradient in expected.items():
        assert_close(found.gradients[name], gradient, name)


def test_online_evaluation_refuses_one_time_constant_per_readout():
    experiment = Experiment(Case(outputs=2, tau_out=np.array([5.0, 15.0])))
    with pytest.raises(UserError, match=r"needs one tau_m for all readouts.*use 'factored'"):
        experiment.run("online")


def test_targets_with_different_membranes_get_a_trace_each():
    """One source, two targets: with normalised input both the decay and the gain of its trace differ."""
    assert_both_evaluations_are_the_oracles(Case(sizes=(4, 5), tau_m=(20.0, 8.0), normalise=True))


def test_average_gradient_divides_every_gradient():
    case = Case(c_reg=300.0)
    whole, part = (Experiment(replace(case, average=n)).run("factored") for n in (1, 8))
    for name, gradient in whole.gradients.items():
        assert np.any(gradient)
        np.testing.assert_allclose(8 * part.gradients[name], gradient, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["leaky", "rate"])
def test_e_prop_keeps_the_contract_of_rules(readout):
    check_rule(EProp, network=small_network(readout), regularisers=("firing-rate",))


def straight_network():
    """A source that projects to the readout, past the hidden neurons."""
    net = small_network()
    net.connect("input", "output", weights=0.1, plastic=True)
    return net


def test_a_source_may_project_to_the_readout_where_the_evaluation_is_factored():
    run = trainer(EProp(), straight_network())
    record = run.run(TRAINING, 0)
    (teacher,) = run.assembly.teachers
    error, kappa = record.series["output.error"], np.exp(-1 / 25)
    trace, expected = np.zeros(12), np.zeros((12, 3))
    for t in range(record.steps):
        steps, indices = record.spikes["input"]
        trace = kappa * trace + (1 - kappa) * np.bincount(indices[steps == t], minlength=12)
        expected += np.outer(trace, error[t])
    assert_close(teacher.gradient(record, run.task.objective)["input_to_output"], expected.reshape(-1), "input")


def test_a_source_before_a_readout_is_refused_online():
    with pytest.raises(UserError, match="input_to_output: evaluation = 'online' needs spiking neurons before"):
        trainer(EProp(evaluation="online"), straight_network())
