"""Figures and table of a run. What they look like is for the eye; here: what they show, and when they are drawn."""

import io
import os

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from snnplast.record.reading import read_run
from snnplast.record.run_file import RunFile
from snnplast.report.run_figures import learning_curves, raster, summary, write_figures

SPIKES = {"input": (np.array([0, 4, 9]), np.array([3, 1, 0])), "hidden": (np.array([2]), np.array([1]))}


def run_of(path, metrics=(), trials=2, spikes=True):
    recorded = ["input", "hidden"] if spikes else []
    sizes = {"input": 4, "hidden": 2}
    with RunFile(path, config="", seed=7, versions={}, dt=2e-3, populations=sizes, spikes=recorded) as run:
        for k in range(trials):
            run.trial(k, "test", 10, iteration=5, spikes=SPIKES if spikes else {})
        for per, values in metrics:
            run.metrics(per, values)
    return read_run(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "digits.h5"


def lines_of(axis):
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def test_both_figures_are_written_beside_the_file(path, tmp_path):
    run_of(path, [("epoch", {"loss": 1.0, "accuracy": 0.5})] * 3)
    written = write_figures(path)
    assert [figure.name for figure in written] == ["digits.learning.png", "digits.raster.png"]
    assert sorted(os.listdir(tmp_path)) == ["digits.h5", "digits.learning.png", "digits.raster.png"]
    assert all(imread(figure).std() > 0.05 for figure in written)


def test_drawing_needs_no_display_and_leaves_matplotlib_alone(path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    backend, known = matplotlib.rcParams._get("backend"), set(os.sys.modules)
    run_of(path, [("epoch", {"loss": 1.0})])
    write_figures(path)
    assert matplotlib.rcParams._get("backend") is backend
    assert "matplotlib.pyplot" not in set(os.sys.modules) - known


def test_loss_and_accuracies_have_their_panels_with_labelled_axes(path):
    metrics = [("epoch", {"loss": 1 / k, "accuracy": k / 9, "test_accuracy": k / 10, "spikes": 5.0}) for k in (1, 2, 3)]
    loss, accuracy = learning_curves(run_of(path, metrics)).axes
    assert (loss.get_ylabel(), accuracy.get_ylabel(), accuracy.get_xlabel()) == ("loss", "accuracy", "epoch")
    assert set(lines_of(loss)) == {"loss"}
    assert set(lines_of(accuracy)) == {"accuracy", "test accuracy"}
    assert np.allclose(lines_of(loss)["loss"].get_xydata(), [[1, 1], [2, 1 / 2], [3, 1 / 3]])


def test_epochs_lie_at_their_last_iteration(path):
    metrics = [("iteration", {"accuracy": 0.1})] * 12 + [("epoch", {"test_accuracy": 0.2})] * 3
    (axis,) = learning_curves(run_of(path, metrics)).axes
    assert axis.get_xlabel() == "iteration"
    assert lines_of(axis)["test accuracy"].get_xdata().tolist() == [4, 8, 12]


def test_rows_without_a_value_are_left_out(path):
    metrics = [("epoch", {"loss": 3.0}), ("epoch", {"loss": np.nan}), ("epoch", {"loss": 1.0})]
    (axis,) = learning_curves(run_of(path, metrics)).axes
    assert lines_of(axis)["loss"].get_xydata().tolist() == [[1, 3], [3, 1]]


def test_a_long_curve_is_drawn_with_its_centred_mean(path):
    values = np.linspace(2, 1, 500)
    (axis,) = learning_curves(run_of(path, [("iteration", {"loss": value}) for value in values])).axes
    mean = lines_of(axis)["loss (mean of 10)"]
    assert len(mean.get_xdata()) == 491
    assert np.allclose(mean.get_ydata(), np.interp(mean.get_xdata() - 0.5, np.arange(1, 501), values))


def test_a_loss_over_decades_has_a_logarithmic_axis(path):
    (axis,) = learning_curves(run_of(path, [("epoch", {"loss": 10.0**-k}) for k in range(3)])).axes
    assert axis.get_yscale() == "log"


def test_the_raster_shows_the_last_trial_in_ms_with_populations_stacked(path):
    run = run_of(path, trials=3)
    top, bottom = raster(run).axes
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("input\nneuron", "hidden\nneuron")
    assert bottom.get_xlabel() == "time (ms)"
    assert top.lines[0].get_xydata().tolist() == [[0, 3], [8, 1], [18, 0]]
    assert bottom.get_xlim() == (0, 20)
    assert top.get_title(loc="left") == "digits.h5: trial 2 (test, iteration 5)"


def test_several_trials_follow_each_other(path):
    top, bottom = raster(run_of(path, trials=3), trials=2).axes
    spikes = [line for line in bottom.lines if line.get_marker() == "|"]
    assert [line.get_xdata().tolist() for line in spikes] == [[4], [24]]
    assert bottom.get_xlim() == (0, 40)
    assert top.get_title(loc="left").startswith("digits.h5: the last 2 trials, up to trial 2")


def test_what_was_not_recorded_is_not_drawn(path, tmp_path):
    run = run_of(path, [("epoch", {"spikes_per_trial": 5.0})], spikes=False)
    assert learning_curves(run) is None and raster(run) is None
    assert write_figures(path) == []
    assert os.listdir(tmp_path) == ["digits.h5"]


def test_the_table_has_first_best_and_last_of_each_metric(path):
    metrics = [("epoch", {"loss": loss, "accuracy": 1 - loss, "spikes": 9.0}) for loss in (0.5, 0.125, 0.25)]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary(run_of(path, metrics)))
    rows = [line.replace("│", " ").split() for line in console.export_text().splitlines()]
    assert ["loss", "3", "per", "epoch", "0.5", "0.125", "0.25"] in rows
    assert ["accuracy", "3", "per", "epoch", "0.5", "0.875", "0.75"] in rows
    assert ["spikes", "3", "per", "epoch", "9", "9"] in rows
