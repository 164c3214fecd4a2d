"""Scripts of Brian2's users become trainable: those of examples/ run, and learn."""

from __future__ import annotations

import runpy
from pathlib import Path

import brian2
import numpy as np
import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_script_learns_with_six_lines(path, capsys):
    assert path.read_text().count("#+\n") == 6
    try:
        found = runpy.run_path(str(path))
    finally:
        brian2.prefs.codegen.target = "auto"
        brian2.start_scope()
    learner = found["learner"]
    (gradient,) = learner.gradient.values()
    assert np.all(np.isfinite(gradient)) and np.any(gradient)
    rates = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert abs(np.mean(rates[-5:]) - 30) < abs(np.mean(rates[:5]) - 30)
