"""The IB-Hebbian oracle: xi is the derivative of the objective, and the harness does what its equations say."""

import numpy as np
import pytest

from . import ib_hebbian as ib
from . import tasks


def random_window(rng, N, dim=7, classes=3, D=6):
    X, Z = rng.random((N, dim)), rng.normal(size=(N, D))
    return X, np.eye(classes)[rng.integers(classes, size=N)], Z


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("N", [2, 3, 8, 16, 64])
@pytest.mark.parametrize("gamma", [2.0, 10.0])
def test_exact_xi_is_the_derivative_of_the_objective(N, gamma):
    o, rng = ib.Objective(window=N, gamma=gamma), np.random.default_rng(N)
    X, Y, Z = random_window(rng, N)
    xi, h = ib.xi_exact(o, X, Y, Z), 1e-5
    shift = np.zeros_like(Z)
    for i in range(Z.shape[1]):
        shift[-1] = h * np.eye(Z.shape[1])[i]
        slope = (ib.objective(o, X, Y, Z + shift) - ib.objective(o, X, Y, Z - shift)) / (2 * h)
        assert abs(slope - xi[i]) < 1e-6 * np.abs(xi).max()
    assert np.abs(xi).max() > 1e-6


def test_reference_xi_is_exact_for_two_samples():
    o, rng = ib.Objective(window=2), np.random.default_rng(0)
    for _ in range(20):
        window = random_window(rng, 2)
        np.testing.assert_allclose(ib.xi_reference(o, *window), ib.xi_exact(o, *window), rtol=1e-12, atol=1e-15)


def test_reference_xi_points_elsewhere_for_many_samples():
    o, rng = ib.Objective(window=16), np.random.default_rng(0)
    windows = [random_window(rng, 16) for _ in range(100)]
    similarity = [cosine(ib.xi_exact(o, *w), ib.xi_reference(o, *w)) for w in windows]
    assert np.mean(similarity) < 0.9


def test_the_soft_reset_subtracts_the_threshold_in_the_step_of_the_spike():
    model = ib.Model(steps=4)
    layer = ib.Layer(w=np.array([[1.5]]), b=np.zeros(1))
    activity = ib.simulate(model, layer, arriving=np.array([[1.0], [0.0], [0.0], [0.0]]))
    assert activity.spikes.ravel().tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(activity.psi.ravel(), [0.5] + [0.5 * model.alpha**t for t in (1, 2, 3)], rtol=1e-12)
    trace = model.alpha ** np.arange(4)
    np.testing.assert_allclose(activity.eligibility.ravel(), [activity.psi.ravel() @ trace], rtol=1e-12)


def test_the_floor_forgets_what_came_before():
    layer = ib.Layer(w=np.array([[1.0, -9.0]]), b=np.zeros(1))
    arriving = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    activity = ib.simulate(ib.Model(steps=4), layer, arriving)
    assert activity.eligibility[0, 1] == 0 and activity.eligibility[0, 0] > 0


def test_eligibility_is_the_sum_over_the_sample_of_psi_and_pre_trace():
    rng, model = np.random.default_rng(1), ib.Model(gain=3.0)
    net = ib.network(model, [12, 5, 4, 2], rng)
    net.layers[1].w[:] = np.abs(net.layers[1].w)  # far from the floor
    first, second = ib.present(model, net, ib.poisson(model, rng.random(12), rng))
    expected, e = np.zeros((4, 5)), np.zeros(5)
    for t in range(model.steps):
        e = model.alpha * e + (first.spikes[t - 1] if t else 0)  # one step of latency between the layers
        expected += np.outer(second.psi[t], e)
    assert first.spikes.sum() > 20 and np.abs(expected).max() > 0
    np.testing.assert_allclose(second.eligibility, expected, rtol=1e-12, atol=1e-12)


def test_modulated_signal_is_orthogonal_to_the_representation_and_of_unit_size():
    rng, model, layer = np.random.default_rng(2), ib.Model(), ib.Layer(np.zeros((30, 1)), np.zeros(30))
    z = rng.normal(size=30)
    z = (z - z.mean()) / z.std()
    signal = ib.modulate(model, layer, 1e-4 * rng.normal(size=30), z)
    assert abs(signal.mean()) < 1e-12 and abs(signal @ z) < 1e-12
    np.testing.assert_allclose(np.mean(signal**2), 1.0)


@pytest.mark.parametrize("third_factor, moves", [(lambda x, y, z: np.zeros_like(z), False), (None, True)])
def test_hidden_weights_move_only_if_there_is_a_third_factor(third_factor, moves):
    rng, model = np.random.default_rng(3), ib.Model(objective=ib.Objective(window=4))
    net = ib.network(model, [8, 6, 2], rng)
    before, factor = net.layers[0].w.copy(), third_factor or ib.Memory(model.objective)
    for n in range(10):
        x = rng.random(8)
        ib.learn(model, net, [factor], x, np.eye(2)[n % 2], ib.poisson(model, x, rng))
        full = n + 1 >= model.objective.window
        assert np.any(net.layers[0].w != before) == (moves and full)
    assert np.any(net.V)


SETTINGS = {  # task, hidden neurons, epochs, model
    "xor": (tasks.xor, 10, 5, ib.Model(ib.Objective(window=16, sigma_x=0.3), steps=50)),
    "linear": (tasks.linear, 10, 6, ib.Model(target_rate=20.0)),
    "digits": (tasks.digits, 30, 8, ib.Model()),
}


def mean_accuracy(name, factor):
    """Test accuracy over the seeds 0, 1, 2."""
    task, hidden, epochs, model = SETTINGS[name]
    found = []
    for seed in range(3):
        rng, (training, test) = np.random.default_rng(seed), task(seed)
        net = ib.network(model, [training.u.shape[1], hidden, training.y.shape[1]], rng)
        for _ in ib.train(model, net, [factor(model)], training, epochs, rng):
            pass
        found.append(ib.accuracy(model, net, test, rng))
    return np.mean(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    # the oracle cuts traces at the floor; where it kept them, linear reached .953 on these seeds, .943 now
    "name, reached, margin",
    [("xor", 0.98, 0.03), ("linear", 0.94, 0.06), ("digits", 0.895, 0.03)],
)
def test_a_trained_hidden_layer_is_better_than_a_random_one(name, reached, margin):
    exact = mean_accuracy(name, lambda model: ib.Memory(model.objective))
    none = mean_accuracy(name, lambda model: lambda x, y, z: np.zeros_like(z))
    assert exact >= reached and exact >= none + margin
