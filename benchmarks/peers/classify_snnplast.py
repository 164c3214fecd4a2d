"""A hidden layer of LIF neurons and a leaky readout in snnplast, learned by e-prop with the model's settings."""

from __future__ import annotations

import common
import numpy as np

from snnplast import Classification, Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


def main() -> None:
    given = common.problem()
    experiment = Experiment.of(
        given["model"], f"model.hidden={given['hidden']}", f"rules.e-prop.batch={given['batch']}"
    )
    samples = (given[name] for name in ("x", "y", "x_test", "y_test"))
    task = Classification(*samples, steps=given["steps"], seed=given["seed"])
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, given["seed"])
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=0, whole=lambda phase, index: False)
        updates = trainer.updates_per_epoch()
        trainer.iterations = given["epochs"] * updates

        def train(epoch: int) -> None:
            for _ in range(updates):
                trainer.update()

        common.learn(
            given, train, lambda: float(np.mean([trainer.judged(record)["accuracy"] for record in trainer.evaluate()]))
        )


if __name__ == "__main__":
    main()
