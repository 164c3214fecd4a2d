"""Small experiments on the conformance kit's network, shared by the tests of rules and third factors."""

from __future__ import annotations

import numpy as np

from snnplast.engine import NUMPY
from snnplast.simulation.simulation import Simulation
from snnplast.testing import small_network, small_task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

RESERVOIR = {"teacher": {"name": "hsic", "window": 3}, "units": 18, "streams": 6, "stream_length": 30, "leak": 0.4}
"""Settings of a reservoir that is fitted in no time."""
AVERAGES = {
    **RESERVOIR,
    "teacher": {"name": "class-memory", "remembers": {"name": "averages", "memory": 0.6}},
}
"""The same of one whose pools hold class averages."""


def trainer(rule, network=None, iterations=6, seed=1, task=None, engine=NUMPY, workers=1) -> Trainer:
    task = task or small_task(seed)
    simulation = open_simulation(network or small_network(), task.objective, rule, seed, engine)
    return Trainer(simulation, task, iterations, workers)


def matrices(simulation: Simulation) -> dict[str, np.ndarray]:
    """Weights (n_pre, n_post) by projection, 0 where there is no synapse."""
    return {name: wiring.matrix(simulation.values[name]).copy() for name, wiring in simulation.plan.wiring.items()}
