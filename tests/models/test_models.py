"""Every model: its network is driven, its trials are pure functions of seed and index, its data are what it says."""

from __future__ import annotations

from itertools import islice

import data_files
import numpy as np
import pytest
from reference import published_draws

import snnplast as snn
from snnplast import registry
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.models.digits import Digits
from snnplast.models.evidence_accumulation import CUE, CUES, PAUSE, RECALL, EvidenceAccumulation
from snnplast.models.pattern_generation import PatternGeneration
from snnplast.models.xor import Xor
from snnplast.network.network import Network
from snnplast.random_streams import TRAINING
from snnplast.rules.frozen import Frozen
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

SETTINGS = {
    "digits": {"hidden": 20},
    "xor": {"hidden": 8},
    "linear": {"hidden": 8},
    "evidence-accumulation": {"draws": "fresh", "tests": 2},
    "diehl-cook": {"neurons": 5, "duration": "50 ms", "peak_rate": "120 Hz", "rest": "10 ms"},
    "spike-pattern": {"gain": 10},
    "t-maze": {"hidden": 10, "cues": 1, "corridor": 1, "pause": "20 ms"},
    "cartpole": {"hidden": 10},
    "pong": {"hidden": 10, "block": 16, "longest": 30},
}
NEEDS = {"cartpole": ["gymnasium"], "pong": ["gymnasium", "ale_py"]}
ALIKE = {"pattern-generation", "spike-pattern", "t-maze", "pong"}
"""Where trials begin in the same way."""


def rule_of(name):
    """A rule that the model's network takes."""
    own = {"diehl-cook": snn.DiehlCookSTDP(total=None), "spike-pattern": snn.SuperSpike()}
    return own.get(name, Frozen())


@pytest.fixture
def model(tmp_path):
    """Makes a model by name, small and with data to read."""

    def make(name):
        for package in NEEDS.get(name, ()):
            pytest.importorskip(package)
        return registry.load("model", name)(**SETTINGS.get(name, {}), **data_files.settings(name, tmp_path))

    return make


def segments(trial):
    """What a trial begins with, as text that can be compared: it may listen to what comes of it."""
    shown = []
    for segment in islice(trial, 1):
        inputs = {name: np.asarray(values).tolist() for name, values in segment.inputs.items()}
        shown.append((segment.steps, inputs, {name: np.asarray(v).tolist() for name, v in segment.series.items()}))
    return shown


@pytest.mark.parametrize("name", registry.names("model"))
def test_a_model_runs_and_its_hidden_neurons_spike(name, model):
    chosen = model(name)
    task, network = chosen.task(1), chosen.network()
    assert isinstance(network, Network) and chosen.name == name
    named = {p.rule: registry.load("rule", p.rule)() for p in network.projections.values() if p.rule}
    simulation = open_simulation(network, task.objective, rule_of(name), 1, NUMPY, others=named)
    record = Trainer(simulation, task, 1).run(TRAINING, 0)
    assert np.isfinite(record.judgement.loss)
    for population in network.populations:
        if network.populations[population].spiking:
            assert record.spikes[population][0].size, f"{population} is silent"
    assert record.judgement.error.shape[1] == network.populations[task.objective.readout].size


@pytest.mark.parametrize("name", registry.names("model"))
def test_trial_k_of_a_seed_is_a_pure_function_of_both(name, model):
    one, other = model(name).task(3), model(name).task(3)
    forward = [segments(one.trial(k)) for k in range(4)]
    assert [segments(other.trial(k)) for k in (3, 1, 0, 2)] == [forward[k] for k in (3, 1, 0, 2)]
    if one.tests:
        assert segments(one.test(1)) == segments(other.test(1))
        assert name in ALIKE or segments(one.test(1)) != segments(one.test(0))
    if name not in ALIKE:
        assert forward[0] != forward[1]
        another = model(name).task(4)
        assert [segments(another.trial(k)) for k in range(4)] != forward


@pytest.mark.parametrize("name", registry.names("model"))
def test_a_model_has_a_sentence_for_every_parameter(name):
    fields = registry.load("model", name).model_fields
    assert all(field.description for field in fields.values())


