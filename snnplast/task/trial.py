"""One trial: the segments that it is made of, and the record of what they left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from snnplast.described import count, integers, reals
from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.network.projection import Wiring
from snnplast.shown import Rows, Shown, listed
from snnplast.task.objective import Judgement

Spikes = tuple[np.ndarray, np.ndarray]
Phase = Literal["trial", "response", "work", "explore"]
PHASES: tuple[Phase, ...] = get_args(Phase)
"""In their order within a trial."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a trial without a decision in between. What it is given is checked, and kept as arrays.

    A trial is made of segments and of nothing else. Those of phase "trial" are what the task shows; `Record` is about
    them. A "response" of one step, in which everything happens that is clocked once per trial, follows by itself where
    a network has such things; third factors may ask for "work", rules for "explore". A task may give any of them, in
    this order. While a phase other than "trial" runs, a variable of each population whose code names it is 1:
    `responding`, `working`, `exploring`.

    steps: its length, an integer, >= 1.
    inputs: source population -> values in [0, 1] of shape (n,) or (steps, n) for a `PoissonSource`; or a tuple
        (steps, indices), integers of equal number, for any source: spikes at steps 0 to steps - 1 of the segment.
    series: 'population.variable' -> array (steps, n), or (n,) for a constant; written before each step where the
        network simulates that variable, and kept in the record in any case (targets, labels). The series
        '<readout>.in_window' of shape (steps, 1), or (1,), says which steps count: 1 where they do, 0 elsewhere.

    Raises `UserError` for a value that is not real, finite, complete and within these ranges.

    >>> Segment(100, {"input": [0, 0.5]}, {"output.target": [1, 0]}).inputs
    {'input': array([0. , 0.5])}
    >>> Segment(100, {"input": ([3, 100], [0, 1])})
    Traceback (most recent call last):
    snnplast.errors.UserError: Segment.inputs['input']: steps: integers must lie in [0, 99], these span 3 to 100
    """

    steps: int
    inputs: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Any] = field(default_factory=dict)
    phase: Phase = "trial"

    def __post_init__(self) -> None:
        count("Segment.steps", self.steps)
        if self.phase not in PHASES:
            raise UserError(f"Segment.phase = {self.phase!r}: {' or '.join(map(repr, PHASES))} is allowed")
        if self.phase == "response" and self.steps != 1:
            raise UserError(f"Segment.steps = {self.steps}: a response takes one step")
        for what, given in (("inputs", self.inputs), ("series", self.series)):
            if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
                raise UserError(f"Segment.{what} = {given!r}: a dictionary of arrays by name is needed")
        object.__setattr__(self, "inputs", {name: self._input(name, given) for name, given in self.inputs.items()})
        object.__setattr__(self, "series", {name: as_series(name, given) for name, given in self.series.items()})

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


def as_series(name: str, given: Any) -> np.ndarray:
    """A series under its name: real, finite and complete, at least one-dimensional."""
    place = f"Segment.series[{name!r}]"
    if name.count(".") != 1:
        raise UserError(f"{place}: no name of a series; 'population.variable' is needed, such as 'output.target'")
    return np.atleast_1d(reals(place, given))


@dataclass(frozen=True)
class Stretch:
    """What one phase of a trial left.

    steps: its length; 0 where a trial has no such phase. spikes: population -> (steps, indices), steps counted from
    its beginning. history: 'population.variable' -> (steps, n). ends: 'population.variable' -> values (n,) at its end
    of what acts once per trial.
    """

    steps: int = 0
    spikes: Mapping[str, Spikes] = field(default_factory=dict)
    history: Mapping[str, np.ndarray] = field(default_factory=dict)
    ends: Mapping[str, np.ndarray] = field(default_factory=dict)


_NOTHING = Stretch()


@dataclass(repr=False)
class Record(Shown):
    """What one trial left, as rules, third factors and metrics read it.

    What is said of steps, spikes and history is about phase "trial"; `during` has the others.

    network, wiring, values: the description, each projection's pairs, and live views of all weights and biases.
    index, seed: which trial this is.
    compiled: whether gradients may use compiled code (they do with the compiled engine).
    steps: number of steps T of the segments that the task shows.
    spikes: population -> (steps, indices), sorted by step. Between segments, those so far, looked up when asked for.
    history: 'population.variable' -> array (T, n), the value at the end of each step; between segments as `spikes`.
    inputs: source population -> the values it was given last, where it was given values: (n,) or (steps, n).
    driven: sources that were given anything.
    series: 'population.variable' -> array (T, n); '<readout>.in_window' (T, 1) is the learning window of this trial.
        A name without a population is the trial's own, such as 'reward': an array of any shape that the task returned.
    accumulated: 'projection.variable' -> what an online rule's synapses gathered (n_synapses,); 'population.variable'
        -> what its neurons did (n,).
    names: projection -> what its rule calls a variable ('post.psi', 'synapse.gradient') -> its name here.
    phases: the other phases that the trial has.
    judgement: what the task's objective says of the trial, at its end; None without an objective.
    blocks: shows in blocks what `history` has no place for, see `backwards`; None where it has for everything.

    >>> from snnplast import LIF
    >>> net = Network(); net.add("hidden", LIF(3))
    >>> record = Record(net, {}, {}, steps=100, spikes={"hidden": (np.array([5, 9, 9]), np.array([0, 0, 2]))})
    >>> record.counts("hidden"), record.rates("hidden")
    (array([2, 0, 1]), array([20.,  0., 10.]))
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
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    phases: dict[Phase, Stretch] = field(default_factory=dict)
    judgement: Judgement | None = None
    blocks: Callable[[str], Iterator[tuple[int, np.ndarray]]] | None = field(default=None, init=False)
    _of_spikes: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = field(
        default_factory=dict, init=False, compare=False
    )

    def _shown(self) -> tuple[str, Rows]:
        spikes = [(name, f"{len(steps)} spikes") for name, (steps, _) in self.spikes.items()]
        history = [("history", listed(self.history)), ("series", listed(self.series))]
        judged = [] if self.judgement is None else [("loss", f"{self.judgement.loss:.5g}")]
        rows = [*judged, *spikes, *((name, text) for name, text in history if text)]
        return f"Record of trial {self.index}, {self.steps} steps", rows

    def during(self, phase: Phase) -> Stretch:
        """What a phase left."""
        if phase == "trial":
            return Stretch(self.steps, self.spikes, self.history)
        return self.phases.get(phase, _NOTHING)

    def kept(self, projection: str, variable: str) -> np.ndarray:
        """History (T, n) of a neuron's variable that a projection's rule records, e.g. 'post.psi'."""
        return self.history[self.names[projection][variable]]

    def backwards(self, projection: str, variable: str) -> np.ndarray | Iterator[tuple[int, np.ndarray]]:
        """As `kept`; or in blocks (first step, rows (k, n)), the last first, where all steps would be too large.

        That is for variables that an injection has among `backwards`. Rows are good until the next block, and all of it
        until the next trial.
        """
        name = self.names[projection][variable]
        if name in self.history or self.blocks is None:
            return self.history[name]
        return self.blocks(name)

    def gathered(self, projection: str, variable: str) -> np.ndarray:
        """What the synapses of a projection gathered (n_synapses,) in a variable that its rule reads.

        'post.sum' is a variable of its target neurons, (n,).
        """
        return self.accumulated[self.names[projection][variable if "." in variable else f"synapse.{variable}"]]

    def counts(self, population: str) -> np.ndarray:
        """Spikes of each neuron (n,); read-only."""

        def counted(indices: np.ndarray) -> np.ndarray:
            return np.bincount(indices, minlength=self.network.populations[population].size)

        return self._once("counts", population, counted)

    def rates(self, population: str) -> np.ndarray:
        """Firing rate of each neuron (n,), Hz."""
        return self.counts(population) / (self.steps * self.network.dt)

    def representation(self, population: str) -> np.ndarray:
        """Rate representation z (n,) of a population that declares one; read-only."""
        normalise = self.network.populations[population].rate_representation
        if normalise is None:
            raise UserError(f"network.{population}: no rate representation; representation=LayerNorm() makes one")
        return self._once("representation", population, lambda _: normalise(self.rates(population)))

    def _once(self, what: str, population: str, work_out: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """What follows from a population's spikes, worked out once for the same ones."""
        indices = self.spikes[population][1]
        before = self._of_spikes.get((what, population))
        if before is None or before[0] is not indices:
            found = work_out(indices)
            found.flags.writeable = False
            before = self._of_spikes[what, population] = indices, found
        return before[1]

    def stimulus(self, source: str) -> np.ndarray:
        """What a source showed (n,): the mean of its values over time.

        A task that hands over spikes gives the values they stand for as a series 'source.value'.
        """
        shown = self.inputs.get(source, self.series.get(f"{source}.value"))
        if shown is None:
            raise UserError(
                f"task: {source!r} was given spikes; the values they stand for are needed as a series '{source}.value'"
            )
        return shown if shown.ndim == 1 else shown.mean(axis=0)

    def activity(self, readout: str) -> np.ndarray:
        """Readout activity y: (T, n), (1, n) for a readout that acts once per trial, (K, n) for one that explored."""
        explored = self.during("explore").history.get(f"{readout}.explored")
        if explored is not None:
            return explored
        response = self.during("response").ends.get(f"{readout}.y")
        return self.history[f"{readout}.y"] if response is None else response[None]

    def answers_once(self, readout: str) -> bool:
        """Whether a readout has one activity per trial."""
        return f"{readout}.y" in self.during("response").ends

    def target(self, readout: str) -> np.ndarray:
        """Target of a readout, in the shape of its activity."""
        return self._along(self.series[f"{readout}.target"], readout)

    def in_window(self, readout: str) -> np.ndarray:
        """Learning window (T,), 1 where a step counts and 0 elsewhere, along a readout's activity."""
        return self._along(self.series[f"{readout}.in_window"], readout)[:, 0]

    def _along(self, series: np.ndarray, readout: str) -> np.ndarray:
        """A series of the task (T, n) along the activity of a readout."""
        if not self.answers_once(readout):
            return series
        return np.broadcast_to(series[-1], (len(self.activity(readout)), series.shape[1]))
