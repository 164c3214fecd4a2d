"""A readout of features that the task hands over, nothing else: where rules of readouts are compared with numpy."""

from __future__ import annotations

import numpy as np

from snnplast.engine import NUMPY
from snnplast.network.network import Network
from snnplast.network.own_equations import Analog
from snnplast.network.readouts import RateReadout
from snnplast.task.objective import MeanSquaredError
from snnplast.task.task import Task
from snnplast.task.trial import Segment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

FEATURES, OUTPUTS, SAMPLES = 5, 3, 8


class Regression(Task):
    """Targets that are linear in the features."""

    def __init__(self, seed=3):
        rng = np.random.default_rng(seed)
        self.seed, self.epoch, self.tests = seed, SAMPLES, SAMPLES
        self.objective = MeanSquaredError()
        self.u = rng.standard_normal((SAMPLES, FEATURES))
        self.targets = self.u @ rng.standard_normal((FEATURES, OUTPUTS))

    def trial(self, index):
        return self.test(index % SAMPLES)

    def test(self, index):
        yield Segment(2, series={"features.u": self.u[index], "output.target": self.targets[index]})


def regression(rule, iterations, biased=False) -> Trainer:
    net = Network()
    net.add("features", Analog(FEATURES, equations="u : 1", into="u"))
    net.add("output", RateReadout(OUTPUTS, biased=biased))
    settings = {"kind": "analog", "variable": "u", "every": "trial", "plastic": True}
    net.connect("features", "output", weights=0.0, **settings)
    task = Regression()
    return Trainer(open_simulation(net, task.objective, rule, 1, NUMPY), task, iterations)


def weights(run) -> np.ndarray:
    """(features, outputs), a copy."""
    return run.simulation.values["features_to_output"].reshape(FEATURES, OUTPUTS).copy()


def loss(run) -> float:
    """Mean loss of the test trials."""
    return float(np.mean([run.measure(record)["loss"] for record in run.evaluate()]))
