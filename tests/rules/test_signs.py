"""Signs of weights (Dale's principle): a source neuron excites or inhibits, and learning does not change which."""

from __future__ import annotations

import numpy as np
import pytest
from random_networks import Case, Experiment
from reference import e_prop as oracle

from snnplast.errors import UserError
from snnplast.learning.optimizer import SGD
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import SpikeSource
from snnplast.network.weights import Normal

CASE = Case(sizes=(8,), c_reg=30.0)
MIXED = np.array([1, -1, 1, 1, -1, 1, -1, 1])
"""For the eight hidden neurons."""
RATE, UPDATES = 5e-4, 4


def trained(sign, updates=UPDATES, evaluation="factored", **more):
    """Recurrent weights (n_pre, n_post) at first and after every update, and B (n, n_out)."""
    experiment = Experiment(CASE)
    settings = {"hidden0_to_hidden0": {"sign": sign, **more}} if sign is not None else {}
    with experiment.assembled(evaluation, projections=settings, optimizer=SGD(learning_rate=RATE)) as simulation:
        wiring, feedback, trainer = simulation.plan.wiring["hidden0_to_hidden0"], experiment.feedback(simulation), None
        seen = [wiring.matrix(simulation.values["hidden0_to_hidden0"]).copy()]
        trainer = experiment.trainer(simulation, updates)
        for _ in trainer:
            seen.append(wiring.matrix(simulation.values["hidden0_to_hidden0"]).copy())
    return seen, feedback


@pytest.mark.parametrize(
    "sign, signs", [("excitatory", np.ones(8)), ("inhibitory", -np.ones(8)), (MIXED, MIXED), (MIXED.tolist(), MIXED)]
)
def test_initial_weights_get_the_sign_of_their_source(sign, signs):
    (found,), _ = trained(sign, updates=0)
    drawn = Experiment(CASE).weights["hidden0", "hidden0"]
    assert np.any(drawn > 0) and np.any(drawn < 0)
    assert np.array_equal(found, np.where(drawn == 0, 0, signs[:, None] * np.abs(drawn)))


@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_after_each_update_weights_of_the_wrong_sign_are_zero(evaluation):
    found, feedback = trained(MIXED, evaluation=evaluation)
    experiment = Experiment(CASE)
    model, weights = experiment.model(), experiment.matrices(feedback)
    weights["rec"] = MIXED * np.abs(weights["rec"])
    cut = 0
    for matrix in found[1:]:
        gradient = experiment.masked(oracle.gradient_online(model, weights, experiment.oracle_trial(weights)))
        free = oracle.sgd(weights, gradient, RATE)
        weights = oracle.signed(free, {"rec": MIXED})
        cut += np.sum(weights["rec"] != free["rec"])
        np.testing.assert_allclose(matrix.T, weights["rec"], rtol=0, atol=1e-10 * np.abs(weights["rec"]).max())
        assert not np.any(matrix * MIXED[:, None] < 0)
    assert cut > 3, "no weight tries to change its sign"


def test_without_a_sign_weights_change_theirs():
    found, _ = trained(None)
    assert np.any(found[0] * found[-1] < 0)


def test_bounds_hold_beside_the_sign():
    """-0.23 leaves inhibitory weights room, 0.19 excitatory ones; a bound of the other side leaves the sign."""
    found, _ = trained(MIXED, bounds=(-0.23, 0.19))
    last = found[-1]
    assert np.all(last[MIXED > 0] >= 0) and np.all(last[MIXED < 0] <= 0)
    assert last.min() == -0.23 and last.max() == 0.19


@pytest.mark.parametrize("bounds", [(None, 0.19), (-0.23, None)])
def test_one_bound_may_be_open_beside_the_sign(bounds):
    last = trained(MIXED, bounds=bounds)[0][-1]
    assert np.all(last * MIXED[:, None] >= 0)
    low, high = bounds
    assert (low is None or last.min() == low) and (high is None or last.max() == high)


def test_signs_follow_the_source_of_each_synapse_in_a_sparse_projection():
    net = Network()
    net.add("input", SpikeSource(3))
    net.add("hidden", LIF(4))
    net.connect("input", "hidden", weights=Normal(), sign=[-1, 1, -1])
    projection = net.projections["input_to_hidden"]
    pre = np.array([0, 0, 1, 2, 2])
    assert projection.signed(np.array([1.0, -2.0, -3.0, 4.0, -5.0]), pre).tolist() == [-1.0, -2.0, 3.0, -4.0, -5.0]


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"sign": "exciting"}, "'exciting': 'excitatory', 'inhibitory' or an array of"),
        ({"sign": [1, 0, -1]}, r"array of \+1 and -1 is allowed"),
        ({"sign": [1, -1]}, r"network.input_to_hidden.sign has 2 entries; 3, one per source neuron, are needed"),
        ({"sign": [[1, -1, 1]]}, r"array of \+1 and -1 is allowed"),
        ({"sign": "excitatory", "bounds": (None, -0.1)}, "leave no weight of the sign"),
        ({"sign": [1, 1, -1], "bounds": (0.1, None)}, "leave no weight of the sign"),
    ],
)
def test_a_sign_that_makes_no_sense_is_refused(settings, sentence):
    net = Network()
    net.add("input", SpikeSource(3))
    net.add("hidden", LIF(4))
    with pytest.raises(UserError, match=sentence):
        net.connect("input", "hidden", **settings)
