"""Diehl & Cook: network, rule and thresholds against a transcription; what stands still in tests; names by votes."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import NUMPY
from snnplast.models.diehl_cook import DiehlCook
from snnplast.record import read_run
from snnplast.rules.votes import Votes
from tests import data_files
from tests.reference.diehl_cook import DiehlCookOracle


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng, folder = np.random.default_rng(5), tmp_path_factory.mktemp("images")
    patterns = rng.integers(0, 256, (3, 6, 6))
    for name, count in (("train", 30), ("t10k", 6)):
        labels = np.arange(count) % 3
        data_files.write_idx(folder / f"{name}-images-idx3-ubyte", patterns[labels].astype(np.uint8))
        data_files.write_idx(folder / f"{name}-labels-idx1-ubyte", labels.astype(np.uint8))
    return DiehlCook(path=folder, neurons=8, peak_rate="60 Hz", theta_plus="1 mV", duration="200 ms", rest="30 ms")


def experiment(model, engine=NUMPY, epochs=1, **settings):
    rule = snn.DiehlCookSTDP(total=12.0, nu_pre=0.01, nu_post=0.2)
    return snn.Experiment(
        model.network(), model.task(1), rule, others=[Votes()], epochs=epochs, seed=1, engine=engine, **settings
    )


@pytest.mark.parametrize("engine", [NUMPY, pytest.param("compiled", marks=pytest.mark.slow)])
def test_spikes_weights_and_thresholds_are_those_of_the_transcription(model, engine):
    with snn.open(experiment(model, engine)) as sim:
        wiring = sim._simulation.plan.wiring["input_to_excitatory"]
        first = sim.weights["input_to_excitatory"].reshape(wiring.shape).copy()
        oracle = DiehlCookOracle(
            first, wiring.delays.reshape(wiring.shape), theta_plus=1e-3, nu_pre=0.01, nu_post=0.2, total=12.0
        )
        fired = 0
        for _ in range(8):
            (record,) = sim.update().trials
            wanted = oracle.trial(record.spikes["input"], record.steps)
            fired += wanted.shape[1]
            assert np.array_equal(np.array(record.spikes["excitatory"]), wanted)
            np.testing.assert_allclose(sim.weights["input_to_excitatory"], oracle.weights.ravel(), rtol=0, atol=1e-12)
            np.testing.assert_allclose(sim.weights["excitatory.theta"], oracle.theta, rtol=0, atol=1e-14)
        assert fired > 50
        record = sim.test(0)
        wanted = oracle.trial(record.spikes["input"], record.steps, learning=False)
        assert np.array_equal(np.array(record.spikes["excitatory"]), wanted) and wanted.size
        np.testing.assert_allclose(sim.weights["excitatory.theta"], oracle.theta, rtol=0, atol=1e-14)


def test_a_dark_sample_is_shown_again_brighter(model):
    dark = model.model_copy(update={"peak_rate": 1.0, "least": 3})
    with snn.open(experiment(dark)) as sim:
        (record,) = sim.update().trials
        assert record.steps == 460 * 7
    with snn.open(experiment(model)) as sim:
        assert sim.update().trials[0].steps == 460


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled"])
def test_a_resumed_run_is_the_one_that_was_never_interrupted(model, tmp_path, engine):
    whole = snn.train(experiment(model, engine, epochs=2, record=tmp_path / "whole.h5"), progress=False)
    snn.train(experiment(model, engine, record=tmp_path / "part.h5"), progress=False)
    longer = experiment(model, engine, epochs=2, record=tmp_path / "part.h5")
    resumed = snn.resume(tmp_path / "part.h5", longer, progress=False)
    for name in ("input_to_excitatory", "excitatory.theta", "excitatory_to_label", "excitatory_to_label_answers"):
        assert np.array_equal(resumed.weights[name], whole.weights[name]) and whole.weights[name].any()
    kept = snn.evaluate(experiment(model, engine), weights=read_run(tmp_path / "whole.h5"))
    assert kept["accuracy"] == whole.metrics["test_accuracy"][-1]


def test_votes_name_neurons_by_what_they_answer_most():
    rng = np.random.default_rng(0)

    class Counts(snn.Task):
        objective, epoch = snn.CrossEntropy(readout="label"), 60

        def trial(self, index):
            label = index % 3
            fires = np.repeat(np.flatnonzero(np.arange(9) % 3 == label), 4)
            noise = rng.integers(0, 9, 6)
            indices = np.concatenate([fires, noise])
            steps = rng.integers(0, 100, indices.size)
            spikes = sorted(set(zip(steps.tolist(), indices.tolist(), strict=True)))
            target = np.eye(3)[label]
            yield snn.Segment(100, {"input": tuple(np.array(spikes).T)}, {"label.target": target})

    net = snn.Network()
    net.add("input", snn.SpikeSource(9))
    neurons = {"equations": "v : 1\ncount : 1", "threshold": "v > 0.5", "threshold_scale": 1.0}
    net.add("hidden", snn.CustomNeurons(9, reset="v = 0; count += 1", **neurons))
    net.connect("input", "hidden", connectivity=snn.OneToOne(), weights=1.0)
    net.add("label", snn.RateReadout(3, biased=False))
    net.connect(
        "hidden", "label", kind="analog", variable="count", every="trial", weights=0.0, plastic=True
    )  # fmt: skip
    run = snn.train(snn.Experiment(net, Counts(), snn.Votes(), epochs=1, engine=NUMPY), progress=False)
    assert np.array_equal(run.weights["hidden_to_label"].reshape(9, 3), np.eye(3)[np.arange(9) % 3] / 3)


def test_weights_keep_their_sum_before_each_digit(model):
    with snn.open(experiment(model)) as sim:
        for _ in range(3):
            sim.update()
        before = sim.weights["input_to_excitatory"].reshape(36, 8).sum(axis=0)
        sim.test(0)
        assert np.array_equal(sim.weights["input_to_excitatory"].reshape(36, 8).sum(axis=0), before)
        assert np.ptp(before) > 1e-6


def test_votes_are_refused_where_a_readout_acts_step_by_step():
    experiment = snn.Experiment.of("xor", "rule=votes", "model.readout=leaky", "engine=runtime", "record.path=")
    with pytest.raises(snn.UserError, match=r"rule 'votes': network\.hidden_to_output acts step by step"):
        snn.open(experiment)
