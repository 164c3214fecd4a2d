"""Engines under test: one suite for all implementations."""

from __future__ import annotations

import pytest
from engine_networks import needs_compiler

from snnplast.engine import COMPILED, NUMPY, EngineChoice

KINDS = [
    pytest.param(NUMPY, id="runtime-numpy"),
    pytest.param(
        EngineChoice(name="runtime", target="cython"), id="runtime-cython", marks=[needs_compiler, pytest.mark.slow]
    ),
    pytest.param(COMPILED, id="compiled", marks=needs_compiler),
    pytest.param(EngineChoice(precision="single"), id="compiled-single", marks=[needs_compiler, pytest.mark.slow]),
]


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    """Which engine."""
    return request.param
