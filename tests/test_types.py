"""What a type checker says of a user's script: mistakes are caught before it runs, what works is left alone."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from snnplast.network.projection import Projection, ProjectionSettings

RIGHT = """
import numpy as np
from snnplast import ALIF, LIF, Adam, LayerNorm, LeakyReadout, Network, Normal, PoissonSource, Probability
from snnplast.rules.e_prop import EProp

net = Network(dt="1 ms")
net.add("input", PoissonSource(40, peak_rate="200 Hz"))
net.add("hidden", LIF(50, tau_m="20 ms", reset="subtract-next", refractory="5 ms", representation=LayerNorm()))
net.add("more", ALIF(50, beta=np.full(50, 0.1), reset=-0.5))
net.add("output", LeakyReadout(2, tau_m=["20 ms", "30 ms"]))
net.connect("input", "hidden", weights=Normal(gain=0.5), plastic=True)
net.connect("hidden", "hidden", weights=0.2, self_connections=False, delay="2 ms", sign="excitatory")
net.connect("hidden", "more", weights=np.ones((50, 50)), connectivity=Probability(0.5), bounds=(0, None))
EProp(batch=8, optimizer=Adam(learning_rate=1e-3, schedule="linear"), regularisers=("firing-rate",))
"""

WRONG = """
from snnplast import LIF, Adam, Network, Normal, PoissonSource
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
"""


def complaints(tmp_path: Path, text: str) -> list[int]:
    """The lines that mypy complains of."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    script = tmp_path / "script.py"
    script.write_text(text)
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    return [int(line) for line in re.findall(r"^script\.py:(\d+): error", done.stdout, re.M)]


@pytest.mark.slow
def test_a_script_that_runs_is_right(tmp_path):
    exec(RIGHT, {})
    assert complaints(tmp_path, RIGHT) == []


@pytest.mark.slow
def test_every_mistake_is_caught(tmp_path):
    assert complaints(tmp_path, WRONG) == list(range(6, 14))


def test_connect_takes_the_fields_of_a_projection():
    assert set(ProjectionSettings.__annotations__) == set(Projection.model_fields) - {"name", "source", "target"}
