"""Weights alone: what a network has learned, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from snnplast.errors import UserError, unknown

Pairs = tuple[np.ndarray, np.ndarray]


class Weights(Mapping[str, np.ndarray]):
    """Projection -> weights (n_synapses,), by source, then target; 'population.bias' -> (n,). Read when asked for.

    where: whose they are, as a sentence says it. projections: names of those that are weights of synapses.
    """

    def __init__(
        self,
        where: str,
        projections: Mapping[str, object],
        parameters: Mapping[str, np.ndarray],
        read: Callable[[str], tuple[np.ndarray, np.ndarray, np.ndarray]],
    ) -> None:
        self.where, self.projections = where, tuple(projections)
        self._parameters, self._read = parameters, read

    def pairs(self, projection: str) -> Pairs:
        """(pre, post): the neurons that each synapse connects, (n_synapses,) each."""
        return self.synapses(projection)[:2]

    def synapses(self, projection: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(pre, post, weight), (n_synapses,) each, in Brian2's order."""
        if projection not in self.projections:
            raise UserError(unknown("projection with stored weights", str(projection), self.projections))
        return self._read(projection)

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._parameters:
            return self._parameters[name]
        if name not in self.projections:
            raise UserError(unknown("projection or parameter", str(name), self))
        return self._read(name)[2]

    def __contains__(self, name: object) -> bool:
        return name in self.projections or name in self._parameters

    def __iter__(self) -> Iterator[str]:
        return iter([*self.projections, *self._parameters])

    def __len__(self) -> int:
        return len(self.projections) + len(self._parameters)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {self[name].shape}" for name in self)
        return f"<weights of {self.where}: {shapes or 'none'}>"
