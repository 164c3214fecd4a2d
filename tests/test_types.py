"""What a type checker says of a user's script, however the library was installed: mistakes are caught, no more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from snnplast.network.projection import Projection, ProjectionSettings

RIGHT = """
import numpy as np
from snnplast import ALIF, LIF, Adam, AdEx, CustomNeurons, LayerNorm, LeakyReadout, Network, Normal
from snnplast import PoissonSource, Probability
from snnplast.rules.e_prop import EProp

net = Network(dt="1 ms")
net.add("input", PoissonSource(40, peak_rate="200 Hz"))
net.add("hidden", LIF(50, tau_m="20 ms", reset="subtract-next", refractory="5 ms", representation=LayerNorm()))
net.add("more", ALIF(50, beta=np.full(50, 0.1), reset=-0.5))
leak = "dv/dt = -v/(20*ms) : volt"
net.add("own", CustomNeurons(5, equations=leak, threshold="v > 9*mV", reset="v = 0*mV", threshold_scale="9 mV"))
net.add("adex", AdEx(5, b="60 pA", synapses="conductance"))
net.add("output", LeakyReadout(2, tau_m=["20 ms", "30 ms"]))
net.connect("input", "hidden", weights=Normal(gain=0.5), plastic=True)
net.connect("hidden", "hidden", weights=0.2, self_connections=False, delay="2 ms", sign="excitatory")
net.connect("hidden", "more", weights=np.ones((50, 50)), connectivity=Probability(0.5), bounds=(0, None))
EProp(batch=8, optimizer=Adam(learning_rate=1e-3, schedule="linear"), regularisers=("firing-rate",))
"""

WRONG = """
from snnplast import LIF, Adam, CustomNeurons, Network, Normal, PoissonSource
from snnplast.rules.e_prop import EProp

net = Network()
net.add("input", PoissonSource(40, peek_rate="200 Hz"))
net.add("hidden", LIF(50, tau_mm="20 ms"))
net.connect("input", "hidden", plastik=True)
net.connect("input", "hidden", kind="spikes")
Adam(learning_rate="fast")
EProp(batch="eight")
Normal(gain="big")
LIF("fifty")
CustomNeurons(5, equations="v : 1", treshold="v > 1")
"""


@pytest.fixture(scope="module", params=["wheel", "editable"])
def python(request, archives, tmp_path_factory):
    """A Python that has the library as users install it, beside what it needs, and no other copy of it."""
    folder = tmp_path_factory.mktemp(request.param)
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")  # its own .pth files are not followed
    python = folder / "bin" / "python"
    what = ["--editable", archives / "checkout"] if request.param == "editable" else [*archives.glob("*.whl")]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", *what], check=True, cwd=folder, env=bare())
    return python


def bare() -> dict[str, str]:
    """The environment without a path that would find the checkout the tests are in."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}


def complaints(python: Path, folder: Path, text: str) -> list[int]:
    """The lines that mypy complains of."""
    script = folder / "script.py"
    script.write_text(text)
    command = [sys.executable, "-m", "mypy", "--python-executable", python, "--cache-dir", folder / "cache", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=bare())
    return [int(line) for line in re.findall(r"^script\.py:(\d+): error", done.stdout, re.M)]


@pytest.mark.slow
def test_a_script_that_runs_is_right_and_each_mistake_in_another_is_caught(python, tmp_path):
    pytest.importorskip("mypy")
    assert complaints(python, tmp_path, RIGHT) == []
    assert complaints(python, tmp_path, WRONG) == list(range(6, 15))


@pytest.mark.slow
def test_what_is_installed_runs_the_script_and_trains_a_model(python, tmp_path):
    subprocess.run([python, "-c", RIGHT], check=True, cwd=tmp_path, env=bare())
    quick = ["--set", "train.epochs=1", "--set", "record.path=run.h5", "--quiet"]
    subprocess.run([python, "-m", "snnplast", "run", "xor", *quick], check=True, cwd=tmp_path, env=bare())
    assert (tmp_path / "run.h5").exists()


def test_connect_takes_the_fields_of_a_projection():
    assert set(ProjectionSettings.__annotations__) == set(Projection.model_fields) - {"name", "source", "target"}
