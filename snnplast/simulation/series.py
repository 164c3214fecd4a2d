"""Series of a trial: joined over its segments, completed by what the task knows at the end, and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnplast.described import reals
from snnplast.errors import UserError
from snnplast.simulation.simulation import Simulation
from snnplast.task.objective import Objective
from snnplast.task.trial import Record, as_series

Given = list[tuple[np.ndarray, int]]
"""Values of one series and steps of each segment that gave it."""


def joined(name: str, parts: Given, steps: int) -> np.ndarray:
    """One row per step from the values of all segments."""
    covered = sum(length for _, length in parts)
    if covered != steps:
        raise UserError(
            f"task: series {name!r} covers {covered} of {steps} steps; every segment of the trial must give it"
        )
    if len(parts) == 1:
        values, _ = parts[0]
        return np.broadcast_to(values, (steps, values.shape[-1]))
    rows = np.concatenate([values.reshape(-1, values.shape[-1]) for values, _ in parts])
    repeats = [[length] if values.ndim == 1 else [1] * length for values, length in parts]
    return np.repeat(rows, np.concatenate(repeats), axis=0)


def add_known(simulation: Simulation, record: Record, known: Any) -> None:
    """What the task knows only at the end of a trial joins what its segments gave."""
    if known is None:
        return
    if not isinstance(known, Mapping) or not all(isinstance(name, str) for name in known):
        raise UserError(f"task: trial {record.index} returns {known!r}; a dictionary of series by name is allowed")
    window = None if simulation.objective is None else f"{simulation.objective.readout}.in_window"
    for name, given in known.items():
        if "." not in name:
            record.series[name] = reals(f"task: trial {record.index} returns {name!r}", given)
            continue
        if name in record.series:
            raise UserError(f"task: trial {record.index} returns {name!r}, which its segments gave already")
        if simulation.written(name):
            raise UserError(
                f"task: trial {record.index} returns {name!r}, which the network needs while the trial runs; give it "
                "with every segment, or learn with evaluation = 'factored'"
            )
        values, size = as_series(name, given), simulation.network.population(name.partition(".")[0]).size
        if name == window and simulation.objective is not None:
            size = 1
            check_window(simulation.objective, name, values)
        if values.shape not in ((size,), (record.steps, size)):
            raise UserError(
                f"task: series {name!r} has shape {values.shape}; allowed are ({size},) and ({record.steps}, {size})"
            )
        record.series[name] = np.broadcast_to(values, (record.steps, size))


def check_window(objective: Objective, name: str, values: np.ndarray) -> None:
    """Raise `UserError` for a learning window of the task's that the objective contradicts, or that is not 0 and 1."""
    if objective.window is not None:
        raise UserError(f"task: series {name!r} and objective.window = {objective.window} contradict: give one of them")
    if not np.all((values == 0) | (values == 1)):
        raise UserError(f"task: series {name!r} holds {np.unique(values)}; allowed are 0 and 1")


def pronounce(objective: Objective, record: Record, others: Sequence[str] = ()) -> None:
    """What the objective says of the trial, within the learning window that the task gave or the objective has.

    others: further readouts, of which the same is wanted.
    """
    readout = objective.readout
    if f"{readout}.target" not in record.series:
        raise UserError(f"task: the trial gives no series '{readout}.target' for the objective")
    record.series.setdefault(f"{readout}.in_window", objective.in_window(record.steps)[:, None])
    in_window = record.in_window(readout)
    if not (np.any(in_window) or objective.optional):
        raise UserError(f"task: series '{readout}.in_window' is 0 wherever the readout is judged: no step counts")
    compiled = record.compiled and objective.compiled
    judge = objective.judge_compiled if compiled else objective.judge
    record.judgement = judge(record.activity(readout), record.target(readout), in_window)
    record.series[f"{readout}.error"] = record.judgement.error
    target, window = record.series[f"{readout}.target"], record.series[f"{readout}.in_window"][:, 0]
    for name in others:
        record.series[f"{name}.error"] = judge(record.activity(name), target, window).error
