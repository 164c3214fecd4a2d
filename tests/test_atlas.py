"""An atlas holds every pair of rule and third factor: what it has come to, or the sentence that refuses it."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from matplotlib.image import imread

import snnplast as snn
from snnplast.cli.command import main
from snnplast.errors import UserError
from snnplast.training.atlas import atlas, pairs

BATCHES = ["--set", "rules.bptt.batch=2", "--set", "rules.frozen.batch=2"]


def test_all_rules_are_there_with_all_third_factors_that_may_be_heard():
    from snnplast import registry

    found = pairs()
    assert {rule for rule, _ in found} == set(registry.names("rule"))
    assert [factor for rule, factor in found if rule == "e-prop"] == registry.names("third-factor")
    assert [factor for rule, factor in found if rule == "bptt"] == [""]


def test_an_entry_is_what_a_run_of_its_pair_ends_with(tiny):
    (entry,) = atlas("experiment.toml", rounds=2, chosen=["frozen"])
    run = snn.train(snn.Experiment.of("experiment.toml", "rule=frozen", "train.epochs=2", "record.path="))
    for name in ("loss", "accuracy", "spikes_per_trial", "test_accuracy", "test_loss"):
        assert entry.metrics[name] == pytest.approx(run.metrics[name][-1], rel=1e-12)
    assert np.isnan(entry.metrics["cosine_to_bptt"]) and entry.metrics["cpu_ms_per_trial"] > 0
    assert (entry.refused, entry.alone, entry.network) == ("", "", "")


def test_the_cosine_is_that_on_the_spikes_of_a_network_whose_readouts_have_learned(tiny):
    sets = ["third_factors.readout-error.feedback=symmetric"]
    found = {e.factor: e for e in atlas("experiment.toml", sets, trials=3, chosen=["e-prop"])}
    experiment = snn.Experiment.of("experiment.toml", *sets, "record.path=", "train.epochs=1", "train.compare=bptt")
    learned = snn.train(snn.Experiment.of("experiment.toml", "rule=frozen", "train.epochs=1", "record.path=")).weights
    with snn.open(experiment) as sim:
        for name in learned:
            sim.weights[name][:] = learned[name]
        expected = sim.compare(trials=3)
    cosine = found["readout-error"].metrics["cosine_to_bptt"]
    assert cosine == pytest.approx(expected, abs=1e-12) and 0.5 < cosine < 1
    assert np.isnan(found["zero"].metrics["cosine_to_bptt"])
    assert "has no rate representation" in found["hsic"].refused


def test_the_command_prints_a_table_and_refusals_and_leaves_figure_and_rows(tiny, capsys):
    options = ["--rule", "bptt", "--rule", "frozen", "--rule", "stdp", "--figure", "atlas.png", "--csv", "atlas.csv"]
    assert main(["atlas", "experiment.toml", *BATCHES, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["rule", "bptt", "frozen"]
    assert "test accuracy" in lines[0] and "cosine to BPTT" in lines[0]
    assert lines[4] == "refused:" and lines[5].startswith("  stdp: rule 'stdp': network.input_to_hidden.bounds")
    rows = list(csv.DictReader((tiny.path / "atlas.csv").open()))
    assert [(row["rule"], row["cosine_to_bptt"]) for row in rows] == [("bptt", "1.0"), ("frozen", "nan")]
    assert imread(tiny.path / "atlas.png").std() > 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--rounds", "0"], "--rounds 0: at least 1 is needed"),
        (["--trials", "-1"], "--trials -1: at least 1 is needed"),
        (["--rule", "e-porp"], "--rule e-porp: unknown rule 'e-porp': did you mean 'e-prop'"),
        (["--figure", "atlas.doc"], "--figure: 'atlas.doc' names no format of figures"),
    ],
)
def test_what_makes_no_atlas_is_said_before_anything_runs(tiny, options, sentence, capsys):
    assert main(["atlas", "experiment.toml", *options]) == 2
    assert sentence in capsys.readouterr().err


def test_a_comparison_learns_nothing_and_needs_a_control(tiny):
    experiment = snn.Experiment.of("experiment.toml", "record.path=", "train.compare=bptt")
    with snn.open(experiment) as sim:
        before = sim.snapshot()
        assert sim.compare(2) == sim.compare(2)
        assert all(np.array_equal(sim.weights[name], before[name]) for name in before)
    with snn.open(experiment.changed(compare=None)) as sim, pytest.raises(UserError, match="has no control"):
        sim.compare()
