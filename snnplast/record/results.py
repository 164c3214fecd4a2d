"""What a run has left, read back into numpy.

    run = read_run("run.h5")
    run.metrics["loss"]                          # one row per iteration or epoch
    times, neurons = run.spikes("hidden")        # ms on the global time axis
    steps, neurons = run.trial_spikes("hidden", row=-1)
    run.weights["input_to_hidden"]               # (n_synapses,); "hidden.bias": (n,)
    pre, post, weight = run.synapses("input_to_hidden")
    pre, post, weight = run.best_weights("input_to_hidden")
    run.confusion()                              # of the last test: wanted x answered

`snnplast.record.layout` says what is in the file.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import h5py
import numpy as np

from snnplast.errors import UserError, unknown
from snnplast.record.apart import Stamp
from snnplast.record.reader import opened
from snnplast.record.weights import Weights
from snnplast.shown import Rows, Shown, listed

When = Literal["last", "initial", "best"]


class Best(NamedTuple):
    """The best round: its number 1, 2, ..., and the metric and value that say so."""

    round: int
    metric: str
    value: float


class Metrics(dict[str, np.ndarray]):
    """Rows by name; a name that is not there is refused with the nearest one."""

    def __missing__(self, name: str) -> np.ndarray:
        raise UserError(unknown("metric", str(name), self))


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """What a run left. What is small was read when it was opened; spikes, states and weights are read when asked for.

    Attributes
    ----------
    path : its file; a run that left none is kept in memory and is otherwise the same.
    status : "finished", "failed", "interrupted", or "running" (also after a kill).
    config : the resolved config, as text.
    dt : time step, seconds.
    metrics : name to (rows,) float64.
    per : metric name to "iteration" or "epoch".
    trials : structured array (n_trials,): trial, iteration, phase (text), start and stop (ms).
    answers : structured array (rows,) of a classification: trial, iteration, phase (text), stretch (of the trial's
        learning window), wanted and answered (units of the readout); empty for other tasks.
    classes : what the units of the readout stand for, in their order; empty where the task is no classification.
    populations : recorded population to number of neurons.
    states : names of the recorded state variables, "population/variable" or "projection/variable".
    projections : projection to its (source, target) populations.
    parameters : other parameters, such as biases, by name.
    learned : names of projections and parameters whose first values are kept, since they change, and their sizes.
    best : the best round, whose weights are kept; None where there is none yet.
    resumable : whether it holds a checkpoint.
    stopped : why it was ended before its last update, though "finished"; "" where it was not.
    stamp : which file it was, in which state.
    """

    path: Path
    stamp: Stamp
    status: str
    seed: int
    config: str
    versions: dict[str, str]
    dt: float
    metrics: Metrics
    per: dict[str, str]
    trials: np.ndarray
    answers: np.ndarray
    classes: tuple[str | int, ...]
    populations: dict[str, int]
    states: list[str]
    projections: dict[str, tuple[str, str]]
    parameters: dict[str, np.ndarray]
    learned: dict[str, int]
    best: Best | None
    resumable: bool
    stopped: str = ""
    content: io.BytesIO | None = field(default=None, repr=False)

    def _shown(self) -> tuple[str, Rows]:
        rows = [(name, f"{v[-1]:.5g} after {len(v)} {self.per[name]}s") for name, v in self.metrics.items() if len(v)]
        more = [
            ("ended early", self.stopped),
            ("spikes of", listed(self.populations)),
            ("weights", listed(self.weights)),
        ]
        return f"Run: {self.path.name}, {self.status}, seed {self.seed}", [*rows, *((n, t) for n, t in more if t)]

    def plot(self) -> Any:
        """A figure of its learning curves; `snnplast.plot` has more to draw of it."""
        import snnplast  # the figures are rooms above, and offered at the top

        return snnplast.plot.curves(self)

    @property
    def weights(self) -> Weights:
        """The last stored weights and biases by name; unknown names are refused with the nearest."""
        where = f"'{self.path}'" if self.content is None else "the run"
        return Weights(where, self.projections, self.parameters, self._synapses)

    @property
    def lasting(self) -> dict[str, np.ndarray]:
        """State that outlives trials, as the last checkpoint has it: 'population.variable' -> values."""
        with self._opened() as file:
            return {name: values[()] for name, values in file.get("checkpoint/persistent", {}).items()}

    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        """(times in ms on the global time axis, neuron indices) of all recorded spikes, by time."""
        _check("population with recorded spikes", population, self.populations)
        with self._opened() as file:
            group = file["spikes"][population]
            return self._checked(population, group["timestamps"][:], group["node_ids"][:])

    def trial_spikes(self, population: str, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(steps, neuron indices) of the trial in row `row` of `trials`, as the engine gave them; reads only these."""
        _check("population with recorded spikes", population, self.populations)
        start, stop = self._steps(row)
        dt = self.dt * 1e3
        with self._opened() as file:
            group = file["spikes"][population]
            low, high = (bisect_left(group["timestamps"], (step - 0.5) * dt) for step in (start, stop))
            times, neurons = self._checked(population, group["timestamps"][low:high], group["node_ids"][low:high])
            return np.rint(times / dt).astype("i8") - start, neurons

    def state(self, name: str, row: int | None = None) -> np.ndarray:
        """Variable "population/variable": (total_steps, n), or (steps, n) of the trial in row `row`.

        One that takes its value once per trial has (n_trials, n), or (1, n) of one trial.
        """
        _check("recorded state variable", name, self.states)
        start, stop = (None, None) if row is None else self._steps(row)
        with self._opened() as file:
            rows = file[f"states/{name}"]
            if row is not None and rows.attrs["per"] == "trial":
                start = range(len(self.trials))[row]
                stop = start + 1
            return rows[start:stop]

    def synapses(self, projection: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(pre, post, weight) of the last stored weights, in Brian2's synapse order."""
        return self.weights.synapses(projection)

    def _synapses(self, projection: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with self._opened() as file:
            group = file[f"weights/{projection}"]
            return group["pre"][:], group["post"][:], group["weight"][:]

    def weights_at(self, when: When) -> Weights:
        """All weights and biases as `weights`, at the "last", "initial" or "best": what `evaluate` and `train` take."""
        parameters = {name: self.values(name, when) for name in self.parameters}
        return Weights(
            f"{self.weights.where} ({when})",
            self.projections,
            parameters,
            lambda name: (*self.weights.pairs(name), self.values(name, when)),
        )

    def initial_weights(self, projection: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(pre, post, weight) before the first update."""
        return (*self.weights.pairs(projection), self.values(projection, "initial"))

    def best_weights(self, projection: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(pre, post, weight) after the best round, which `best` tells."""
        return (*self.weights.pairs(projection), self.values(projection, "best"))

    def weight_history(self, projection: str) -> tuple[np.ndarray, np.ndarray]:
        """(rounds (k,), weights (k, n_synapses)): after which rounds they were kept, and what they were.

        Also of another parameter that is learned. Raises `UserError` where `record.weights` did not ask for them.
        """
        with self._opened() as file:
            if "history" not in file:
                raise UserError(f"'{self.path}' holds no weights over rounds; record.weights = 'every 10' keeps them")
            history = file["history"]
            _check("learned parameter", projection, history["values"])
            return history["round"][:], history["values"][projection][:]

    def values(self, name: str, when: When = "last") -> np.ndarray:
        """Weights of a projection (n_synapses,), or another parameter such as 'hidden.bias' (n,), by name.

        when: "last", "initial" or "best". What is not learned is the same at any time.
        """
        _check("projection or parameter with stored values", name, {**self.projections, **self.parameters})
        if when not in get_args(When):
            raise UserError(unknown("time", when, get_args(When)))
        with self._opened() as file:
            if when == "best" and self.best is None:
                raise UserError(f"'{self.path}' holds no best round: no metric of a whole round says which it is")
            if when != "last" and name in file.get(when, {}):
                return file[when][name][:]
            return file[f"weights/{name}/weight"][:] if name in self.projections else self.parameters[name].copy()

    def best_values(self) -> dict[str, np.ndarray]:
        """All that was learned, after the best round; empty where there is none."""
        if self.best is None:
            return {}
        with self._opened() as file:
            return {name: column[:] for name, column in file["best"].items()}

    def confusion(self, phase: str = "test", iteration: int | None = None) -> np.ndarray:
        """How often which class was answered: (wanted, answered) counts, in the order of `classes`.

        phase: "test" or "training". iteration: after, or in, which one; default the last that the file has.
        """
        rows = self.answers[self.answers["phase"] == phase]
        if not rows.size:
            known = ", ".join(dict.fromkeys(self.answers["phase"])) or "none"
            raise UserError(f"'{self.path}' holds no answers of phase {phase!r}: it has those of {known}")
        chosen = rows["iteration"].max() if iteration is None else iteration
        rows = rows[rows["iteration"] == chosen]
        if not rows.size:
            raise UserError(f"'{self.path}' holds no answers of phase {phase!r} in iteration {iteration}")
        counts = np.zeros((len(self.classes),) * 2, "i8")
        np.add.at(counts, (rows["wanted"], rows["answered"]), 1)
        return counts

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        if self.content is None:
            with opened(self.path) as (file, _):
                yield file
        else:
            with h5py.File(self.content, "r") as file:
                yield file

    def _checked(self, population: str, times: np.ndarray, neurons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same spikes, if they are by time, of trials and neurons there are."""
        stop = float(self.trials["stop"][-1]) if len(self.trials) else 0.0
        fits = np.all(times[:-1] <= times[1:]) and np.all((times >= 0) & (times < stop))
        if not fits or not np.all(neurons < self.populations[population]):
            raise UserError(f"'{self.path}' is damaged: spikes of {population!r} lie outside its trials or neurons")
        return times, neurons.astype("i8")

    def _steps(self, row: int) -> tuple[int, int]:
        if not -len(self.trials) <= row < len(self.trials):
            count = len(self.trials)
            there = f"0 to {count - 1}, or -{count} to -1 from the end, are allowed" if count else "there is none"
            raise UserError(f"'{self.path}' has no trial in row {row}: {there}")
        trial = self.trials[row]
        return round(trial["start"] / (self.dt * 1e3)), round(trial["stop"] / (self.dt * 1e3))


def _check(kind: str, name: str, known) -> None:
    if name not in known:
        raise UserError(unknown(kind, name, known))
