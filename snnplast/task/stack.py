"""Trials that are known beforehand, whole batches of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snnplast.random_streams import TRAINING
from snnplast.task.trial import Segment, Spikes

if TYPE_CHECKING:
    from snnplast.task.task import Task


@dataclass(frozen=True)
class Stack:
    """Some trials of one segment each.

    steps: of each of them. inputs: source -> what each trial shows it, as in `Segment`. targets: of the objective's
    readout, of each trial, (n,) or (steps, n).
    """

    steps: int
    inputs: Mapping[str, Sequence[np.ndarray | Spikes]]
    targets: Sequence[np.ndarray]

    def part(self, place: range) -> Stack:
        """Consecutive trials of it."""
        if len(place) == len(self.targets):
            return self
        own = slice(place.start, place.stop)
        return Stack(self.steps, {name: shown[own] for name, shown in self.inputs.items()}, self.targets[own])

    @classmethod
    def of(cls, segments: Sequence[Segment], readout: str) -> Stack | None:
        """The same of segments; None where they differ in more than values, or give other series."""
        first, target = segments[0], f"{readout}.target"
        for segment in segments:
            if (segment.phase, segment.steps, [*segment.series]) != ("trial", first.steps, [target]):
                return None
            if segment.inputs.keys() != first.inputs.keys():
                return None
        inputs = {name: [segment.inputs[name] for segment in segments] for name in first.inputs}
        return cls(first.steps, inputs, [segment.series[target] for segment in segments])


class OneSegment:
    """Of a task each trial of which is one segment, known before the trial runs: a batch can run in one call.

    A class that derives from it, with trials of its own, says so again: `class Own(Other, OneSegment)`.
    """

    def stack(self: Task, phase: int, indices: Sequence[int]) -> Stack | None:  # type: ignore[misc]
        """Trials of a phase, TRAINING or TEST; None where they take the loop over segments."""
        if self.objective is None:
            return None
        segments = []
        for index in indices:
            trial = self.trial(index) if phase == TRAINING else self.test(index)
            segments.append(next(trial))
            trial.close()
        return Stack.of(segments, self.objective.readout)


def known_beforehand(task: Task) -> bool:
    """Whether those classes say so that define a task's trials: `OneSegment`, or with a `stack` of their own."""
    if not isinstance(task, OneSegment):
        return False
    owners = [next(each for each in type(task).__mro__ if name in vars(each)) for name in ("trial", "test")]
    return all(OneSegment in own.__bases__ or "stack" in vars(own) or own.__name__ == "Task" for own in owners)
