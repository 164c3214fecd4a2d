"""A run's file read back into numpy.

    run = read_run("run.h5")
    run.metrics["loss"]                          # one row per iteration or epoch
    times, neurons = run.spikes("hidden")        # ms on the global time axis
    steps, neurons = run.trial_spikes("hidden", row=-1)
    pre, post, weight = run.weights("input->hidden")

`snnplast.record.layout` says what is in the file.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnplast.errors import UserError, unknown
from snnplast.files import usable
from snnplast.record.apart import Stamp
from snnplast.record.digest import digest, of_text
from snnplast.record.reader import open_run


class Metrics(dict[str, np.ndarray]):
    """Rows by name; a name that is not there is refused with the nearest one."""

    def __missing__(self, name: str) -> np.ndarray:
        raise UserError(unknown("metric", str(name), self))


@dataclass(frozen=True)
class Run:
    """A run's file. What is small was read when it was opened; spikes, states and weights are read when asked for.

    Attributes
    ----------
    status : "finished", "failed", "interrupted", or "running" (also after a kill).
    config : the resolved config, as text.
    dt : time step, seconds.
    metrics : name to (rows,) float64.
    per : metric name to "iteration" or "epoch".
    trials : structured array (n_trials,): trial, iteration, phase (text), start and stop (ms).
    populations : recorded population to number of neurons.
    states : names of the recorded state variables, "population/variable".
    projections : projection to its (source, target) populations.
    parameters : other parameters, such as biases, by name.
    resumable : whether it holds a checkpoint.
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
    populations: dict[str, int]
    states: list[str]
    projections: dict[str, tuple[str, str]]
    parameters: dict[str, np.ndarray]
    resumable: bool

    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        """(times in ms on the global time axis, neuron indices) of all recorded spikes, by time."""
        _check("population with recorded spikes", population, self.populations)
        with _opened(self.path) as (file, _):
            group = file["spikes"][population]
            return self._checked(population, group["timestamps"][:], group["node_ids"][:])

    def trial_spikes(self, population: str, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(steps, neuron indices) of the trial in row `row` of `trials`, as the engine gave them; reads only these."""
        _check("population with recorded spikes", population, self.populations)
        start, stop = self._steps(row)
        dt = self.dt * 1e3
        with _opened(self.path) as (file, _):
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
        with _opened(self.path) as (file, _):
            rows = file[f"states/{name}"]
            if row is not None and rows.attrs["per"] == "trial":
                start = range(len(self.trials))[row]
                stop = start + 1
            return rows[start:stop]

    def weights(self, projection: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(pre, post, weight) of the last stored weights, in Brian2's synapse order."""
        _check("projection with stored weights", projection, self.projections)
        with _opened(self.path) as (file, _):
            group = file[f"weights/{projection}"]
            return group["pre"][:], group["post"][:], group["weight"][:]

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


def read_run(path: str | os.PathLike[str]) -> Run:
    """The run stored at `path`, also while it is still being written or after its process was killed.

    Raises
    ------
    UserError
        No such file, no HDF5 file, not the file of a run, or damaged.
    """
    path = usable(path)
    with _opened(path) as (file, stamp):
        return _run_in(path, stamp, file)


def _run_in(path: Path, stamp: Stamp, file: Any) -> Run:
    metrics = file.get("metrics", {})
    return Run(
        path=path,
        stamp=stamp,
        status=str(file.attrs["status"]),
        seed=int(file.attrs["seed"]),
        config=str(file.attrs["config"]),
        versions=json.loads(file.attrs["versions"]),
        dt=float(file.attrs["dt"]) / 1e3,
        metrics=Metrics({name: column[:] for name, column in metrics.items()}),
        per={name: str(column.attrs["per"]) for name, column in metrics.items()},
        trials=_with_text(file["trials"][:]),
        populations={name: int(group.attrs["size"]) for name, group in file.get("spikes", {}).items()},
        states=[f"{name}/{variable}" for name, group in file.get("states", {}).items() for variable in group],
        projections={
            name: (str(group.attrs["source"]), str(group.attrs["target"]))
            for name, group in file.get("weights", {}).items()
        },
        parameters={name: values[...] for name, values in file.get("parameters", {}).items()},
        resumable="checkpoint" in file,
    )


def read_checkpoint(path: Path) -> tuple[Run, dict[str, Any], dict[str, np.ndarray]]:
    """The run, attributes of the checkpoint in its file, and its arrays by name; both empty where there is none.

    Raises `UserError` where they cannot be read, or are not what the run has written.
    """
    arrays: dict[str, np.ndarray] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with _opened(path) as (file, stamp):
        run = _run_in(path, stamp, file)
        if "checkpoint" not in file:
            return run, {}, {}
        file["checkpoint"].visititems(add)
        attributes = dict(file["checkpoint"].attrs)
    written, settings = attributes.pop("digest", ""), attributes.pop("settings", "")
    if written != digest(arrays, attributes) or settings != of_text(run.config):
        raise UserError(f"'{path}': its checkpoint or settings are not those that its run has written: it cannot go on")
    return run, attributes, arrays


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Stamp]]:
    """The file, closed in the end; what h5py raises on data that anyone may have written is a sentence."""
    file, stamp = open_run(path)
    try:
        with file:
            yield file, stamp
    except UserError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise UserError(f"'{path}' is damaged: {first}") from error


def _with_text(trials: np.ndarray) -> np.ndarray:
    fields = [(name, "U16" if name == "phase" else trials.dtype[name]) for name in trials.dtype.names or ()]
    return trials.astype(fields)


def _check(kind: str, name: str, known) -> None:
    if name not in known:
        raise UserError(unknown(kind, name, known))
