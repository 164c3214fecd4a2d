"""`snnplast plot`: all figures of a run's file, and nothing overwritten unasked."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast import plot
from snnplast.cli import plot as plotting
from snnplast.cli.command import main
from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.record.run_file import RunFile
from snnplast.record.weights import Weights
from snnplast.report.kept_figures import MOST_CELLS, confusion, weights

NAMES = ("learning", "raster", "weights", "confusion")
SETTINGS = {"config": "", "seed": 0, "versions": {}, "dt": 1e-3, "populations": {"a": 3, "b": 2}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The file of a run with something for every figure."""
    monkeypatch.chdir(tmp_path)
    with RunFile(tmp_path / "run.h5", **SETTINGS, spikes=["a"], units=2, classes=["cat", "dog"]) as file:
        file.initial({"a_to_b": np.zeros(6)})
        file.trial(0, "test", 10, iteration=4, spikes={"a": ([1, 9], [0, 2])})
        for trial, answered in enumerate([0, 1, 1]):
            file.answers(trial, "test", np.array([0]), np.array([answered]), 4)
        file.metrics("epoch", {"loss": 0.5, "accuracy": 0.25})
        pre, post = np.divmod(np.arange(6), 2)
        file.weights("a_to_b", pre, post, np.array([1.0, 2, 3, np.nan, np.inf, 3]), source="a", target="b")
        file.weights("fixed", [0], [0], [0.5], source="a", target="b")
    return tmp_path / "run.h5"


def pngs(directory):
    return {path.name for path in directory.glob("*.png")}


def test_all_figures_are_drawn_beside_the_file_or_in_a_directory(run, tmp_path, capsys):
    assert main(["plot", "run.h5"]) == 0
    assert capsys.readouterr().out.split() == [f"run.{name}.png" for name in NAMES]
    assert pngs(tmp_path) == {f"run.{name}.png" for name in NAMES}
    (tmp_path / "figures").mkdir()
    assert main(["plot", "run.h5", "--output", "figures"]) == 0
    for name in NAMES:
        content = (tmp_path / "figures" / f"run.{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG") and content == (tmp_path / f"run.{name}.png").read_bytes()


def test_the_figures_show_what_the_file_holds(run):
    axis = confusion(read_run(run)).axes[0]
    assert axis.images[0].get_array().tolist() == [[1, 2], [0, 0]]
    assert [text.get_text() for text in axis.texts] == ["1", "2"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["cat", "dog"]
    assert axis.get_title(loc="left") == "run.h5: test, iteration 4, 1 of 3 right"
    matrix, learned, _, fixed = weights(read_run(run)).axes[:4]
    shown = matrix.images[0].get_array()
    assert shown.filled(-1).tolist() == [[1, 3, -1], [2, -1, 3]], "target x source; what is not finite is left out"
    assert [text.get_text() for text in learned.get_legend().get_texts()] == ["initial", "last"]
    assert sum(patch.get_height() for patch in learned.patches[:-1]) == 6, "six of the beginning, all of them 0"
    assert [text.get_text() for text in fixed.get_legend().get_texts()] == ["not learned"]


def test_weights_are_drawn_the_same_way_whatever_they_are_of(run):
    def drawn(figure):
        matrices = [axis.images[0].get_array().filled(-1).tolist() for axis in figure.axes if axis.images]
        assert matrices
        return matrices, figure.axes[1].patches[-1].get_path().vertices.tolist()

    found = read_run(run)
    assert drawn(plot.weights(run)) == drawn(weights(found)) == drawn(plot.weights(found))
    one, loaded = plot.weights(found, "fixed"), plot.weights(found.weights, "fixed")
    assert drawn(one) == drawn(loaded) and drawn(one)[0] == [[[0.5]]]
    with pytest.raises(UserError, match="did you mean 'fixed'"):
        plot.weights(run, "fixd")


def test_a_large_matrix_shows_the_means_of_its_cells():
    n = 2 * MOST_CELLS
    pre, post = np.divmod(np.arange(4), 2)
    large = Weights(
        "it", {"p": None}, {}, lambda _: (np.r_[pre, n - 1], np.r_[post, n - 1], np.array([1.0, 2, 3, 4, 9]))
    )
    shown = weights(large).axes[0].images[0].get_array()
    assert shown.shape == (MOST_CELLS, MOST_CELLS) and shown.count() == 2
    assert (shown[0, 0], shown[-1, -1]) == (2.5, 9)


def test_a_figure_that_looks_otherwise_is_overwritten_only_if_asked(run, tmp_path, capsys):
    (tmp_path / "run.weights.png").write_bytes(b"mine")
    assert main(["plot", "run.h5"]) == 2
    assert "run.weights.png' exists and looks otherwise; --force overwrites it" in capsys.readouterr().err
    assert pngs(tmp_path) == {"run.weights.png"} and (tmp_path / "run.weights.png").read_bytes() == b"mine"
    assert main(["plot", "run.h5", "--force"]) == 0
    assert main(["plot", "run.h5"]) == 0, "as they would be drawn again, they stay"


def test_where_one_cannot_be_written_none_is(run, tmp_path, monkeypatch, capsys):
    whole = plotting.write_whole

    def full(path, content):
        if "weights" in path.name:
            raise UserError(f"cannot write '{path}': No space left on device")
        whole(path, content)

    monkeypatch.setattr(plotting, "write_whole", full)
    assert main(["plot", "run.h5"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert pngs(tmp_path) == set()


def test_a_file_without_anything_to_draw_and_a_place_that_there_is_not(run, tmp_path, capsys):
    with RunFile(tmp_path / "empty.h5", **SETTINGS) as file:
        file.trial(0, "test", 10)
    assert main(["plot", "empty.h5"]) == 2
    assert "empty.h5' holds nothing to draw: no metrics, spikes, weights or answers" in capsys.readouterr().err
    assert main(["plot", "run.h5", "--output", "nowhere"]) == 2
    assert "cannot write 'nowhere/run.learning.png': there is no directory 'nowhere'" in capsys.readouterr().err
