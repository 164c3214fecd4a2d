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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnplast.errors import UserError, unknown
from snnplast.record.atomic_file import open_consistent


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
    """

    path: Path
    status: str
    seed: int
    config: str
    versions: dict[str, str]
    dt: float
    metrics: dict[str, np.ndarray]
    per: dict[str, str]
    trials: np.ndarray
    populations: dict[str, int]
    states: list[str]
    projections: dict[str, tuple[str, str]]
    parameters: dict[str, np.ndarray]

    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        """(times in ms on the global time axis, neuron indices) of all recorded spikes, by time."""
        _check("population with recorded spikes", population, self.populations)
        with _open(self.path) as file:
            group = file["spikes"][population]
            return group["timestamps"][:], group["node_ids"][:].astype("i8")

    def trial_spikes(self, population: str, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(steps, neuron indices) of the trial in row `row` of `trials`, as the engine gave them; reads only these."""
        _check("population with recorded spikes", population, self.populations)
        start, stop = self._steps(row)
        dt = self.dt * 1e3
        with _open(self.path) as file:
            group = file["spikes"][population]
            low, high = (bisect_left(group["timestamps"], (step - 0.5) * dt) for step in (start, stop))
            steps = np.rint(group["timestamps"][low:high] / dt).astype("i8") - start
            return steps, group["node_ids"][low:high].astype("i8")

    def state(self, name: str, row: int | None = None) -> np.ndarray:
        """Variable "population/variable": (total_steps, n), or (steps, n) of the trial in row `row`.

        One that takes its value once per trial has (n_trials, n), or (1, n) of one trial.
        """
        _check("recorded state variable", name, self.states)
        start, stop = (None, None) if row is None else self._steps(row)
        with _open(self.path) as file:
            rows = file[f"states/{name}"]
            if row is not None and rows.attrs["per"] == "trial":
                start = range(len(self.trials))[row]
                stop = start + 1
            return rows[start:stop]

    def weights(self, projection: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(pre, post, weight) of the last stored weights, in Brian2's synapse order."""
        _check("projection with stored weights", projection, self.projections)
        with _open(self.path) as file:
            group = file[f"weights/{projection}"]
            return group["pre"][:], group["post"][:], group["weight"][:]

    def _steps(self, row: int) -> tuple[int, int]:
        trial = self.trials[row]
        return round(trial["start"] / (self.dt * 1e3)), round(trial["stop"] / (self.dt * 1e3))


def read_run(path: str | os.PathLike[str]) -> Run:
    """The run stored at `path`, also while it is still being written or after its process was killed.

    Raises
    ------
    UserError
        No such file, no HDF5 file, not the file of a run, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file '{path}'")
    try:
        file = _open(path)
    except OSError as error:
        raise UserError(f"'{path}' cannot be read as HDF5: {str(error).splitlines()[0]}") from error
    with file:
        if "status" not in file.attrs or "trials" not in file:
            raise UserError(f"'{path}' is not the file of a run: it has no status or no trials")
        try:
            return _run_in(path, file)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise UserError(f"'{path}' is damaged: {str(error).splitlines()[0]}") from error


def _run_in(path: Path, file: Any) -> Run:
    metrics = file.get("metrics", {})
    return Run(
        path=path,
        status=str(file.attrs["status"]),
        seed=int(file.attrs["seed"]),
        config=str(file.attrs["config"]),
        versions=json.loads(file.attrs["versions"]),
        dt=float(file.attrs["dt"]) / 1e3,
        metrics={name: column[:] for name, column in metrics.items()},
        per={name: str(column.attrs["per"]) for name, column in metrics.items()},
        trials=_with_text(file["trials"][:]),
        populations={name: int(group.attrs["size"]) for name, group in file.get("spikes", {}).items()},
        states=[f"{name}/{variable}" for name, group in file.get("states", {}).items() for variable in group],
        projections={
            name: (str(group.attrs["source"]), str(group.attrs["target"]))
            for name, group in file.get("weights", {}).items()
        },
        parameters={name: values[...] for name, values in file.get("parameters", {}).items()},
    )


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Attributes of the checkpoint in a run's file, and its arrays by name; both empty where there is none.

    Raises `UserError` where they cannot be read.
    """
    arrays: dict[str, np.ndarray] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    try:
        with _open(path) as file:
            if "checkpoint" not in file:
                return {}, {}
            file["checkpoint"].visititems(add)
            return dict(file["checkpoint"].attrs), arrays
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(f"'{path}': its checkpoint cannot be read: {str(error).splitlines()[0]}") from error


def _open(path: Path) -> Any:  # h5py's types do not know which path holds a group
    return open_consistent(path)


def _with_text(trials: np.ndarray) -> np.ndarray:
    fields = [(name, "U16" if name == "phase" else trials.dtype[name]) for name in trials.dtype.names or ()]
    return trials.astype(fields)


def _check(kind: str, name: str, known) -> None:
    if name not in known:
        raise UserError(unknown(kind, name, known))
