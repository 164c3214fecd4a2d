"""What the entries of a population's chain are called: found once; the chain of a trial is filled from its history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnplast.learning.chain import ByParameter, Chain
from snnplast.learning.neuron_traces import by_constant
from snnplast.learning.traces import Entries
from snnplast.network.learnable import Learnt

Matrix = list[tuple[int, int, str | None]]
Vector = list[tuple[int, str | None]]


@dataclass
class ChainNames:
    """The entries of a `Chain` by name, None for 1, and the states that it has, each with its index.

    entries: notes what is asked for. size: neurons. spiked: whether a reset changes what is traced.
    """

    entries: Entries
    index: dict[str, int]
    size: int
    spiked: bool
    flow: Matrix
    slope: Vector
    updates: Matrix
    reset: Matrix
    kicks: Vector
    updated_rows: frozenset[int]
    reset_rows: frozenset[int]
    _constants: dict[str | None, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Entries, live: Sequence[str], size: int, spiked: bool) -> ChainNames:
        """Those of the states that live."""
        whole, index = entries.linearised, {state: k for k, state in enumerate(live)}

        def matrix(kind: str, rows: Sequence[str]) -> Matrix:
            block = entries.block(kind)
            pairs = [(row, column) for row in rows for column in block.row(row) if column in index]
            return [(index[row], index[column], entries.of(kind, row, column)) for row, column in pairs]

        updated = [row for row in live if not whole.updates.unit(row)]
        reset = [row for row in live if not whole.reset.unit(row)]
        return cls(
            entries,
            index,
            size,
            spiked,
            matrix("flow", live),
            [(index[state], entries.slope(state)) for state in live if state in whole.slope],
            matrix("update", updated),
            matrix("reset", reset),
            [(index[state], entries.kick(state)) for state in live if state in whole.kicks],
            frozenset(index[row] for row in updated),
            frozenset(index[row] for row in reset),
        )

    def filled(self, learnt: Sequence[Learnt], history: Callable[[str], np.ndarray]) -> tuple[Chain, list[ByParameter]]:
        """The chain of a trial, and the derivatives by what is learnable. history: of entries that are no constants."""

        def value(name: str | None) -> np.ndarray:
            if name is not None and name not in self.entries.constants:
                return history(name)
            if name not in self._constants:
                found = 1.0 if name is None else np.asarray(self.entries.constants[name], dtype=float)
                self._constants[name] = np.broadcast_to(found, (self.size,)).copy()
            return self._constants[name]

        def matrix(named: Matrix) -> list[tuple[int, int, np.ndarray]]:
            return [(row, column, value(name)) for row, column, name in named]

        chain = Chain(
            len(self.index),
            matrix(self.flow),
            [(k, value(name)) for k, name in self.slope],
            matrix(self.updates),
            matrix(self.reset),
            [(k, value(name)) for k, name in self.kicks],
            self.updated_rows,
            self.reset_rows,
            value("spiked") if self.spiked else None,
        )
        return chain, [by_constant(self.entries, one, self.index, value) for one in learnt]
