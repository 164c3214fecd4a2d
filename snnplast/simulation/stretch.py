"""A stretch of trials each of which changes parameters, in one call of compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snnplast.engine import CHUNK
from snnplast.learning.optimizing import UpdatedTrials, Updates
from snnplast.random_streams import TRAINING
from snnplast.simulation.one_call import OneCall, Unfit
from snnplast.simulation.simulation import Simulation
from snnplast.simulation.stages import Program
from snnplast.task.stack import Stack


class Stretch:
    """Training trials of `steps` steps each, with an update behind each of them: those of the loop, bit for bit.

    Raises `Unfit` where some part has no compiled form, or something follows weights from update to update.
    """

    def __init__(self, simulation: Simulation, steps: int, updates: Mapping[str, Updates]) -> None:
        self.call = OneCall(simulation, steps, chunk=1)
        if self.call.follows or simulation.plan.tied():
            raise Unfit("a signal follows the weights")
        try:
            self._updated = UpdatedTrials(updates, self.call.gradients)
        except ValueError as error:
            raise Unfit(str(error)) from error
        self._program = Program([*self.call.learning, self._updated.stage])

    def run(self, stack: Stack, seed: int, numbers: Sequence[int], before: int, iterations: int) -> int:
        """Run trials; returns how many have changed parameters: fewer where a gradient or loss is not finite.

        before, iterations: updates before the first one, and of the whole run.
        """
        self.call.show(stack, seed, TRAINING, numbers)
        self._updated.expect(self.call.losses, before, iterations)
        done = 0
        while done < len(numbers):
            count = self._program.run(done, len(numbers) - done, CHUNK)
            if count < 0:
                return done - 1 - count
            done += count
            self.call.simulation.engine.steps(0)  # heeds a wish to stop
        return done
