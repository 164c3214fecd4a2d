"""What a run's file gets with the next burst: rows checked and laid out as the file has them, and their size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from snnplast.record.layout import ANSWER, RunLayout, TrialRows

Per = Literal["iteration", "epoch"]


@dataclass
class Buffers:
    """What has been recorded since the last burst.

    arrays: path to named columns and attributes; of those at one path the last ones count. nbytes: of all but them.
    """

    trials: list[TrialRows] = field(default_factory=list)
    answers: list[np.ndarray] = field(default_factory=list)
    history: list[tuple[int, dict[str, np.ndarray]]] = field(default_factory=list)
    metrics: dict[Per, list[dict[str, float]]] = field(default_factory=lambda: {"iteration": [], "epoch": []})
    arrays: dict[str, tuple[dict[str, np.ndarray], Mapping[str, str | int | float]]] = field(default_factory=dict)
    nbytes: int = 0

    @property
    def rows(self) -> bool:
        """Whether there are trials, answers or metrics."""
        return bool(self.trials or self.answers or self.metrics["iteration"] or self.metrics["epoch"])

    def add_trial(self, rows: TrialRows) -> None:
        self.trials.append(rows)
        self.nbytes += rows.nbytes

    def add_answers(self, rows: np.ndarray) -> None:
        self.answers.append(rows)
        self.nbytes += rows.nbytes

    def add_history(self, number: int, values: dict[str, np.ndarray]) -> None:
        self.history.append((number, values))
        self.nbytes += sum(array.nbytes for array in values.values())

    def add_metrics(self, per: Per, values: Mapping[str, float]) -> None:
        self.metrics[per].append({name: float(value) for name, value in values.items()})
        self.nbytes += 8 * len(values)

    def write(self, layout: RunLayout, before: dict[Per, int], per: Per, choice: Mapping[str, str | int]) -> None:
        """All of it into the file.

        before: rows of metrics that it has, counted on here. per: what a round is. choice: attributes of answers.
        """
        layout.add_trials(self.trials)
        layout.add_answers(self.answers, choice)
        layout.add_history(per, self.history)
        for kept, rows in self.metrics.items():
            layout.add_metrics(kept, before[kept], rows)
            before[kept] += len(rows)
        for path, (values, attributes) in self.arrays.items():
            layout.set_array(path, values, attributes)


def spike_rows(
    name: str, steps: np.ndarray, indices: np.ndarray, n_steps: int, size: int, before: int, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """(timestamps in ms, node ids), sorted by time, of spikes given as (steps, indices) of a trial and `size` neurons.

    before: steps of all trials before this one. dt: ms.
    """
    steps, indices = np.asarray(steps, "i8"), np.asarray(indices, "i8")
    if steps.shape != indices.shape or steps.ndim != 1:
        raise ValueError(f"spikes of '{name}': steps {steps.shape} and indices {indices.shape} must be equally long")
    if len(steps):
        last = n_steps - 1
        if steps.min() < 0 or steps.max() > last or indices.min() < 0 or indices.max() >= size:
            raise ValueError(f"spikes of '{name}': a step outside 0..{last} or a neuron outside 0..{size - 1}")
        if np.any(steps[1:] < steps[:-1]):
            order = np.argsort(steps, kind="stable")
            steps, indices = steps[order], indices[order]
    return (before + steps) * dt, indices.astype("u8")


def state_rows(name: str, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A copy of a variable's values, which have this shape."""
    rows = np.array(values, "f8")
    if rows.shape != shape:
        raise ValueError(f"states of '{name}': the shape is {rows.shape}, announced was {shape}")
    return rows


def answer_rows(
    index: int, iteration: int, phase: str, wanted: np.ndarray, answered: np.ndarray, units: int
) -> np.ndarray:
    """Rows of /answers of one trial, (stretches,); both are among so many units."""
    rows = np.zeros(len(wanted), ANSWER)
    rows["trial"], rows["iteration"], rows["phase"] = index, iteration, phase.encode()
    rows["stretch"], rows["wanted"], rows["answered"] = np.arange(len(wanted)), wanted, answered
    for name in ("wanted", "answered"):
        if np.any((rows[name] < 0) | (rows[name] >= units)):
            raise ValueError(f"trial {index}: {name} is {rows[name]}, units are 0 to {units} - 1")
    return rows
