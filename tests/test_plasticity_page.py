"""What docs/plasticity.md shows, runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "plasticity.md"


@pytest.mark.filterwarnings("ignore:.*compiler")
def test_the_example_learns():
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    scope = {}
    exec(block, scope)
    first, last = scope["net"], scope["run"].weights["input_to_hidden"]
    assert first.projections["input_to_hidden"].bounds == (0, 1)
    assert last.min() >= 0 and last.max() <= 1 and np.unique(last).size > 100
    assert scope["run"].metrics["spikes_per_trial"][-1] > 10
