"""The e-prop oracle reproduces the published losses, and its two forms are one gradient."""

from itertools import islice

import numpy as np
import pytest

from . import e_prop, published_draws

REGRESSION_NEST = [101.964356999041, 103.466731126205, 103.340607074771, 103.680244037686, 104.412775748752]
REGRESSION_TF = [101.964363098144, 103.466735839843, 103.340606689453, 103.680244445800, 104.412780761718]
CLASSIFICATION_NEST = [0.741152550006, 0.740388187700, 0.665785233177, 0.663644193322, 0.729428962844]
CLASSIFICATION_TF = [0.741152524948, 0.740388214588, 0.665785133838, 0.663644134998, 0.729429066181]


def regression(gradient, iterations=5):
    """Losses and trials of the published regression run."""
    model = published_draws.REGRESSION
    weights, x, target = published_draws.regression()
    for _ in range(iterations):
        trial = e_prop.simulate(model, weights, x, target)
        yield weights, trial
        weights = e_prop.sgd(weights, gradient(model, weights, trial), rate=1e-4)


def classification(gradient, iterations=5):
    """Losses and trials of the published classification run, batch of one."""
    model, state = published_draws.CLASSIFICATION, None
    weights, batches = published_draws.classification()
    for x, target in islice(batches, iterations):
        trial = e_prop.simulate(model, weights, x[0], target[0])
        yield weights, trial
        weights, state = e_prop.adam(weights, gradient(model, weights, trial), state, rate=5e-3)


@pytest.mark.parametrize("gradient", [e_prop.gradient_factored, e_prop.gradient_online])
def test_the_regression_run_has_the_losses_of_nest_and_tensorflow(gradient):
    trials = [trial for _, trial in regression(gradient)]
    losses = [trial.loss for trial in trials]
    np.testing.assert_allclose(losses, REGRESSION_NEST, rtol=1e-10)
    np.testing.assert_allclose(losses, REGRESSION_TF, rtol=1e-7)
    assert (trials[0].x.sum(), trials[0].z.sum()) == (5053, 3999)


@pytest.mark.parametrize("gradient", [e_prop.gradient_factored, e_prop.gradient_online])
def test_the_classification_run_has_the_losses_of_nest_and_tensorflow(gradient):
    trials = [trial for _, trial in classification(gradient)]
    losses = [trial.loss for trial in trials]
    np.testing.assert_allclose(losses, CLASSIFICATION_NEST, rtol=1e-10)
    np.testing.assert_allclose(losses, CLASSIFICATION_TF, rtol=2e-7)
    assert (trials[0].x.sum(), trials[0].z.sum()) == (597, 3251)


@pytest.mark.parametrize("run", [regression, classification])
def test_online_and_factored_are_one_gradient(run):
    model = {regression: published_draws.REGRESSION, classification: published_draws.CLASSIFICATION}[run]
    for weights, trial in run(e_prop.gradient_factored, iterations=2):
        assert_same_gradient(model, weights, trial)


@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_online_and_factored_agree_for_neurons_that_all_differ(task, recurrent):
    rng, n_in, n, n_out, steps = np.random.default_rng(3), 12, 9, 3, 200
    model = e_prop.Model(
        task=task,
        window=80,
        tau_m=rng.uniform(10, 40, n),
        tau_a=rng.uniform(50, 500, n),
        beta=rng.uniform(0, 0.4, n),
        tau_out=25.0,
        refractory=2,
        unit_gain=False,
        c_reg=3.0,
    )
    weights = {"in": 6 * rng.normal(size=(n, n_in)), "out": rng.normal(size=(n_out, n))}
    weights["feedback"] = rng.normal(size=(n, n_out))
    if recurrent:
        weights["rec"] = rng.normal(size=(n, n)) * (1 - np.eye(n))
    x = rng.random((steps, n_in)) < 0.1
    target = np.eye(n_out)[rng.integers(n_out, size=steps)]
    trial = e_prop.simulate(model, weights, x, target)
    assert trial.z.sum() > 50, "hardly any spikes: the test is vacuous"
    assert_same_gradient(model, weights, trial)


def test_a_batch_is_the_mean_of_its_trials():
    model = published_draws.CLASSIFICATION
    weights, batches = published_draws.classification(batch=2)
    x, target = next(batches)
    trials = [e_prop.simulate(model, weights, *pair) for pair in zip(x, target, strict=True)]
    single = [e_prop.gradient_factored(model, weights, trial) for trial in trials]
    mean = e_prop.batch_mean(single)
    np.testing.assert_allclose(mean["rec"], (single[0]["rec"] + single[1]["rec"]) / 2, rtol=1e-15)
    assert set(mean) == {"in", "rec", "out"}


def test_without_error_and_regulariser_nothing_is_learnt():
    model = e_prop.Model(c_reg=0.0, refractory=0)
    weights, x, _ = published_draws.regression()
    silent = e_prop.simulate(model, weights, x, np.zeros((len(x), 1)))
    trial = e_prop.simulate(model, weights, x, target=silent.y)
    assert trial.z.sum() > 100
    for gradient in (e_prop.gradient_online, e_prop.gradient_factored):
        assert all(not g.any() for g in gradient(model, weights, trial).values())


def assert_same_gradient(model, weights, trial):
    online, factored = e_prop.gradient_online(model, weights, trial), e_prop.gradient_factored(model, weights, trial)
    assert online.keys() == factored.keys()
    for name, g in online.items():
        assert np.abs(g).max() > 0
        assert np.abs(g - factored[name]).max() <= 1e-12 * np.abs(g).max(), name
