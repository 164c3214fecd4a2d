"""The e-prop oracle reproduces the published losses, and its two forms are one gradient."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from . import e_prop, published_draws

REGRESSION_NEST = [101.964356999041, 103.466731126205, 103.340607074771, 103.680244037686, 104.412775748752]
REGRESSION_TF = [101.964363098144, 103.466735839843, 103.340606689453, 103.680244445800, 104.412780761718]
CLASSIFICATION_NEST = [0.741152550006, 0.740388187700, 0.665785233177, 0.663644193322, 0.729428962844]
CLASSIFICATION_NEST_OF_TWO = [0.702163370672, 0.735555303152, 0.740354864111, 0.683882815282, 0.707841122268]
"""With two trials per iteration."""
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


def test_a_batch_of_two_has_the_losses_of_nest():
    model, state, losses = published_draws.CLASSIFICATION, None, []
    weights, batches = published_draws.classification(batch=2)
    for x, target in islice(batches, 5):
        trials = [e_prop.simulate(model, weights, *pair) for pair in zip(x, target, strict=True)]
        losses.append(np.mean([trial.loss for trial in trials]))
        weights, state = e_prop.adam(weights, e_prop.batch_gradient(model, weights, trials), state, rate=5e-3)
    np.testing.assert_allclose(losses, CLASSIFICATION_NEST_OF_TWO, rtol=1e-11)


def mixed(recurrent=True, delays="one per synapse", seed=3, **constants):
    """A model in which no two neurons, readouts and synapses are alike, its weights, input and target."""
    rng, n_in, n, n_out, steps = np.random.default_rng(seed), 12, 9, 3, 200
    sizes = {"in": (n, n_in), "rec": (n, n), "out": (n_out, n), "direct": (n_out, n_in)}
    drawn = {
        "none": {},
        "one per projection": {"in": 4, "rec": 2, "out": 3, "direct": 1},
        "one per synapse": {name: rng.integers(7, size=size) for name, size in sizes.items()},
    }[delays]
    model = e_prop.Model(
        window=80,
        tau_m=rng.uniform(10, 40, n),
        tau_a=rng.uniform(50, 500, n),
        beta=rng.uniform(0, 0.4, n),
        v_threshold=rng.uniform(0.4, 0.8, n),
        refractory=rng.integers(5, size=n),
        tau_out=rng.uniform(10, 40, n_out),
        unit_gain=False,
        delays=drawn,
        c_reg=3.0,
    )
    weights = {"in": 6 * rng.normal(size=(n, n_in)), "out": rng.normal(size=(n_out, n))}
    weights |= {"feedback": rng.normal(size=(n, n_out)), "direct": rng.normal(size=(n_out, n_in))}
    if recurrent:
        weights["rec"] = rng.normal(size=(n, n)) * (1 - np.eye(n))
    x = rng.random((steps, n_in)) < 0.1
    target = np.eye(n_out)[rng.integers(n_out, size=steps)]
    return replace(model, **constants), weights, x, target


def active(*experiment):
    """The trial of an experiment in which neurons spike."""
    trial = e_prop.simulate(*experiment)
    assert trial.z.sum() > 50, "hardly any spikes: the test is vacuous"
    return trial


@pytest.mark.parametrize("tau_out", [25.0, np.array([10.0, 20.0, 40.0])], ids=["one tau_out", "several tau_out"])
@pytest.mark.parametrize("delays", ["none", "one per projection", "one per synapse"])
@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_online_and_factored_agree_for_neurons_that_all_differ(task, recurrent, delays, tau_out):
    model, weights, *data = mixed(recurrent, delays, task=task, tau_out=tau_out)
    assert_same_gradient(model, weights, active(model, weights, *data))


@pytest.mark.parametrize("surrogate", e_prop.SHAPES)
def test_online_and_factored_agree_for_every_surrogate(surrogate):
    model, weights, *data = mixed(surrogate=surrogate, height=0.2, relative_width=0.7)
    assert_same_gradient(model, weights, active(model, weights, *data))


@pytest.mark.parametrize(
    "surrogate, expected",
    [
        ("piecewise-linear", [0.5, 0.25, 0.0]),
        ("exponential", [0.5, 0.5 * np.exp(-0.5), 0.5 * np.exp(-2)]),
        ("fast-sigmoid", [0.5, 0.5 / 1.5**2, 0.5 / 9]),
        ("arctan", [0.5, 0.5 / (1 + (np.pi / 4) ** 2), 0.5 / (1 + np.pi**2)]),
    ],
)
def test_a_surrogate_is_highest_at_the_threshold_and_even(surrogate, expected):
    model = e_prop.Model(surrogate=surrogate, v_threshold=0.6)
    distance = np.array([0.0, 0.3, 1.2])
    np.testing.assert_allclose(model.psi(distance), expected, rtol=1e-14)
    assert np.array_equal(model.psi(-distance), model.psi(distance))


def test_each_neuron_has_a_threshold_of_its_own():
    """Two thresholds in one network are two networks with a threshold each, where neurons do not meet."""
    vth, n_out = np.repeat([0.5, 0.7], [4, 5]), 3
    both, weights, x, target = mixed(recurrent=False, v_threshold=vth)
    together = active(both, weights, x, target)
    for theta in (0.5, 0.7):
        alone = e_prop.simulate(replace(both, v_threshold=theta), weights, x, np.zeros((len(x), n_out)))
        mine = vth == theta
        assert np.array_equal(alone.z[:, mine], together.z[:, mine])
        assert np.array_equal(alone.psi[:, mine], together.psi[:, mine])
        assert not np.array_equal(alone.z[:, ~mine], together.z[:, ~mine])


@pytest.mark.parametrize("gradient", [e_prop.gradient_online, e_prop.gradient_factored])
def test_explicit_delays_of_zero_are_no_delays(gradient):
    model, weights, *data = mixed(delays="none")
    zero = replace(model, delays={name: np.zeros(weights[name].shape, int) for name in e_prop.LATENCY})
    found = [gradient(m, weights, active(m, weights, *data)) for m in (model, zero)]
    for name, g in found[0].items():
        assert np.array_equal(g, found[1][name])


@pytest.mark.parametrize("gradient", [e_prop.gradient_online, e_prop.gradient_factored])
def test_a_delay_of_the_input_is_a_later_input(gradient):
    model, weights, x, target = mixed(delays="none")
    later = np.vstack([np.zeros_like(x[:4]), x[:-4]])
    expected = active(model, weights, later, target)
    model_with_delay = replace(model, delays={"in": 4, "direct": 4})
    found = active(model_with_delay, weights, x, target)
    assert np.array_equal(found.z, expected.z)
    by_delay, by_shift = gradient(model_with_delay, weights, found), gradient(model, weights, expected)
    for name, g in by_shift.items():
        np.testing.assert_allclose(by_delay[name], g, rtol=0, atol=1e-13 * np.abs(g).max())


@pytest.mark.parametrize("gradient", [e_prop.gradient_online, e_prop.gradient_factored])
def test_a_recurrent_synapse_is_an_input_synapse_with_a_delay_longer_by_one(gradient):
    model, weights, x, target = mixed()
    trial = active(model, weights, x, target)
    expected = gradient(model, weights, trial)
    forward = {"in": np.hstack([weights["in"], weights["rec"]])}
    forward |= {name: weights[name] for name in ("out", "feedback")}
    forward["direct"] = np.hstack([weights["direct"], 0 * weights["out"]])
    lags = {"in": np.hstack([model.delays["in"], model.delays["rec"] + 1]), "out": model.delays["out"]}
    lags["direct"] = np.hstack([model.delays["direct"], 0 * model.delays["out"]])
    unrolled = replace(model, delays=lags)
    again = e_prop.simulate(unrolled, forward, np.hstack([x, trial.z]), target)
    assert np.array_equal(again.z, trial.z)
    found = gradient(unrolled, forward, again)["in"]
    found_rec = found[:, x.shape[1] :] * (1 - np.eye(len(found)))
    for g, h in ((found[:, : x.shape[1]], expected["in"]), (found_rec, expected["rec"])):
        np.testing.assert_allclose(g, h, rtol=0, atol=1e-12 * np.abs(h).max())


def test_a_delay_of_the_readout_is_a_later_readout():
    model, weights, *data = mixed(delays="none")
    prompt, late = active(model, weights, *data), active(replace(model, delays={"out": 7, "direct": 7}), weights, *data)
    assert np.array_equal(late.z, prompt.z)
    assert np.array_equal(late.y[7:], prompt.y[:-7]) and not late.y[:7].any()


@pytest.mark.parametrize("name, latency", [("in", 0), ("rec", 1)])
def test_a_spike_acts_after_latency_and_delay_and_not_after_the_trial(name, latency):
    """Neuron 0 spikes once, in step 3; the synapse under test leads to neuron 1, whose membrane shows its arrival."""
    steps, weights = 12, {"in": np.zeros((2, 2)), "rec": np.zeros((2, 2)), "out": np.zeros((1, 2))}
    weights["in"][0, 0], weights["feedback"] = 1.0, np.ones((2, 1))
    x = np.zeros((steps, 2))
    x[3] = 1
    if name == "in":
        weights["in"][1, 1] = 0.1
    else:
        weights["rec"][1, 0] = 0.1
    for delay in range(steps):
        lags = {name: np.array([[0, 0], [delay, delay]])}
        model = e_prop.Model(refractory=100, surrogate="exponential", delays=lags)
        trial = e_prop.simulate(model, weights, x, np.ones((steps, 1)))
        assert np.argwhere(trial.z).tolist() == [[3, 0]]
        arrival = 3 + latency + delay
        assert np.flatnonzero(trial.v[:, 1]).tolist() == list(range(arrival, steps))
        for gradient in (e_prop.gradient_online, e_prop.gradient_factored):
            entry = gradient(model, weights, trial)[name][1, 1 if name == "in" else 0]
            assert (entry != 0) == (arrival < steps)


def trials_of_two_rates(**constants):
    """A model, weights and two trials with different numbers of spikes."""
    model, weights, x, target = mixed(**constants)
    trials = [active(model, weights, inputs, target) for inputs in (x, x & (np.arange(len(x)) % 3 > 0)[:, None])]
    assert np.any(trials[0].z.sum(axis=0) != trials[1].z.sum(axis=0))
    return model, weights, trials


def test_a_batch_is_the_mean_of_its_trials():
    model, weights, trials = trials_of_two_rates()
    single = [e_prop.gradient_factored(model, weights, trial) for trial in trials]
    mean = e_prop.batch_gradient(model, weights, trials)
    np.testing.assert_allclose(mean["rec"], (single[0]["rec"] + single[1]["rec"]) / 2, rtol=1e-15)
    assert set(mean) == {"in", "rec", "out", "direct"}


@pytest.mark.parametrize("gradient", [e_prop.gradient_online, e_prop.gradient_factored])
def test_the_rate_of_a_batch_is_the_mean_rate_of_its_trials(gradient):
    """Where no error speaks, sum_t e_ji is the gradient over R_j, and it can be scaled by another R_j."""
    model, weights, trials = trials_of_two_rates(rate_of="batch", c_reg=7.0, f_target=0.0123)
    weights["feedback"] = 0 * weights["feedback"]
    steps, e_sums = len(trials[0].z), []
    for trial in trials:
        alone = e_prop.rate_regulariser(model, trial)
        e_sums.append(gradient(model, weights, trial)["rec"] / alone[:, None])
    rate = (trials[0].z.sum(axis=0) + trials[1].z.sum(axis=0)) / (2 * steps)
    pull = 7.0 * (rate - model.f_target) / steps
    expected = pull[:, None] * (e_sums[0] + e_sums[1]) / 2
    found = e_prop.batch_gradient(model, weights, trials, gradient)["rec"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    per_trial = e_prop.batch_gradient(replace(model, rate_of="trial"), weights, trials, gradient)["rec"]
    assert np.abs(per_trial - expected).max() > 1e-3 * np.abs(expected).max()


def test_learned_feedback_becomes_the_transposed_readout():
    """Both get the same gradient and the same decay, so that their difference shrinks by 1 - eta decay."""
    model, weights, *data = mixed()
    rate, decay = 1e-3, 20.0
    before = weights["feedback"] - weights["out"].T
    for _ in range(3):
        gradient = e_prop.gradient_factored(model, weights, active(model, weights, *data))
        gradient = e_prop.with_feedback(gradient, weights, decay)
        gradient["out"] = gradient["out"] + decay * weights["out"]
        weights = e_prop.sgd(weights, gradient, rate)
    after = weights["feedback"] - weights["out"].T
    np.testing.assert_allclose(after, (1 - rate * decay) ** 3 * before, rtol=1e-12)


def test_weights_of_the_wrong_sign_are_cut_off_at_zero():
    weights = {"in": np.array([[1.0, -2.0], [-3.0, 4.0]]), "out": np.array([[-1.0]])}
    found = e_prop.signed(weights, {"in": np.array([1, -1])})
    assert found["in"].tolist() == [[1.0, -2.0], [0.0, 0.0]] and found["out"].tolist() == [[-1.0]]


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
