"""Every example in a docstring runs and prints what it says, and every public name has one."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject

import snnplast
from snnplast.native.compiler import compiler_available

DEVICES = import_module("brian2.devices.device")
PACKAGE = Path(snnplast.__file__).parent
FOLDERS = [PACKAGE, PACKAGE / "rules", PACKAGE / "models"]
"""In a checkout the last two are links, which are not followed from the first."""
FILES = [path for path in sorted({p for folder in FOLDERS for p in folder.rglob("*.py")}) if ">>>" in path.read_text()]
PUBLIC = sorted({*snnplast.__all__, "compile", "open"})


def test_there_are_examples():
    assert len(FILES) >= 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_examples_of_a_file_run(path, monkeypatch):
    if path.name == "brian_network.py" and not compiler_available():
        pytest.skip("its example compiles, and there is no compiler")
    monkeypatch.setattr(DEVICES, "_auto_target", NumpyCodeObject)  # Cython would compile for seconds
    name = ".".join(["snnplast", *path.relative_to(PACKAGE).with_suffix("").parts])
    found = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert found.attempted > 0 and found.failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_an_example(name):
    assert ">>>" in (getattr(snnplast, name).__doc__ or "")
