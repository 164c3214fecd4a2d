"""What is learned, as a run's file keeps it: at the beginning, after its best round, and over rounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnplast.errors import UserError
from snnplast.record.results import Best
from snnplast.record.run_file import RunFile
from snnplast.training.checkpoint import Checkpoint
from snnplast.training.trainer import Trainer

METRICS = {"test_return": 1, "test_accuracy": 1, "test_loss": -1, "return": 1, "loss": -1}
"""What says which round is the best, in this order, and whether more of it is better. That of a test that only ends the
run does not."""


class Learned:
    """The weights and other parameters that rules, and third factors, learn, with what mirrors them.

    every: rounds between those that are kept; 0 for none. best: the best round so far.
    """

    def __init__(self, trainer: Trainer, every: int) -> None:
        simulation = trainer.simulation
        changing = {*simulation.parameters, *simulation.plan.learned, *simulation.plan.tied()}
        self._values = {name: values for name, values in simulation.values.items() if name in changing}
        self._every, self._tested = every, bool(trainer.task.epoch)
        self.best: Best | None = None
        self._best: dict[str, np.ndarray] = {}
        self._stored = False

    def values(self) -> Mapping[str, np.ndarray]:
        """By name: live views."""
        return self._values

    def go_on(self, checkpoint: Checkpoint, rounds: int) -> None:
        """Take up what the file keeps of the first `rounds` rounds. Raises `UserError` where it does not fit."""
        if checkpoint.learned != {name: values.size for name, values in self._values.items()}:
            raise UserError(f"'{checkpoint.path}': the weights that it keeps are not those that this experiment learns")
        if checkpoint.best is not None and checkpoint.best.round <= rounds:
            self.best, self._best, self._stored = checkpoint.best, checkpoint.best_values, True

    def after(self, file: RunFile, number: int, row: Mapping[str, float]) -> None:
        """A round has ended, with these metrics."""
        if not self._values:
            return
        if self._every and number % self._every == 0:
            file.history(number, self._values)
        known = (name for name in METRICS if name in row and (self._tested or not name.startswith("test_")))
        if (metric := next(known, None)) is None:
            return
        before = -np.inf if self.best is None else METRICS[metric] * self.best.value
        if METRICS[metric] * row[metric] > before:
            self.best, self._stored = Best(number, metric, float(row[metric])), False
            for name, values in self._values.items():
                self._best.setdefault(name, np.empty_like(values))[:] = values

    def store(self, file: RunFile) -> None:
        """Hand the best over to the file, where it has not got it."""
        if self.best is not None and not self._stored:
            file.best(self._best, self.best.metric, self.best.value, self.best.round)
            self._stored = True
