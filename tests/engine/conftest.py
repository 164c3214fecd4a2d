"""Engines under test: one suite for all implementations."""

from __future__ import annotations

import pytest
from engine_networks import needs_compiler

KINDS = [
    pytest.param(("runtime", "numpy"), id="runtime-numpy"),
    pytest.param(("runtime", "cython"), id="runtime-cython", marks=[needs_compiler, pytest.mark.slow]),
    pytest.param(("compiled", "auto"), id="compiled", marks=needs_compiler),
]


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    """Arguments of `open_engine` after the network."""
    return request.param
