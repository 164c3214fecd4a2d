"""Engines under test: one suite for all implementations."""

from __future__ import annotations

import pytest

from snnplast.engine import compiler_available

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")

KINDS = [
    pytest.param(("runtime", "numpy"), id="runtime-numpy"),
    pytest.param(("runtime", "cython"), id="runtime-cython", marks=[needs_compiler, pytest.mark.slow]),
    pytest.param(("compiled", "auto"), id="compiled", marks=needs_compiler),
]


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than five seconds")


@pytest.fixture(scope="session", autouse=True)
def cache_between_runs(pytestconfig, tmp_path_factory):
    """Libraries compiled for the tests are kept with pytest's own cache, not with the user's."""
    kept = getattr(pytestconfig, "cache", None)
    directory = kept.mkdir("snnplast-engine") if kept else tmp_path_factory.mktemp("snnplast-engine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNPLAST_CACHE_DIR", str(directory))
        yield


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    """Arguments of `open_engine` after the network."""
    return request.param
