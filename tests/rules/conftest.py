"""What the tests of rules and third factors share."""

from __future__ import annotations

import pytest


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Nothing that a test fits is kept."""
    monkeypatch.setenv("SNNPLAST_CACHE_DIR", str(tmp_path))
