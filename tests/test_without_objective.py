"""A rule that changes weights within the trial, on samples of which nothing is wanted, under every command."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.cli.command import main
from snnplast.record import read_run

MODEL = """
import numpy as np
import snnplast as snn

net = snn.Network()
net.add("input", snn.PoissonSource(12, peak_rate="200 Hz"))
net.add("hidden", snn.LIF(5, tau_m="20 ms"))
net.connect("input", "hidden", weights=snn.Uniform(low=0, high=0.2), bounds=(0, 1), plastic=True)
x = np.random.default_rng(0).random((10, 12))
task = snn.Samples(x[:6], x[6:], steps=40)
"""
CONFIG = """
rule = "stdp"
engine = { name = "runtime", target = "numpy" }
model.file = "samples.py"
rules.stdp.a_plus = 0.05
train = { epochs = 2, seed = 1 }
record = { path = "run.h5", spikes = ["hidden"], variables = ["input_to_hidden.w"] }
"""


@pytest.fixture
def samples(folder):
    folder.write("samples.py", MODEL)
    folder.write("experiment.toml", CONFIG)
    return folder


def test_it_runs_goes_on_and_is_looked_at(samples, capsys):
    assert main(["run", "experiment.toml", "--quiet"]) == 0
    assert main(["resume", "run.h5", "--set", "train.epochs=3", "--quiet"]) == 0
    assert main(["run", "experiment.toml", "--set", "train.epochs=3", "--set", "record.path=whole.h5", "--quiet"]) == 0
    resumed, whole = read_run("run.h5"), read_run("whole.h5")
    for name in whole.weights:
        assert np.array_equal(resumed.weights[name], whole.weights[name])
    assert not np.array_equal(whole.values("input_to_hidden", "initial"), whole.values("input_to_hidden"))
    for words in (["evaluate", "run.h5"], ["plot", "run.h5", "--force"], ["compare", "run.h5", "whole.h5"]):
        assert main(words) == 0
    assert "stdp" in capsys.readouterr().out
    assert {"run.weights.png", "run.raster.png"} <= samples.files()


def test_a_trial_of_it_is_drawn(samples, capsys):
    assert main(["trial", "experiment.toml"]) == 0
    shown = capsys.readouterr().out
    assert "stdp, within-trial" in shown and "outcome" not in shown
    assert len(list(samples.path.glob("*.trial.png"))) == 1


@pytest.mark.slow
def test_a_sweep_compares_what_there_is(samples, capsys):
    words = ["sweep", "experiment.toml", "--over", "rules.stdp.a_plus=0.01,0.05", "--seeds", "0"]
    assert main(words) == 0
    assert "spikes per trial" in capsys.readouterr().out


def test_what_it_learned_is_kept_and_taken_up_again(samples):
    assert main(["run", "experiment.toml", "--quiet"]) == 0
    experiment = snn.Experiment.of("experiment.toml")
    with snn.open(experiment, weights="run.h5") as sim:
        before = sim.snapshot()
        path = snn.save_weights("kept.npz", sim)
        sim.activity("hidden")
        sim.evaluate()
        assert all(np.array_equal(sim.weights[name], before[name]) for name in before)
    with snn.open(experiment, weights=path) as sim:
        assert np.array_equal(sim.weights["input_to_hidden"], before["input_to_hidden"])
        with pytest.raises(snn.UserError, match="predict: this task wants nothing of a readout"):
            sim.predict(np.zeros((1, 12)))
