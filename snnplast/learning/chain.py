r"""The factored gradient of any neuron: its linearised step, transposed and run backwards in time.

With a the derivative of all that is to come by the state h (a row, (d,)), and s^t that by the surrogate spike:

    s^t  = psi^t (C^t + sum over X in `through` of a_X k_X^t)
    a   <- a R^t + s^t g^t                                   R: identity where the neuron does not spike
    a   <- a U^t;   A_X^t = a_X gate_X^t                     for each variable X that spikes are added to here
    a   <- a P^t

    dE/dw_ji = gain_j sum over arrivals of i at j in step t of A_into^t
    dE/dp    = sum over t of s d distance/dp + a dR/dp + a dU/dp + a dPhi/dp, each with a as it is at that place

An entry is constant, (n,), or changes from step to step, (T, n).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Matrix = Sequence[tuple[int, int, np.ndarray]]
"""Entries of a matrix per neuron: (row, column, values (n,) or (T, n)); all others are 0."""

Point = Literal["before threshold", "before reset", "before flow"]
POINTS: tuple[Point, ...] = ("before threshold", "before reset", "before flow")
"""Where in a step spikes arrive: once the equations are solved, once the neuron's own spike is out, or first of all."""

Vector = Sequence[tuple[int, np.ndarray]]
"""Entries of a vector per neuron: (index, values (n,) or (T, n)); all others are 0."""


@dataclass(frozen=True)
class ByParameter:
    """Derivatives by one constant of the neuron: of the distance, and by state of reset, updates, flow and start."""

    slope: np.ndarray | None = None
    reset: Vector = ()
    updates: Vector = ()
    flow: Vector = ()
    initial: Vector = ()


@dataclass(frozen=True)
class Chain:
    """A neuron's trial, linearised. size: number of its states.

    flow: P, all rows. updates, reset: entries of U and R in the rows that are no unit rows. slope: g. kicks: k.
    spiked: (T, n), where the reset has such rows.
    """

    size: int
    flow: Matrix
    slope: Vector
    updates: Matrix = ()
    reset: Matrix = ()
    kicks: Vector = ()
    updated_rows: frozenset[int] = frozenset()
    reset_rows: frozenset[int] = frozenset()
    spiked: np.ndarray | None = None


@dataclass(frozen=True)
class Variable:
    """A state that spikes are added to, and at which point of the step; gate: (T, n), 0 where nothing is added."""

    state: int
    gate: np.ndarray | None = None
    point: Point = "before threshold"


class Backward:
    """What is to come, differentiated by the states of a population at one place of one step, from the last step back.

    psi: (T, n). seen: A of the variables, (len(variables), T, n), as far back as it has come. totals: the derivative by
    each parameter, (n,).
    """

    def __init__(
        self, chain: Chain, psi: np.ndarray, variables: Sequence[Variable], parameters: Sequence[ByParameter] = ()
    ) -> None:
        self.chain, self.psi, self.variables, self.parameters = chain, psi, variables, parameters
        self.a, self.kicked = np.zeros((chain.size, psi.shape[1])), np.zeros(psi.shape[1])
        self.seen = np.zeros((len(variables), *psi.shape))
        self.totals = [np.zeros(psi.shape[1]) for _ in parameters]

    def undo_reset(self, t: int) -> None:
        """From the end of step t to where its spikes are out, and nothing is reset yet."""
        chain, a = self.chain, self.a
        self.kicked = sum((a[x] * _at(values, t) for x, values in chain.kicks), np.zeros_like(self.kicked))
        spiked = None if chain.spiked is None else chain.spiked[t]
        for total, by in zip(self.totals, self.parameters, strict=True):
            for row, values in by.reset:
                total += a[row] * _at(values, t) * (1.0 if spiked is None else spiked)
        self.a = _back(a, chain.reset, chain.reset_rows, t, spiked)
        self._arrive("before reset", t)

    def undo_step(self, t: int, modulation: np.ndarray) -> None:
        """From there to where step t begins. modulation: C^t, (n,)."""
        chain, s = self.chain, self.psi[t] * (modulation + self.kicked)
        for x, values in chain.slope:
            self.a[x] += s * _at(values, t)
        for total, by in zip(self.totals, self.parameters, strict=True):
            if by.slope is not None:
                total += s * _at(by.slope, t)
            for row, values in by.updates:
                total += self.a[row] * _at(values, t)
        self.a = _back(self.a, chain.updates, chain.updated_rows, t)
        self._arrive("before threshold", t)
        for total, by in zip(self.totals, self.parameters, strict=True):
            for row, values in by.flow:
                total += self.a[row] * _at(values, t)
        self.a = _back(self.a, chain.flow, frozenset(range(chain.size)), t)
        self._arrive("before flow", t)
        if t == 0:
            for total, by in zip(self.totals, self.parameters, strict=True):
                for row, values in by.initial:
                    total += self.a[row] * values

    def _arrive(self, point: Point, t: int) -> None:
        for k, x in enumerate(self.variables):
            if x.point == point:
                self.seen[k][t] = self.a[x.state] if x.gate is None else self.a[x.state] * x.gate[t]


def run_back(
    chain: Chain,
    psi: np.ndarray,
    modulation: np.ndarray,
    variables: Sequence[Variable],
    parameters: Sequence[ByParameter] = (),
) -> tuple[np.ndarray, list[np.ndarray]]:
    """A of the variables, (len(variables), T, n), and the derivative by each parameter, (n,).

    psi: (T, n). modulation: C, (T, n) or (n,).
    """
    modulation, backward = np.broadcast_to(modulation, psi.shape), Backward(chain, psi, variables, parameters)
    for t in range(len(psi) - 1, -1, -1):
        backward.undo_reset(t)
        backward.undo_step(t, modulation[t])
    return backward.seen, backward.totals


def _at(values: np.ndarray, t: int) -> np.ndarray:
    return values[t] if values.ndim == 2 else values


def _back(a: np.ndarray, entries: Matrix, rows: frozenset[int], t: int, where: np.ndarray | None = None) -> np.ndarray:
    """a times a matrix whose `rows` are given by entries, and unit rows elsewhere, and where `where` is 0."""
    after = a.copy()
    for row in rows:
        after[row] -= a[row] if where is None else where * a[row]
    for row, column, values in entries:
        part = a[row] * _at(values, t)
        after[column] += part if where is None else where * part
    return after
