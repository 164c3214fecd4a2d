"""Trials that Brian2 ran itself, as a task that shows them and a trainer that learns from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from snnplast.network.network import Network
from snnplast.network.population import SpikeSource
from snnplast.random_streams import TRAINING
from snnplast.task.task import Task, Trial
from snnplast.task.trial import Record, Segment
from snnplast.training.chunk import Chunk
from snnplast.training.trainer import Trainer
from snnplast.training.trials import Learned
from snnplast.training.witness import Witness


class SeenTrials(Task):
    """What was seen of a trial, as a task that shows it."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.given: dict[str, np.ndarray] = {}

    def trial(self, index: int) -> Trial:
        seen = {name: self.witness.spikes(name) for name in self.sources}
        yield Segment(self.witness.kept, seen, self.given)

    def on(self, network: Network, batch: int = 1) -> SeenTrials:
        self.sources = [name for name, p in network.populations.items() if isinstance(p, SpikeSource)]
        return self


class SeenTrainer(Trainer):
    """Learns from trials that were seen.

    scale: of each weight, what the described network has for 1 of the script. neurons: all groups that are no sources.
    """

    task: SeenTrials
    scale: Mapping[str, np.ndarray]
    neurons: Sequence[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gathered: list[Chunk] = []
        self.applied: dict[str, np.ndarray] = {}
        self.seen = 0

    def watch_one(self, given: dict[str, np.ndarray]) -> None:
        """Learn from what the witness has kept."""
        self.task.given = given
        record = self.run(TRAINING, self.seen)
        chunk = Chunk(records=[record])
        chunk.add(*self._learn(record))
        self.gathered.append(chunk)
        record.history = {}
        self.seen += 1

    def _learn(self, record: Record) -> Learned:
        values = {name: v * self.scale.get(name, 1.0) for name, v in self.simulation.values.items()}
        for name, (of, order) in self.simulation.plan.tied().items():
            values[name] = values[of][order]
        record.values = values
        parts, measured = super()._learn(record)
        return [{name: g * self.scale[name] for name, g in part.items()} for part in parts], measured

    def measure(self, record: Record) -> dict[str, float]:
        spikes = sum(record.spikes[name][0].size for name in self.neurons)
        return super().measure(record) | {"spikes_per_trial": float(spikes)}

    def _batch_of(self, epoch: int) -> tuple[int, int]:
        return 0, len(self.gathered)

    def chunks(self, trials: range) -> Iterator[Chunk]:
        gathered, self.gathered = self.gathered, []
        yield from gathered

    def _apply(self, gradients: dict[str, np.ndarray]) -> None:
        super()._apply(gradients)
        self.applied = gradients
