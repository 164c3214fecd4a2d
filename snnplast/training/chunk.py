"""Trials of a batch that are summed together: what one worker takes at a time.

Sums of floating-point numbers depend on their order. So a batch is cut into chunks of fixed length, the trials of a
chunk are summed in their order, and then the chunks in theirs: the same bits whoever computes which chunk, and when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from snnplast.task.trial import Record

LENGTH = 4
"""Trials of a chunk; the last one of a batch may be shorter."""

Gradients = dict[str, np.ndarray]


def chunks(trials: range) -> Iterator[range]:
    """Consecutive trials in pieces.

    >>> list(chunks(range(10, 16)))
    [range(10, 14), range(14, 16)]
    """
    return (trials[k : k + LENGTH] for k in range(0, len(trials), LENGTH))


@dataclass
class Chunk:
    """What some trials left together.

    gradients: sums over the trials, by their own signals, then, for each plasticity, by a signal of 1.
    metrics: sums over the trials. records: of each of them, in order.

    >>> chunk = Chunk()
    >>> for trial in range(3):
    ...     chunk.add([{"w": np.ones(2)}], {"loss": trial})
    >>> chunk.gradients, chunk.metrics
    ([{'w': array([3., 3.])}], {'loss': 3})
    """

    gradients: list[Gradients] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def add(self, gradients: list[Gradients], metrics: Mapping[str, float], copy: bool = True) -> None:
        """Add what a trial, or a chunk, left. copy: gradients may be views, and what comes first is added to."""
        if not self.gradients:
            self.gradients = [{} for _ in gradients]
        for total, part in zip(self.gradients, gradients, strict=True):
            for name, gradient in part.items():
                if name in total:
                    total[name] += gradient
                else:
                    total[name] = gradient.copy() if copy else gradient
        for name, value in metrics.items():
            self.metrics[name] = self.metrics[name] + value if name in self.metrics else value

    def join(self, other: Chunk) -> None:
        """Add the chunk that follows."""
        self.add(other.gradients, other.metrics, copy=False)
        self.records += other.records

    def means(self, trials: int) -> tuple[list[Gradients], dict[str, float]]:
        """Gradients and metrics per trial; the gradients are taken from the chunk, and are no views of others'."""
        if trials > 1:
            for part in self.gradients:
                for gradient in part.values():
                    gradient /= trials
        return self.gradients, {name: value / trials for name, value in self.metrics.items()}
