"""A run without trials: hours in one piece for the network, in many for the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.task.task import Task, Trial
from snnplast.task.trial import Segment
from snnplast.time_steps import steps_of
from snnplast.units import parse_quantity


class FreeRun(Task):
    """One uninterrupted run, for rules that learn within it: its trials are pieces in which nothing begins anew.

    Spikes and histories are kept for a piece at a time, recorded, and forgotten; checkpoints stand between pieces.

    duration: of the whole run, > 0; piece: of a trial, default "10 s", > 0; the last one may be shorter.
    inputs: source -> values in [0, 1] (n,) of a `PoissonSource`, shown all the time; default none.
    seed: of the sources' spikes; an experiment sets its own.

    >>> task = FreeRun("3600 s", piece="30 s")
    >>> task.epoch, task.continuous
    (120, True)
    """

    continuous = True

    def __init__(
        self, duration: Any, piece: Any = "10 s", inputs: Mapping[str, Any] | None = None, seed: int = 0
    ) -> None:
        self.duration, self.piece = _time("duration", duration), _time("piece", piece)
        self.inputs, self.seed = dict(inputs or {}), seed
        self.epoch = self._pieces = math.ceil(self.duration / self.piece - 1e-9)
        self._steps = self._last = 0

    def on(self, network: Network, batch: int = 1) -> Self:
        own = super().on(network, batch)
        own._steps = steps_of("task.piece", self.piece, network.dt)
        own._last = steps_of("task.duration", self.duration, network.dt) - (self._pieces - 1) * own._steps
        return own

    def trial(self, index: int) -> Trial:
        place = index % self._pieces
        yield Segment(self._last if place == self._pieces - 1 else self._steps, self.inputs)


def _time(name: str, given: Any) -> float:
    try:
        value = parse_quantity(given, "second")
    except (UserError, ValueError) as error:
        raise UserError(f"task.{name}: {error}") from None
    if not value > 0:
        raise UserError(f"task.{name} = {given!r}: a time above 0 is needed")
    return value
