"""E-prop is what Bellec et al. (2020) published: their losses, and the oracle's gradients in both evaluations."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from random_networks import DIFFERING, Case, Experiment, KeepingAdam, KeepingSGD, cases, drawn_cases
from reference import e_prop as oracle
from reference import published_draws
from reference.test_e_prop import (
    CLASSIFICATION_NEST,
    CLASSIFICATION_NEST_OF_TWO,
    CLASSIFICATION_TF,
    REGRESSION_NEST,
    REGRESSION_TF,
)

import snnplast as snn
from snnplast.engine import COMPILED, NUMPY, EngineChoice, compiler_available
from snnplast.errors import UserError
from snnplast.learning.optimizer import Adam
from snnplast.models.evidence_accumulation import EvidenceAccumulation
from snnplast.models.pattern_generation import PatternGeneration
from snnplast.rules.e_prop import EProp
from snnplast.rules.third_factors.firing_rate import FiringRate
from snnplast.testing import check_rule, small_network
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

MATRICES = {"input_to_hidden": "in", "hidden_to_hidden": "rec", "hidden_to_output": "out"}
needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
slow, compiling = [pytest.mark.slow], [pytest.mark.slow, needs_compiler]


def regression():
    """(loss, gradient, recurrent spikes) of each iteration of the published regression, from the oracle."""
    model, (weights, x, target) = published_draws.REGRESSION, published_draws.regression()
    for _ in range(5):
        trial = oracle.simulate(model, weights, x, target)
        gradient = oracle.gradient_factored(model, weights, trial)
        yield trial.loss, gradient, trial.z.sum()
        weights = oracle.sgd(weights, gradient, rate=1e-4)


def classification(batch):
    """The same of the published classification, means over the trials of an iteration."""
    model, (weights, batches), state = published_draws.CLASSIFICATION, published_draws.classification(batch=batch), None
    for x, target in islice(batches, 5):
        trials = [oracle.simulate(model, weights, *trial) for trial in zip(x, target, strict=True)]
        gradient = oracle.batch_gradient(model, weights, trials)
        yield np.mean([trial.loss for trial in trials]), gradient, np.mean([trial.z.sum() for trial in trials])
        weights, state = oracle.adam(weights, gradient, state, rate=5e-3)


PUBLISHED = {
    "pattern-generation": (PatternGeneration, KeepingSGD, 1e-4, {}, [(REGRESSION_NEST, 1e-10), (REGRESSION_TF, 1e-7)]),
    "evidence-accumulation": (
        EvidenceAccumulation,
        KeepingAdam,
        5e-3,
        {"average_gradient": 150},
        [(CLASSIFICATION_NEST, 1e-10), (CLASSIFICATION_TF, 2e-7)],
    ),
    "evidence-accumulation-in-pairs": (
        EvidenceAccumulation,
        KeepingAdam,
        5e-3,
        {"average_gradient": 150, "batch": 2},
        [(CLASSIFICATION_NEST_OF_TWO, 1e-10)],
    ),
}
"""Model, optimiser, learning rate, settings of the rule, published losses and how far they are trusted."""


@pytest.fixture(scope="module", params=list(PUBLISHED))
def published(request):
    """One of them, and the oracle's iterations."""
    chosen = PUBLISHED[request.param]
    iterations = regression() if chosen[0] is PatternGeneration else classification(chosen[3].get("batch", 1))
    return *chosen, list(iterations)


