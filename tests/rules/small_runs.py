"""Small experiments on the conformance kit's network, shared by the tests of rules and third factors."""

from __future__ import annotations

import numpy as np

from snnplast.assemble import assemble
from snnplast.assembly import Assembly
from snnplast.testing import small_network, small_task
from snnplast.train import Trainer

RESERVOIR = {"window": 3, "units": 18, "streams": 6, "stream_length": 30, "leak": 0.4}
"""Settings of a reservoir that is fitted in no time."""


def trainer(rule, network=None, iterations=6, seed=1, task=None, engine="runtime") -> Trainer:
    task, target = task or small_task(seed), "numpy" if engine == "runtime" else "auto"
    assembly = assemble(network or small_network(), task.objective, rule, seed, engine, target)
    return Trainer(assembly, task, iterations)


def matrices(assembly: Assembly) -> dict[str, np.ndarray]:
    """Weights (n_pre, n_post) by projection, 0 where there is no synapse."""
    return {name: wiring.matrix(assembly.values[name]).copy() for name, wiring in assembly.plan.wiring.items()}
