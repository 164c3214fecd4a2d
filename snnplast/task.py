"""What a network is asked to do: trials made of segments, each a pure function of (seed, index)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from functools import lru_cache

import numpy as np

from snnplast.errors import UserError
from snnplast.objective import CrossEntropy, Objective
from snnplast.trial import Record, Segment

TRAINING, TEST, ORDER, WEIGHTS, SOURCES = range(5)
"""First number of each stream of random numbers."""

BLOCK = 1 << 20
"""Values of a data set that are looked at together."""

Trial = Generator[Segment, Record, None]


def stream(seed: int, first: int, second: int = 0, third: int = 0) -> np.random.Generator:
    """Independent random numbers for a seed and up to three numbers, as a pure function of them.

    Philox is a function of key and counter: the key comes from the seed, the words from the upper counter words.
    """
    return np.random.Generator(np.random.Philox(key=_key(seed), counter=[0, first, second, third]))


@lru_cache(maxsize=16)
def _key(seed: int) -> np.ndarray:
    return np.random.SeedSequence(seed).generate_state(2, np.uint64)


class Task(ABC):
    """Trials for training and, where there are any, for testing.

    seed: trial k of phase p depends on (seed, p, k) only.
    objective: what the readout should do.
    epoch: number of training trials in an epoch; None for an endless stream.
    tests: number of test trials. batch: trials per update, set by the trainer; only published draws depend on it.
    """

    objective: Objective
    seed: int = 0
    epoch: int | None = None
    tests: int = 0
    batch: int = 1

    @abstractmethod
    def trial(self, index: int) -> Trial:
        """Training trial `index` = 0, 1, ...: yields segments, receives the record so far after each."""

    def test(self, index: int) -> Trial:
        """Test trial `index` in 0..tests-1."""
        raise UserError("this task has no test trials")


class Classification(Task):
    r"""Samples with class labels, each shown for a fixed time to a Poisson source, in a new order every epoch.

    x, x_test: values in [0, 1], shape (samples, n_input). labels, labels_test: integers in 0..classes-1. Arrays are not
    copied: of a memory-mapped one (`np.load(..., mmap_mode="r")`) only what is shown comes into memory.
    steps: duration of a sample in steps. source, objective.readout: the populations that take part.
    """

    def __init__(
        self,
        x: np.ndarray,
        labels: np.ndarray,
        x_test: np.ndarray,
        labels_test: np.ndarray,
        steps: int,
        seed: int,
        source: str = "input",
        objective: Objective | None = None,
    ) -> None:
        x, labels, x_test, labels_test = map(np.asarray, (x, labels, x_test, labels_test))
        for name, values in (("x", x), ("x_test", x_test)):
            low, high = _span(values)
            if values.size and not (low >= 0 and high <= 1):
                raise UserError(f"task.{name}: values must lie in [0, 1], these span {low:g} to {high:g}")
        if len(x) != len(labels) or len(x_test) != len(labels_test):
            raise UserError(
                f"task: {len(x)} samples but {len(labels)} labels (test: {len(x_test)} and {len(labels_test)})"
            )
        if not len(x):
            raise UserError("task: there are no training samples")
        for name, values in (("labels", labels), ("labels_test", labels_test)):
            if values.size and not (np.issubdtype(values.dtype, np.integer) and values.min() >= 0):
                raise UserError(f"task.{name}: integers from 0 are needed, not {values.min()!r}")
        self.objective = objective or CrossEntropy()
        self.seed, self.steps, self.source = seed, steps, source
        self.epoch, self.tests = len(x), len(x_test)
        self._sets = {TRAINING: (x, labels), TEST: (x_test, labels_test)}
        self._classes = int(max(values.max() for values in (labels, labels_test) if values.size)) + 1

    @lru_cache(maxsize=4)  # noqa: B019  a task lives as long as its run
    def order(self, epoch: int) -> np.ndarray:
        """The order of the training samples in an epoch."""
        return stream(self.seed, ORDER, epoch).permutation(len(self._sets[TRAINING][0]))

    def trial(self, index: int) -> Trial:
        epoch, place = divmod(index, len(self._sets[TRAINING][0]))
        return self._show(TRAINING, int(self.order(epoch)[place]))

    def test(self, index: int) -> Trial:
        return self._show(TEST, index)

    def _show(self, phase: int, sample: int) -> Trial:
        x, labels = self._sets[phase]
        target = np.zeros(self._classes)
        target[labels[sample]] = 1
        yield Segment(self.steps, {self.source: x[sample]}, {f"{self.objective.readout}.target": target})


def _span(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest value, NaN where there is one, by one pass that holds a block of samples at a time."""
    low, high = np.inf, -np.inf
    block = max(1, BLOCK * len(values) // max(1, values.size))
    for first in range(0, len(values) if values.size else 0, block):
        part = values[first : first + block]
        low, high = float(np.minimum(low, part.min())), float(np.maximum(high, part.max()))
    return low, high
