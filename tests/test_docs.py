"""The pages of docs/ that teach by code: it runs, and leaves what they say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from snnplast.engine import compiler_available

DOCS = Path(__file__).parents[1] / "docs"
compiling = pytest.mark.skipif(not compiler_available(), reason="needs a C++ compiler")


def executed(page):
    """What the code of a page leaves, block after block."""
    scope = {}
    for block in re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S):
        exec(block, scope)
    return scope


@compiling
def test_a_closed_loop_is_trained():
    assert len(executed("closed-loop.md")["run"].metrics["test_return"]) == 2


@compiling
def test_a_network_learns_within_its_trials():
    scope = executed("plasticity.md")
    bounds, run = scope["net"].projections["input_to_hidden"].bounds, scope["run"]
    weights = run.weights["input_to_hidden"]
    assert bounds == (0, 1) and weights.min() >= 0 and weights.max() <= 1 and np.unique(weights).size > 100
    assert run.metrics["spikes_per_trial"][-1] > 10
