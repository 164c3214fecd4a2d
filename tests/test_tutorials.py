"""Tutorials as notebooks: each runs through a real Jupyter kernel, and what it says of its results holds."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from snnplast.engine import compiler_available

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")
pytest.importorskip("jupytext", reason="jupytext is not installed")

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from generate import notebooks  # noqa: E402

PAGES = {page.stem: page for page in notebooks.pages()}

CLAIMS = {
    "first-network": """
        from pathlib import Path
        names = ("digits", "ib", "frozen", "longer")
        accuracy = {name: read_run(f"{name}.h5").metrics["test_accuracy"] for name in names}
        assert accuracy["digits"][-1] > 0.94 and accuracy["ib"][-1] > 0.9
        assert accuracy["frozen"][-1] < accuracy["digits"][-1] - 0.03
        assert len(accuracy["longer"]) == 4
        assert run.metrics["test_accuracy"][-1] > 0.95
        figures = ("digits.learning", "digits.raster", "digits.weights", "digits.confusion", "trial")
        assert all(Path(f"{name}.png").stat().st_size > 10_000 for name in figures)
        """,
    "from-brian2": """
        assert losses[-1] < 0.3 * losses[0]
        assert run.metrics["loss"][-1] < 0.05 * run.metrics["loss"][0] and spikes.num_spikes > 100
        assert abs(len(times) / 100 - 1 / (0.01 * np.log(3.0 / 2.0))) < 5
        """,
    "from-a-paper": """
        assert difference < 1e-12 < 0.1 < np.abs(after - drawn).max() and fired.sum() > 100
        assert alike(first) < 0.95 < 0.975 < alike(last) and 0.9 < np.linalg.norm(last) < 1.3
        assert "inject() gives something else the second time" in str(refused)
        assert run.metrics["test_accuracy"][-1] > 0.85
        import subprocess
        named = subprocess.run(["snnplast", "rules"], capture_output=True, text=True).stdout
        assert "Hebbian learning with a brake" in named
        """,
    "a-study": """
        from pathlib import Path
        assert intervals["random"].low > 0 and intervals["zero"].low > 0 and accuracy["hsic"].min() > 0.9
        assert len(list(Path("study.sweep").glob("*.h5"))) == 3 * 6 + 1
        assert len(Path("runs.txt").read_text().splitlines()) == 3 and Path("figure.pdf").stat().st_size > 1000
        """,
}
"""By tutorial, what holds at its end, as a cell after the last."""


def executed(name, directory):
    """The notebook of a tutorial, run with its claims in an empty directory."""
    book = notebooks.notebook(PAGES[name])
    book.cells.append(nbformat.v4.new_code_cell(re.sub(r"^ {8}", "", CLAIMS[name], flags=re.M).strip()))
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(directory)}}).execute()
    return book


def test_every_tutorial_claims_something():
    assert CLAIMS.keys() == PAGES.keys()


@pytest.mark.parametrize("name", PAGES)
def test_a_notebook_is_plain_markdown_and_code(name):
    """It is read where nothing knows the site: no roles, directives or links to its pages."""
    book = notebooks.notebook(PAGES[name])
    nbformat.validate(book)
    told = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert not re.findall(r"^:::|^```\{|\{\w+\}`|\]\((?!https?:)", told, re.M)
    assert sum(cell.cell_type == "code" for cell in book.cells) >= 5


@pytest.mark.slow
@pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
@pytest.mark.parametrize("name", PAGES)
def test_a_tutorial_does_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", notebooks.with_command(tmp_path / "bin"))
    for variable, value in notebooks.OFFLINE.items():
        monkeypatch.setenv(variable, value)
    (tmp_path / "empty").mkdir()
    book = executed(name, tmp_path / "empty")
    printed = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", ()))
    assert "\x1b" not in printed and "Traceback" not in printed and "command not found" not in printed
