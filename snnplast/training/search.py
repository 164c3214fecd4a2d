"""A search: which points of a grid are run is up to Optuna, which looks at how earlier ones went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from snnplast.errors import UserError, nearest
from snnplast.record.reading import read_run
from snnplast.training.early_stopping import lower_is_better
from snnplast.training.sweep import Axis, Point

TOGETHER = 5
"""Combinations proposed at a time, whatever runs side by side, so that the search is the same on any executor."""


def search(
    axes: Sequence[Axis], points: Sequence[Point], metric: str, tries: int, run: Callable[[Sequence[Point]], None]
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Combinations of values as Optuna's TPE proposes them, and the mean of a metric over their seeds.

    points: all there are. metric: of its last value; losses shall fall, everything else shall rise. tries: number of
    proposals; one that comes again is not run again. run: runs points. The sampler's seed is 0, so that the same search
    again proposes the same. A combination that failed, or whose metric is nan, counts as failed for Optuna, too.

    Raises `UserError` where Optuna is missing, or the runs have no such metric.
    """
    try:
        import optuna  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError("--search needs Optuna: pip install 'snnplast[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    places = {axis.key: _in_order(axis.values) for axis in axes}
    space = {key: _distribution(optuna, values) for key, values in places.items()}
    sampler = optuna.samplers.TPESampler(seed=0, constant_liar=True)
    study = optuna.create_study(direction="minimize" if lower_is_better(metric) else "maximize", sampler=sampler)
    tried: set[tuple[str, ...]] = set()
    for first in range(0, tries, TOGETHER):
        asked = [study.ask(space) for _ in range(min(TOGETHER, tries - first))]
        proposed = [tuple(places[axis.key][trial.params[axis.key]] for axis in axes) for trial in asked]
        new = [point for point in points if point.values in {*proposed} - tried]
        if new:
            run(new)
            _check(metric, new)
        tried |= {*proposed}
        for trial, values in zip(asked, proposed, strict=True):
            value = float(np.mean([point.metric(metric) for point in points if point.values == values]))
            if np.isfinite(value):
                study.tell(trial, value)
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            yield values, value


def _in_order(values: Sequence[str]) -> list[str]:
    """Numbers by size, since neighbours are alike; others as they are given."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return list(values)


def _distribution(optuna: Any, values: Sequence[str]) -> Any:
    """Places in a list of values: near each other for numbers, of kinds for others."""
    try:
        [float(value) for value in values]
    except ValueError:
        return optuna.distributions.CategoricalDistribution(range(len(values)))
    return optuna.distributions.IntDistribution(0, len(values) - 1)


def _check(metric: str, points: Sequence[Point]) -> None:
    """Raise `UserError` for a metric that runs do not have."""
    for point in points:
        if point.path.is_file() and (run := read_run(point.path)).status == "finished":
            if metric not in run.metrics:
                raise UserError(f"--search {metric}: the runs have no such metric; {nearest(metric, run.metrics)}")
            return
