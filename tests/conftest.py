"""What tests share: a model small enough to train in a blink, and a compile cache of their own."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import brian2
import pytest

TINY = '''
from typing import Annotated

import numpy as np
from pydantic import Field

from snnplast import LIF, Classification, LeakyReadout, Model, Network, Normal, PoissonSource
from snnplast.units import PositiveTime


class Tiny(Model):
    """Six samples of two classes, four test samples, ten steps each.

    hidden: neurons. tau: membrane time constant.
    """

    hidden: Annotated[int, Field(ge=1, description="hidden neurons")] = 3
    tau: Annotated[PositiveTime, Field(description="membrane time constant")] = "20 ms"

    def network(self):
        net = Network()
        net.add("input", PoissonSource(4, peak_rate="500 Hz"))
        net.add("hidden", LIF(self.hidden, tau_m=f"{self.tau!r} second", v_threshold=0.5, bias=0.05))
        net.add("output", LeakyReadout(2))
        net.connect("input", "hidden", weights=Normal(gain=1.0), plastic=True)
        net.connect("hidden", "output", plastic=True)
        return net

    def task(self, seed):
        labels = np.array([0, 1, 0, 1, 0, 1])
        x = np.eye(4)[labels] * 0.5 + 0.5
        return Classification(x, labels, x[:4], labels[:4], steps=10, seed=seed)
'''

EXPERIMENT = """
rule = "e-prop"
engine = { name = "runtime", target = "numpy" }

[model]
file = "tiny.py"

[rules.e-prop]
batch = 2
optimizer = { name = "sgd", learning_rate = 1e-3 }

[train]
epochs = 2
seed = 3

[record]
path = "tiny.h5"
spikes = ["hidden"]
"""


@pytest.fixture(scope="session", autouse=True)
def cache_between_runs(pytestconfig, tmp_path_factory):
    """Libraries compiled for the tests are kept with pytest's own cache, not with the user's."""
    kept = getattr(pytestconfig, "cache", None)
    directory = kept.mkdir("snnplast-engine") if kept else tmp_path_factory.mktemp("snnplast-engine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNPLAST_CACHE_DIR", str(directory))
        yield


@pytest.fixture(scope="session", autouse=True)
def brian2_does_not_wonder_at_networks_that_are_refused():
    """Its warning about objects that end up in no network, which would come after the summary of pytest."""
    brian2.BrianLogger.suppress_name("unused_brian_object")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard():
    """Also where the tests run in the background of a shell, which lets its children ignore Ctrl-C."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


class Folder:
    """A directory with the user's files, which is also the working directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        """A file with this text."""
        (self.path / name).write_text(textwrap.dedent(text))
        return self.path / name

    def files(self) -> set[str]:
        """Names of all files there are."""
        return {path.name for path in self.path.iterdir() if path.name != "__pycache__"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)


@pytest.fixture
def tiny(folder):
    """The folder with `tiny.py`, a model file, and `experiment.toml`, an experiment on it."""
    folder.write("tiny.py", TINY)
    folder.write("experiment.toml", EXPERIMENT)
    return folder
