"""What the scripts of all participants share: the problem they are handed, how they are timed, what they give back.

A script is called as `python in_NAME.py PROBLEM.npz FOUND.npz` and needs numpy and its own library alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

COMPARED = 5
"""Iterations whose losses are compared, and after which weights are: the first ones, which are not timed."""
LEAST = 0.25
"""CPU seconds that a round lasts at least."""

Weights = dict[str, np.ndarray]


def problem() -> dict[str, Any]:
    """The arrays of the problem, scalars as numbers."""
    with np.load(sys.argv[1]) as file:
        return {name: array.item() if array.ndim == 0 else array for name, array in file.items()}


def give(**found: Any) -> None:
    """Write what was found, for `benchmarks/peers.py`."""
    np.savez(sys.argv[2], **found)


def take_part(
    given: dict[str, Any],
    iterate: Callable[[], float],
    weights: Callable[[], Weights],
    several: Callable[[int], object] | None = None,
) -> None:
    """Iterate, and give losses and weights of the first iterations and the CPU ms per iteration of each round.

    iterate: one iteration; its loss. several: so many, if there is a faster way than one by one.
    """
    losses = [float(iterate()) for _ in range(COMPARED)]
    compared = {name: np.array(matrix) for name, matrix in weights().items()}

    def one_by_one(count: int) -> None:
        for _ in range(count):
            iterate()

    give(losses=losses, ms=timed(several or one_by_one, given["rounds"]), **compared)


def timed(iterations: Callable[[int], object], rounds: int) -> list[float]:
    """CPU ms per iteration of so many rounds."""
    count = per_round(seconds(iterations, 1))
    return [1e3 * seconds(iterations, count) / count for _ in range(rounds)]


def per_round(one: float) -> int:
    """How many iterations a round has if one lasts so many seconds."""
    return max(1, round(LEAST / max(one, 1e-6)))


def seconds(iterations: Callable[[int], object], count: int) -> float:
    """CPU time of so many."""
    started = time.process_time()
    iterations(count)
    return time.process_time() - started


def dense(given: dict[str, Any], trial: int) -> np.ndarray:
    """Input spikes of a trial as zeros and ones, (steps, inputs)."""
    x = np.zeros((given["steps"], given["w_in"].shape[0]))
    mine = given["spike_trials"] == trial
    x[given["spike_steps"][mine], given["spike_indices"][mine]] = 1
    return x


def learn(given: dict[str, Any], train: Callable[[int], None], test: Callable[[], float]) -> None:
    """Train for epochs until the test accuracy is reached; give it and the CPU seconds of training after each."""
    accuracies: list[float] = []
    spent: list[float] = []
    for epoch in range(given["epochs"]):
        spent.append(sum(spent[-1:]) + seconds(train, epoch))
        accuracies.append(float(test()))
        if accuracies[-1] >= given["threshold"] or spent[-1] >= given["patience"]:
            break
    give(accuracies=accuracies, seconds=spent)
