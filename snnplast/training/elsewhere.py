"""The near side of an executor: pieces of a batch go out with the weights, and come back in their order."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError
from snnplast.random_streams import TEST, TRAINING
from snnplast.task.task import Measures
from snnplast.task.trial import Record, Spikes
from snnplast.training.chunk import Chunk, chunks
from snnplast.training.executors import Crew, Factory
from snnplast.training.trainer import Trainer
from snnplast.training.worker import Done, Work, packed, work

AT_ONCE = 64
"""Pieces under way, at most: each goes out with all weights."""
TESTS = 32
"""Test trials of a piece; nothing is summed there, so that any number gives the same."""


class Elsewhere:
    """Trials of a trainer on an executor: the same bits as here, whoever computes which piece.

    experiment: the trainer's. found: its origin; workers where another version, processor or file would make other
    bits are refused. executor: as `Crew` says.

    Raises `UserError` where trials depend on the ones before them, or run in threads already.
    """

    def __init__(
        self, experiment: Experiment, trainer: Trainer, found: Mapping[str, str], executor: Executor | Factory
    ) -> None:
        if trainer.sequential:
            raise UserError(
                f"executor: with rule {experiment.rule.name!r} on this network each trial depends on the one before: "
                "they cannot be shared out, as the runs of a sweep can"
            )
        if experiment.train.workers > 1:
            raise UserError(
                f"executor: train.workers = {experiment.train.workers}: trials run in these threads, or on the workers "
                "of an executor, not both"
            )
        self._experiment = packed(experiment, found)
        self._key = hashlib.sha256(self._experiment).hexdigest()
        self._crew = Crew(executor)

    def chunks(self, trainer: Trainer, trials: range) -> Iterator[Chunk]:
        """What chunks of training trials leave, in order."""
        for done in self._each(trainer, TRAINING, chunks(trials), _over_batch(trainer)):
            yield Chunk(done.gradients, done.metrics, _records(trainer, done))

    def tests(self, trainer: Trainer, trials: range) -> Iterator[Record]:
        """Records of test trials, in order."""
        pieces = (trials[k : k + TESTS] for k in range(0, len(trials), TESTS))
        for done in self._each(trainer, TEST, pieces, isinstance(trainer.task, Measures)):
            yield from _records(trainer, done)

    def close(self) -> None:
        """Give up the executor, if it was made here."""
        self._crew.close()

    def _each(self, trainer: Trainer, phase: int, pieces: Iterator[range], full: bool) -> Iterator[Done]:
        """What pieces leave, in their order. full: all records must hold everything, not those alone that are kept."""
        state = {name: values for name, values in trainer.state().items() if name.startswith(("values/", "source/"))}
        sent = pickle.dumps(state, protocol=5)
        waiting = [
            Work(self._key, None, sent, phase, trials, full or any(trainer.whole(phase, index) for index in trials))
            for trials in pieces
        ]
        found: dict[int, Done] = {}
        expected = iter([asked.trials.start for asked in waiting])
        following = next(expected, None)
        while waiting:
            unknown: list[Work] = []  # a process that has no such experiment yet is sent it
            for asked, future in self._crew.each(work, waiting, AT_ONCE):
                answer = future.result()
                if answer is None:
                    unknown.append(asked._replace(experiment=self._experiment))
                    continue
                found[asked.trials.start] = self._noted(trainer, pickle.loads(answer))
                while following in found:
                    yield found.pop(following)
                    following = next(expected, None)
            waiting = unknown

    def _noted(self, trainer: Trainer, done: Done) -> Done:
        """Files that were read there are files of the run."""
        for mine, theirs in zip((trainer.reads.data, trainer.reads.modules), done.reads, strict=True):
            mine.update({file: found for file, found in theirs.items() if file not in mine})
        return done


def _over_batch(trainer: Trainer) -> bool:
    """Whether some third factor looks at all trials of a batch together."""
    return any(source.over_batch for plasticity in trainer.simulation.plasticities for source in plasticity.sources)


def _records(trainer: Trainer, done: Done) -> list[Record]:
    simulation = trainer.simulation
    shared = (simulation.network, simulation.plan.wiring, simulation.values)
    absent = {"spikes": NotHere(), "history": NotHere(), "names": simulation.plan.names}
    return [Record(*shared, **absent | held) for held in done.records]


class NotHere(Mapping[str, Any]):
    """Spikes and histories that nothing has asked for: they stayed where the trial ran."""

    def __getitem__(self, name: str) -> Spikes:
        raise UserError(
            f"{name!r}: spikes and histories of this trial stayed on the executor's worker; those that `record` keeps "
            "come back"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
