"""What a network does: one of some actions, chosen by a readout or by the spikes of a population."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.task.trial import Record

How = Literal["sample", "best"]


class Choice(Description):
    r"""A choice between actions k = 0, 1, ... by a preference h_k for each.

    "sample": action k with probability exp(h_k) / sum_j exp(h_j); "best": the one whose h is largest, of several
    equally large ones any.

    actions: what the environment is given, one integer for each, at least two.
    training, test: how is chosen there, defaults "sample" and "best".
    """

    actions: Annotated[tuple[int, ...], Field(min_length=2, description="the environment's actions")]
    training: Annotated[How, Field(description="how is chosen in training trials")] = "sample"
    test: Annotated[How, Field(description="how is chosen in test trials")] = "best"

    @field_validator("actions")
    @classmethod
    def _check_actions(cls, actions: tuple[int, ...]) -> Any:
        if len(set(actions)) < len(actions):
            raise ValueError("each action once is allowed")
        return actions

    def check(self, network: Network) -> None:
        """Raise `UserError` where the network cannot choose."""
        raise NotImplementedError

    def preferences(self, record: Record, first: int) -> np.ndarray:
        """h (actions,) after a segment that began at step `first`."""
        raise NotImplementedError

    def __call__(self, record: Record, first: int, how: How, rng: np.random.Generator) -> int:
        """Number of the action that is chosen after a segment that began at step `first`."""
        h = self.preferences(record, first)
        if how == "best":
            best = np.flatnonzero(h == h.max())
            return int(best[0] if best.size == 1 else rng.choice(best))
        total = np.exp(h - h.max()).cumsum()
        return int(min(total.searchsorted(rng.random() * total[-1], side="right"), h.size - 1))


class ReadoutChoice(Choice):
    """h_k is the activity y_k of a readout's unit k at the end of a segment; further units may mean something else.

    readout: default "output". actions, training, test: see `Choice`.

    >>> ReadoutChoice(actions=(2, 3)).test
    'best'
    """

    readout: Annotated[str, Field(description="the readout that chooses")] = "output"

    def check(self, network: Network) -> None:
        population = network.population(self.readout)
        if not population.readout or population.clock != "step":
            raise UserError(f"task.choice: {self.readout!r} is no readout that acts step by step")
        if population.size < len(self.actions):
            raise UserError(
                f"task.choice: {len(self.actions)} actions, but {self.readout!r} has {population.size} units; one for "
                "each is needed"
            )

    def preferences(self, record: Record, first: int) -> np.ndarray:
        name = f"{self.readout}.y"
        if name not in record.history:
            raise UserError(
                f"task.choice: {name!r} is not kept; an objective of this readout, or record.variables, keeps it"
            )
        return record.history[name][-1, : len(self.actions)]


class SpikeChoice(Choice):
    """h_k is gain times the mean number of spikes, in a segment, of the k-th of equal groups of a population.

    population: its neurons are as many for each action. gain: default 1, > 0. actions, training, test: see `Choice`.

    >>> SpikeChoice(actions=(0, 1), population="motor", gain=2).gain
    2.0
    """

    population: Annotated[str, Field(description="whose spikes choose")]
    gain: Annotated[float, Field(gt=0, description="preference per spike")] = 1.0

    def check(self, network: Network) -> None:
        population = network.population(self.population)
        if not population.spiking or population.size % len(self.actions):
            raise UserError(
                f"task.choice: {self.population!r} cannot choose; a population of spiking neurons, a multiple of "
                f"{len(self.actions)}, is needed"
            )

    def preferences(self, record: Record, first: int) -> np.ndarray:
        steps, neurons = record.spikes[self.population]
        group = record.network.populations[self.population].size // len(self.actions)
        counts = np.bincount(neurons[steps.searchsorted(first) :] // group, minlength=len(self.actions))
        return self.gain * counts / group
