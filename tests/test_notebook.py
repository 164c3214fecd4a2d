"""The library in a notebook: a program of one screen, run cell by cell through a real Jupyter kernel."""

from __future__ import annotations

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

PROGRAM = """
import numpy as np
import snnplast as snn

net = snn.Network()
net.add("input", snn.PoissonSource(4, peak_rate="500 Hz"))
net.add("hidden", snn.LIF(8, tau_m="20 ms", v_threshold=0.5))
net.add("output", snn.LeakyReadout(2))
net.connect("input", "hidden", weights=snn.Normal(gain=1.0), plastic=True)
net.connect("hidden", "output", plastic=True)
net
##
which = np.arange(24) % 2
x, labels = 0.1 + 0.9 * np.eye(4)[which], np.array(["left", "right"])[which]
task = snn.Classification(x, labels, x[:8], labels[:8], steps=20, classes=("left", "right"))
exp = snn.Experiment(net, task, snn.EProp(batch=4), epochs=30, seed=1, engine="runtime")
run = snn.train(exp, callbacks=[snn.EarlyStopping("test_accuracy", patience=3)])
run
##
assert snn.evaluate(exp, weights=run)["accuracy"] == run.metrics["test_accuracy"].max()
answers = snn.predict(exp, x[:2] * 0.95, weights=run, labels=True)
snn.save_weights("learned.npz", run)
with snn.open(exp, weights=snn.load_weights("learned.npz")) as sim:
    figure = snn.plot.raster(sim.test(0))
figure
##
run.plot()
"""


def test_a_notebook_trains_evaluates_predicts_draws_saves_and_loads(tmp_path):
    cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in PROGRAM.split("##\n")]
    assert sum(len(cell.source.splitlines()) for cell in cells) <= 30
    book = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.get("data", {}) for cell in book.cells for output in cell.outputs]
    assert sum("image/png" in data for data in shown) == 2, "the raster and the curves"
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert len(tables) == 2 and all(len(table) < 4000 for table in tables), "the network and the run"
    printed = "".join(output.get("text", "") for cell in book.cells for output in cell.outputs)
    assert "experiment [" in printed and "test acc" in printed, "a bar of text"
    assert (tmp_path / "learned.npz").is_file()
