"""A control beside a rule: gradients of the same trials and spikes, whose cosine is a metric of every update."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.testing import small_network, small_task
from snnplast.training.train import train

CUT = snn.BPTT(through_reset=False)
SYMMETRIC = snn.ReadoutError(feedback="symmetric")


def flat(**settings) -> snn.Network:
    """One hidden layer without recurrence: what back-propagation through time leaves of it is e-prop."""
    net = snn.Network()
    net.add("input", snn.PoissonSource(12))
    net.add("hidden", snn.LIF(6, v_threshold=0.4))
    net.add("output", snn.LeakyReadout(3))
    net.connect("input", "hidden", plastic=True, **settings)
    net.connect("hidden", "output", plastic=True)
    return net


def experiment(network, rule, **settings) -> snn.Experiment:
    return snn.Experiment(network, small_task(), rule, **{"epochs": 2, "engine": NUMPY, **settings})


def cosines(*given, name="cosine_to_bptt", **settings) -> np.ndarray:
    return train(experiment(*given, **{"compare": snn.BPTT(), **settings})).metrics[name]


def test_e_prop_agrees_with_it_without_recurrence_and_with_one_layer():
    assert cosines(flat(), snn.EProp(third_factor=SYMMETRIC, batch=3), compare=CUT) == pytest.approx(
        np.ones(2), abs=1e-12
    )


def test_it_follows_the_weights_that_the_rule_learns_and_is_less_than_1_where_there_is_more_to_learn_from():
    found = cosines(small_network(), snn.EProp(batch=2))
    assert np.all(np.abs(found) < 0.99) and np.ptp(found) > 0


@pytest.mark.parametrize(
    "rule", [snn.EProp(batch=2), snn.STDP(), snn.IBHebbian(third_factor="random", homeostasis=None)]
)
def test_a_run_learns_the_same_with_and_without_it(rule):
    net = small_network()
    if rule.name == "stdp":
        net = flat(bounds=(0, 1), weights=snn.Uniform(low=0.0, high=0.6))
        net.change("hidden_to_output", plastic=False)
    alone, compared = (train(experiment(net, rule, compare=compare)) for compare in (None, snn.BPTT()))
    assert all(np.array_equal(alone.weights[name], compared.weights[name]) for name in alone.weights)
    assert np.all(np.abs(compared.metrics["cosine_to_bptt"]) <= 1)
    assert alone.metrics.keys() == compared.metrics.keys() - {"cosine_to_bptt"}


def test_what_learns_readouts_only_has_none():
    assert np.all(np.isnan(cosines(flat(), snn.Frozen())))


def test_workers_and_a_run_that_goes_on_find_the_same(tmp_path):
    rule, path = snn.EProp(batch=3), tmp_path / "run.h5"
    whole = cosines(flat(), rule)
    assert np.array_equal(cosines(flat(), rule, workers=2), whole)
    train(experiment(flat(), rule, epochs=1, compare=snn.BPTT(), record=path))
    longer = snn.resume(path, experiment(flat(), rule, compare=snn.BPTT(), record=path))
    assert np.array_equal(longer.metrics["cosine_to_bptt"], whole)


def test_any_rule_with_a_gradient_may_be_the_control():
    found = cosines(flat(), CUT, name="cosine_to_e_prop", compare=snn.EProp(third_factor=SYMMETRIC))
    assert found == pytest.approx(np.ones(2), abs=1e-12)


def test_what_is_no_control_is_refused():
    for compare, said in {
        "bptt": "Experiment: compare = 'bptt': a Rule is needed, such as BPTT()",
        snn.EProp(): "Experiment: compare = 'e-prop': it is the rule that learns; another is needed",
        snn.STDP(): "train.compare = 'stdp': it has no gradient; a rule that learns after trials is needed, such as",
        snn.IBHebbian(third_factor="random"): "train.compare = 'ib-hebbian': its gradient depends on earlier trials",
    }.items():
        with pytest.raises(UserError) as caught:
            train(experiment(small_network(), snn.EProp(), compare=compare))
        assert str(caught.value).startswith(said)


def test_a_config_names_it_and_holds_its_settings():
    made = snn.Experiment.of("digits", "train.compare=bptt", "rules.bptt.surrogate.height=0.5")
    assert isinstance(made.compare, snn.BPTT) and made.compare.surrogate.height == 0.5
    assert snn.Experiment.of_text(made.text(), "config: ").text() == made.text()
    with pytest.raises(UserError, match=r"--set train.compare = 'bpt': unknown rule 'bpt': did you mean 'bptt'"):
        snn.Experiment.of("digits", "train.compare=bpt")
    with pytest.raises(UserError, match=r"--set train.compare = 'e-prop': it is the rule that learns"):
        snn.Experiment.of("digits", "train.compare=e-prop")
