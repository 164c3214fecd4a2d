"""What tests share: a model small enough to train in a blink, and a compile cache of their own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import brian2
import pytest
from tiny import EXPERIMENT, TINY


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
def signals_are_heard():
    """Also where the tests run in the background of a shell or under nohup, which let their children ignore them."""
    heard = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    usual = {number: signal.signal(number, handler) for number, handler in heard.items()}
    yield
    for number, handler in usual.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    """Wheel and source archive by this Python's setuptools, and the `checkout` they are of: what git would hand out."""
    setuptools = pytest.importorskip("setuptools")
    if tuple(map(int, setuptools.__version__.split(".")[:2])) < (70, 1):
        pytest.skip(f"setuptools {setuptools.__version__} builds no wheels; 70.1 is needed")
    where = tmp_path_factory.mktemp("house")
    copy = where / "checkout"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "*.h5")
    shutil.copytree(Path(__file__).parents[1], copy, symlinks=True, ignore=unwanted)
    code = f"from setuptools import build_meta as b; b.build_wheel({str(where)!r}); b.build_sdist({str(where)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    return where


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


@pytest.fixture
def numpy_code():
    """Brian2 runs numpy code, which is not compiled."""
    before = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    yield
    brian2.prefs.codegen.target = before