@pytest.mark.parametrize(
    "evaluation, engine",
    [
        pytest.param("factored", NUMPY, id="factored-numpy"),
        pytest.param("online", NUMPY, id="online-numpy", marks=slow),
        pytest.param("factored", EngineChoice(name="runtime", target="cython"), id="factored-cython", marks=compiling),
        pytest.param("online", EngineChoice(name="runtime", target="cython"), id="online-cython", marks=compiling),
        pytest.param("factored", COMPILED, id="factored-compiled", marks=compiling),
        pytest.param("online", COMPILED, id="online-compiled", marks=compiling),
    ],
)
def test_the_published_runs_have_their_losses_and_the_gradients_of_the_oracle(published, evaluation, engine):
    model, kind, rate, settings, references, iterations = published
    optimizers = {name: kind(learning_rate=rate) for name in MATRICES}
    rule = EProp(evaluation=evaluation, optimizers=optimizers, regularisers=("firing-rate",), **settings)
    chosen = model()
    task = chosen.task(1)
    simulation = open_simulation(chosen.network(), task.objective, rule, 1, engine)
    steps = list(Trainer(simulation, task, 5))
    losses = [step.metrics["loss"] for step in steps]
    for reference, tolerance in references:
        np.testing.assert_allclose(losses, reference, rtol=tolerance)
    np.testing.assert_allclose(losses, [loss for loss, *_ in iterations], rtol=1e-12)
    assert [step.metrics["spikes_per_trial"] for step in steps] == [spikes for *_, spikes in iterations]
    for name, matrix in MATRICES.items():
        wiring = simulation.plan.wiring[name]
        for found, (_, expected, _) in zip(optimizers[name]._gradients, iterations, strict=True):
            assert_close(found, expected[matrix].T[wiring.pre, wiring.post], name)
    simulation.engine.close()


def test_the_published_task_in_pairs_is_one_key_away_in_a_config():
    rule = snn.Experiment.of("evidence-accumulation", "rules.e-prop.batch=2").rule
    same = EProp(batch=2, average_gradient=150, optimizer=Adam(learning_rate=5e-3), regularisers=(FiringRate(),))
    assert rule.model_dump() == same.model_dump()


NETWORKS, COMPILED_NETWORKS = 200, 10
"""How many random networks the slow tests compare, on the runtime engine and on the compiled one."""

quickly = settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
thoroughly = settings(quickly, max_examples=NETWORKS, derandomize=False)
compiled = settings(quickly, max_examples=COMPILED_NETWORKS, phases=[Phase.generate])
"""Derandomised, so that the second run finds its libraries in the cache; not shrunk, since each step would compile."""


ALL_AT_ONCE = Case(
    sizes=(5, 4, 3),
    outputs=3,
    refractory=2,
    beta=0.2,
    adaptive=(True, False, True),
    differ=frozenset(DIFFERING),
    mixed=(True, False, True),
    normalise=True,
    direct=True,
    density=0.6,
    delays="mixed",
    surrogate="fast-sigmoid",
    window=30,
    classify=True,
    c_reg=300.0,
    average=20,
)


@quickly
@example(ALL_AT_ONCE)
@given(cases())
def test_online_and_factored_gradients_are_those_of_the_oracle(case):
    assert_both_evaluations_are_the_oracles(case)


@pytest.mark.slow
def test_online_and_factored_gradients_are_those_of_the_oracle_in_200_networks():
    assert compared(thoroughly, NUMPY) >= NETWORKS >= 200


@pytest.mark.slow
@needs_compiler
def test_online_and_factored_gradients_are_those_of_the_oracle_in_10_compiled_networks():
    assert compared(compiled, COMPILED) >= COMPILED_NETWORKS >= 10


@pytest.mark.slow
def test_hardly_any_random_network_has_nothing_to_say():
    drawn = []

    @settings(quickly, max_examples=300)
    @given(drawn_cases())
    def draw(case):
        drawn.append(Experiment(case).has_something_to_say())

    draw()
    assert np.mean(drawn) > 0.9


def compared(setting, engine):
    """Compare as many networks as the setting says; returns how many they were."""
    count = 0

    @setting
    @given(cases())
    def compare(case):
        nonlocal count
        assert_both_evaluations_are_the_oracles(case, engine)
        count += 1

    compare()
    return count