def test_digits_are_split_in_fixed_shares_of_every_class():
    task = Digits().task(2)
    assert (task.epoch, task.tests) == (1437, 360)
    counts = [np.bincount(labels, minlength=10) for _, labels in task._sets.values()]
    np.testing.assert_allclose(counts[0] / 1437, counts[1] / 360, atol=0.005)
    values = task._sets[TRAINING][0]
    assert values.min() == 0 and values.max() == 1 and values.shape[1] == 64
    assert not np.array_equal(values, Digits().task(3)._sets[TRAINING][0])


def test_xor_is_one_where_the_bits_differ():
    task = Xor(copies=2, noise=0.05).task(1)
    assert (task.epoch, task.tests) == (900, 100)
    for x, labels in task._sets.values():
        assert x.shape[1] == 8
        u, v, not_u, not_v = (x[:, k] for k in (0, 2, 4, 6))
        assert np.array_equal(x[:, 0::2], x[:, 1::2]), "every channel twice"
        np.testing.assert_allclose([u + not_u, v + not_v], 1)
        assert np.array_equal(np.round(u) != np.round(v), labels == 1)
        assert abs(labels.mean() - 0.5) < 0.15


@pytest.mark.parametrize(
    "wrong", [{"hidden": 0}, {"noise": -1}, {"copies": 0}, {"duration": "0 ms"}, {"readout": "none"}]
)
def test_a_wrong_parameter_of_a_model_is_named(wrong):
    (name,) = wrong
    with pytest.raises(UserError, match=rf"Xor\.{name}"):
        Xor(**wrong)


def test_pattern_generation_has_the_published_draws():
    weights, x, target = published_draws.regression()
    network, task = PatternGeneration().network(), PatternGeneration().task(1)
    for name, matrix in (("input_to_hidden", "in"), ("hidden_to_hidden", "rec"), ("hidden_to_output", "out")):
        values = network.projections[name].weights.values
        off_diagonal = ~np.eye(*values.shape, dtype=bool) if matrix == "rec" else np.ones(values.shape, bool)
        assert np.array_equal(values[off_diagonal], weights[matrix].T[off_diagonal])
    assert np.array_equal(network.projections["feedback_hidden"].weights.values, weights["feedback"].T)
    (segment,) = task.trial(0)
    assert np.array_equal(segment.inputs["input"], np.nonzero(x))
    np.testing.assert_allclose(segment.series["output.target"], target, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("batch", [1, 2])
def test_evidence_accumulation_has_the_published_draws_of_every_batch(batch):
    weights, batches = published_draws.classification(batch=batch)
    chosen = EvidenceAccumulation()
    network, task = chosen.network(), chosen.task(1)
    task.batch = batch
    for name, matrix in (("input_to_hidden", "in"), ("hidden_to_output", "out"), ("feedback_hidden", "feedback")):
        assert np.array_equal(network.projections[name].weights.values, weights[matrix].T)
    for first in (0, batch):
        spikes, target = next(batches)
        for k in range(batch):
            (segment,) = task.trial(first + k)
            assert np.array_equal(segment.inputs["input"], np.nonzero(spikes[k]))
            assert np.array_equal(segment.series["output.target"], target[k][0])


def test_fresh_evidence_has_more_cues_on_the_side_of_its_label():
    task, labels = EvidenceAccumulation(draws="fresh").task(1), []
    for k in range(20):
        (segment,) = task.trial(k)
        step, index = segment.inputs["input"]
        sides = []
        for c in range(CUES):
            start = c * (PAUSE + CUE) + PAUSE
            during = index[(step >= start) & (step < start + CUE)]
            sides.append(np.sum(during // 10 == 1) > np.sum(during // 10 == 0))
        label = segment.series["output.target"].argmax()
        assert label == (sum(sides) > CUES / 2)
        assert np.all(step[(index >= 20) & (index < 30)] >= segment.steps - RECALL), "recall signal at the end only"
        labels.append(label)
    assert 4 < sum(labels) < 16
