"""One trial: the segments a task asks for, and the record of what they left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snnplast.described import count, integers, reals
from snnplast.errors import UserError
from snnplast.network import Network, Wiring
from snnplast.objective import Judgement

Spikes = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Segment:
    """A stretch of a trial without a decision in between. What it is given is checked, and kept as arrays.

    steps: its length, >= 1.
    inputs: source population -> values in [0, 1] of shape (n,) or (steps, n) for a `PoissonSource`; or a tuple
        (steps, indices), integers of equal number, for any source: spikes at steps 0 to steps - 1 of the segment.
    series: 'population.variable' -> array (steps, n), or (n,) for a constant; written before each step where the
        network simulates that variable, and kept in the record in any case (targets, labels). The series
        '<readout>.in_window' of shape (steps, 1), or (1,), says which steps count: 1 where they do, 0 elsewhere.

    Raises `UserError` for a value that is not real, finite, complete and within these ranges.
    """

    steps: int
    inputs: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count("Segment.steps", self.steps)
        for what, given in (("inputs", self.inputs), ("series", self.series)):
            if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
                raise UserError(f"Segment.{what} = {given!r}: a dictionary of arrays by name is needed")
        object.__setattr__(self, "inputs", {name: self._input(name, given) for name, given in self.inputs.items()})
        object.__setattr__(self, "series", {name: _series(name, given) for name, given in self.series.items()})

    def _input(self, name: str, given: Any) -> np.ndarray | Spikes:
        place = f"Segment.inputs[{name!r}]"
        if not isinstance(given, tuple):
            return reals(place, given, 0, 1)
        if len(given) != 2:
            raise UserError(f"{place}: spikes are two arrays, (steps, indices), not {len(given)}")
        steps = integers(f"{place}: steps", given[0], 0, self.steps - 1)
        indices = integers(f"{place}: indices", given[1], 0)
        if steps.ndim != 1 or steps.shape != indices.shape:
            raise UserError(
                f"{place}: steps have shape {steps.shape}, indices {indices.shape}; one step and one index per spike "
                "are needed"
            )
        return steps, indices


def _series(name: str, given: Any) -> np.ndarray:
    place = f"Segment.series[{name!r}]"
    if name.count(".") != 1:
        raise UserError(f"{place}: no name of a series; 'population.variable' is needed, such as 'output.target'")
    return np.atleast_1d(reals(place, given))


@dataclass
class Record:
    """What one trial left, as rules, third factors and metrics read it.

    network, wiring, values: the description, each projection's pairs, and live views of all weights and biases.
    index, seed: which trial this is.
    compiled: whether gradients may use compiled code (they do with the compiled engine).
    steps: number of steps T of the task's segments (the response step not counted).
    spikes: population -> (steps, indices), sorted by step. Between segments, those so far, looked up when asked for.
    history: 'population.variable' -> array (T, n), the value at the end of each step; between segments as `spikes`.
    inputs: source population -> the values it was given last, where it was given values: (n,) or (steps, n).
    driven: sources that were given anything.
    series: 'population.variable' -> array (T, n); '<readout>.in_window' (T, 1) is the learning window of this trial.
    accumulated: 'projection.variable' -> what an online rule's synapses gathered (n_synapses,).
    response: 'population.variable' -> values (n,) at the end of the response step, where the network has one.
    explored: readout -> its activity (K, n) in K steps of exploration after the response step, where its rule explores.
    worked: population -> number of its spikes after the last segment; no other field counts them.
    judgement: what the task's objective says of the trial, at its end.
    """

    network: Network
    wiring: Mapping[str, Wiring]
    values: Mapping[str, np.ndarray]
    index: int = 0
    seed: int = 0
    compiled: bool = False
    steps: int = 0
    spikes: Mapping[str, Spikes] = field(default_factory=dict)
    history: Mapping[str, np.ndarray] = field(default_factory=dict)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    driven: set[str] = field(default_factory=set)
    series: dict[str, np.ndarray] = field(default_factory=dict)
    accumulated: dict[str, np.ndarray] = field(default_factory=dict)
    response: dict[str, np.ndarray] = field(default_factory=dict)
    explored: dict[str, np.ndarray] = field(default_factory=dict)
    worked: dict[str, int] = field(default_factory=dict)
    judgement: Judgement | None = None

    def counts(self, population: str) -> np.ndarray:
        """Spikes of each neuron (n,)."""
        return np.bincount(self.spikes[population][1], minlength=self.network.populations[population].size)

    def rates(self, population: str) -> np.ndarray:
        """Firing rate of each neuron (n,), Hz."""
        return self.counts(population) / (self.steps * self.network.dt)

    def representation(self, population: str) -> np.ndarray:
        """Rate representation z (n,) of a population that declares one."""
        normalise = self.network.populations[population].representation  # type: ignore[attr-defined]
        return normalise(self.rates(population))

    def stimulus(self, source: str) -> np.ndarray:
        """What a source showed (n,): the mean of its values over time.

        A task that hands over spikes gives the values they stand for as a series 'source.value'.
        """
        shown = self.inputs.get(source, self.series.get(f"{source}.value"))
        if shown is None:
            raise UserError(
                f"task: {source!r} was given spikes; the values they stand for are needed as a series '{source}.value'"
            )
        return np.atleast_2d(shown).mean(axis=0)

    def activity(self, readout: str) -> np.ndarray:
        """Readout activity y: (T, n), (1, n) for a readout that acts once per trial, (K, n) for one that explored."""
        if readout in self.explored:
            return self.explored[readout]
        name = f"{readout}.y"
        return self.response[name][None] if name in self.response else self.history[name]

    def target(self, readout: str) -> np.ndarray:
        """Target of a readout, in the shape of its activity."""
        return self._along(self.series[f"{readout}.target"], readout)

    def in_window(self, readout: str) -> np.ndarray:
        """Learning window (T,), 1 where a step counts and 0 elsewhere, along a readout's activity."""
        return self._along(self.series[f"{readout}.in_window"], readout)[:, 0]

    def _along(self, series: np.ndarray, readout: str) -> np.ndarray:
        """A series of the task (T, n) along the activity of a readout."""
        if readout in self.explored:
            return np.broadcast_to(series[-1], (len(self.explored[readout]), series.shape[1]))
        return series[-1:] if f"{readout}.y" in self.response else series