def assert_both_evaluations_are_the_oracles(case, engine=NUMPY):
    experiment = Experiment(case)
    outcomes = [experiment.run("factored", engine)]
    if np.ndim(case.tau_out) == 0:
        outcomes.append(experiment.run("online", engine))
    feedback = outcomes[0].feedback if case.feedback == "random" else None
    trial, expected = experiment.run_oracle(feedback)
    starts = np.cumsum((0, *case.sizes))
    for name, (start, stop) in zip(case.names, pairwise(starts), strict=True):
        steps, neurons = np.nonzero(trial.z[:, start:stop])
        assert steps.size, "no neuron spikes: the test is vacuous"
        for outcome in outcomes:
            assert np.array_equal(outcome.record.spikes[name], (steps, neurons))
    for outcome in outcomes:
        assert_same_gradients(outcome.gradients, expected)
        assert outcome.record.judgement is not None
        np.testing.assert_allclose(outcome.record.judgement.loss, trial.loss, rtol=1e-12)


def assert_same_gradients(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_close(found[name], gradient, name)


def assert_close(found, expected, name):
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max(), name


@pytest.mark.slow
@needs_compiler
def test_both_engines_give_the_same_spikes_and_gradients():
    experiment = Experiment(ALL_AT_ONCE)
    expected = experiment.run("online")
    names = ("input", *experiment.case.names)
    assert all(expected.record.counts(name).sum() for name in names)
    for evaluation in ("online", "factored"):
        found = experiment.run(evaluation, COMPILED)
        for name in names:
            assert np.array_equal(found.record.spikes[name], expected.record.spikes[name])
        assert_same_gradients(found.gradients, expected.gradients)


def test_factored_evaluation_takes_one_time_constant_per_readout():
    case = Case(outputs=3, tau_out=(5.0, 15.0, 40.0), c_reg=300.0)
    experiment = Experiment(case)
    found = experiment.run("factored")
    trial, expected = experiment.run_oracle(found.feedback)
    assert trial.z.sum() > 20
    assert_same_gradients(found.gradients, expected)


def test_online_evaluation_refuses_one_time_constant_per_readout():
    experiment = Experiment(Case(outputs=2, tau_out=(5.0, 15.0)))
    with pytest.raises(UserError, match=r"needs one tau_m for all readouts.*use 'factored'"):
        experiment.run("online")


def test_targets_with_different_membranes_get_a_trace_each():
    """One source, two targets: with normalised input both the decay and the gain of its trace differ."""
    assert_both_evaluations_are_the_oracles(Case(sizes=(4, 5), tau_m=(20.0, 8.0), normalise=True))


@pytest.mark.slow
@pytest.mark.parametrize("constant", DIFFERING)
def test_neurons_of_one_population_may_each_have_a(constant):
    case = Case(sizes=(7, 5), differ=frozenset([constant]), refractory=2, beta=0.2, normalise=True, c_reg=300.0)
    experiment = Experiment(case)
    assert len(set(experiment.constants["hidden0"][constant])) > 1
    assert_both_evaluations_are_the_oracles(case)


@pytest.mark.slow
@pytest.mark.parametrize("surrogate", sorted(oracle.SHAPES))
def test_the_surrogate_derivative_has_the_shape_that_is_asked_for(surrogate):
    case = Case(surrogate=surrogate, beta=0.2, refractory=2)
    assert_both_evaluations_are_the_oracles(case)
    expected = Experiment(case).run_oracle()[1]["input_to_hidden0"]
    for other in set(oracle.SHAPES) - {surrogate}:
        found = Experiment(replace(case, surrogate=other)).run_oracle()[1]["input_to_hidden0"]
        assert np.abs(found - expected).max() > 0.01 * np.abs(expected).max()


def test_a_source_may_project_to_the_readout():
    assert_both_evaluations_are_the_oracles(Case(sizes=(4,), recurrent=False, direct=True))


@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_height_and_width_of_the_surrogate_derivative_are_relative_to_the_threshold(evaluation):
    experiment = Experiment(Case(differ=frozenset(["v_threshold"])))
    surrogate = {"name": "exponential", "height": 0.7, "relative_width": 0.4}
    found = experiment.run(evaluation, surrogate=surrogate)
    model = replace(experiment.model(), surrogate="exponential", height=0.7, relative_width=0.4)
    weights = experiment.matrices(found.feedback)
    trial = oracle.simulate(model, weights, experiment.x[0], experiment.targets[0])
    assert_same_gradients(found.gradients, experiment.by_projection(oracle.gradient_online(model, weights, trial)))


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
