"""The local terms of IB-Hebbian: what the third factor multiplies, from the spikes of each pair of neurons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from small_runs import trainer

from snnplast.errors import UserError
from snnplast.random_streams import TRAINING
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.random import Random
from snnplast.testing import check_rule, small_network

HIDDEN = [("input", "first"), ("first", "first"), ("first", "second")]


def network():
    """The conformance kit's, with a neuron per layer that is held below its threshold."""
    net = small_network("rate")
    for name in ("first", "second"):
        population = net.populations[name]
        silent = np.where(np.arange(population.size) == 2, -5.0, 0.05)
        net.populations[name] = population.model_copy(update={"bias": silent})
    return net


def trains(record, population):
    """Spikes (T, n) of a population, 0 or 1."""
    found = np.zeros((record.steps, record.network.populations[population].size))
    found[record.spikes[population]] = 1
    return found


def postsynaptic(local, spikes):
    """psi (T, n)."""
    return spikes if local == "spike" else np.broadcast_to(spikes.any(axis=0), spikes.shape)


def expected_term(record, source, target, local):
    """E (n_pre, n_post) = sum_t zbar_j psi_i. A neuron's spike arrives a step later, a source's at once."""
    arriving = trains(record, source)
    if source != "input":
        arriving = np.vstack([np.zeros_like(arriving[:1]), arriving[:-1]])
    decay = np.exp(-record.network.dt / record.network.populations[target].tau_m)
    zbar = np.asarray(lfilter([1.0], [1.0, -decay], arriving, axis=0))
    return zbar.T @ postsynaptic(local, trains(record, target))


@pytest.mark.parametrize("evaluation", ["online", "factored"])
@pytest.mark.parametrize("local", ["spike", "rate"])
def test_a_local_term_is_what_its_equation_says_of_the_spikes(local, evaluation):
    rule = IBHebbian(local=local, third_factor=Random(transforms=()), evaluation=evaluation)
    run = trainer(rule, network())
    (plasticity,) = run.simulation.plasticities
    record = run.run(TRAINING, 0)
    found = plasticity.gradient(record, run.task.objective)
    xi = Random(transforms=()).signal(record, plasticity.sources[0].context, {})
    for source, target in HIDDEN:
        counts = record.counts(target)
        assert np.any(counts) and not np.all(counts), "some spike, some do not"
        wiring = run.simulation.plan.wiring[f"{source}_to_{target}"]
        expected = expected_term(record, source, target, local) * np.asarray(xi[target]) / record.steps
        np.testing.assert_allclose(found[f"{source}_to_{target}"], expected[wiring.pre, wiring.post], rtol=1e-10)
        assert np.any(expected)


def test_the_terms_differ_and_the_surrogate_derivative_is_the_default():
    found = {}
    for local in ("surrogate", "spike", "rate", None):
        settings = {} if local is None else {"local": local}
        run = trainer(IBHebbian(third_factor=Random(transforms=()), **settings), network())
        (plasticity,) = run.simulation.plasticities
        found[local] = plasticity.gradient(run.run(TRAINING, 0), run.task.objective)["input_to_first"]
    assert np.array_equal(found[None], found["surrogate"])
    for one, other in (("surrogate", "spike"), ("surrogate", "rate"), ("spike", "rate")):
        assert not np.allclose(found[one], found[other])


def test_an_unknown_local_term_is_refused():
    with pytest.raises(UserError, match=r"IBHebbian.local = 'anti': input should be 'surrogate', 'spike' or 'rate'"):
        IBHebbian(local="anti")


@pytest.mark.slow
@pytest.mark.parametrize("local", ["spike", "rate"])
def test_every_local_term_keeps_the_contract_of_rules(local):
    check_rule(IBHebbian, network=small_network("rate"), third_factor={"name": "hsic", "window": 3}, local=local)
