"""The training loop: trials, gradients, updates, evaluation, and the metrics of each iteration or epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from snnplast.assemble import Assembly
from snnplast.errors import UserError
from snnplast.neurons import SpikingPopulation
from snnplast.optimizer import Optimizer, State
from snnplast.simulate import simulate
from snnplast.task import SOURCES, TEST, TRAINING, Task, stream
from snnplast.trial import Record


@dataclass(frozen=True)
class Step:
    """What one iteration (or, with `test_accuracy`, the end of an epoch) gave. metrics: name -> value."""

    iteration: int
    epoch: int
    trials: list[Record]
    metrics: dict[str, float]


@dataclass
class Trainer:
    """Trains an assembly on a task.

    iterations: number of updates of the whole run (schedules depend on it). Metrics of an iteration: `loss`,
    `accuracy` where the task classifies, `spikes_per_trial`, `synaptic_operations` (spikes x fan-out, forward), and
    what third factors report. All are means over the batch.
    """

    assembly: Assembly
    task: Task
    iterations: int
    iteration: int = 0
    trials_done: int = 0
    states: dict[str, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.task.batch = self.batch
        values = self.assembly.values
        self.states = {name: self._optimizer(name).init(values[name]) for name in self.assembly.parameters}
        self._fan_out = {
            source: sum(
                self.assembly.plan.wiring[p.name].fan_out()
                for p in self.assembly.network.projections.values()
                if p.source == source and p.simulated and p.kind == "spiking"
            )
            for source in self.assembly.spiking
        }

    @property
    def batch(self) -> int:
        """Trials per update."""
        return max(teacher.rule.batch for teacher in self.assembly.teachers)

    def updates_per_epoch(self) -> int:
        """Updates that show every training sample once; the last one may hold fewer trials."""
        return -(-self.task.epoch // self.batch) if self.task.epoch else 1

    def __iter__(self) -> Iterator[Step]:
        while self.iteration < self.iterations:
            yield self.update()

    def update(self) -> Step:
        """One iteration: a batch of trials, the mean gradient, one optimiser step per parameter."""
        epoch = self.iteration // self.updates_per_epoch()
        first, size = self._batch_of(epoch)
        for teacher in self.assembly.teachers:
            for factor, _ in teacher.factors:
                factor.prepare(self.assembly.network, self.assembly.values, self.assembly.plan.wiring)
        total: dict[str, np.ndarray] = {}
        sums: dict[str, float] = {}
        records = []
        for index in range(first, first + size):
            record = self.run(TRAINING, index)
            for name, gradient in self._gradient(record).items():
                if name in total:
                    total[name] += gradient
                else:
                    total[name] = gradient if size == 1 else gradient.copy()
            measured = self.measure(record)
            for teacher in self.assembly.teachers:
                measured |= teacher.report()
            for name, value in measured.items():
                sums[name] = sums.get(name, 0.0) + value / size
            records.append(record)
        self._apply({name: gradient if size == 1 else gradient / size for name, gradient in total.items()})
        if not np.isfinite(sums["loss"]):
            raise UserError(f"iteration {self.iteration + 1}: the loss is {sums['loss']}; a lower learning_rate may help")
        self.iteration += 1
        self.trials_done = first + size
        return Step(self.iteration, epoch, records, sums)

    def run(self, phase: int, index: int) -> Record:
        """Simulate trial `index` of a phase, a pure function of (seed, phase, index) and the parameters."""
        trial = self.task.trial(index) if phase == TRAINING else self.task.test(index)
        return simulate(self.assembly, trial, index, self.task.seed, stream(self.task.seed, SOURCES, phase, index))

    def evaluate(self) -> Iterator[Record]:
        """The test trials, with parameters and persistent state as they are before and after."""
        kept = {name: values.copy() for name, values in self.assembly.persistent().items()}
        for index in range(self.task.tests):
            yield self.run(TEST, index)
            for name, values in self.assembly.persistent().items():
                values[:] = kept[name]

    def measure(self, record: Record) -> dict[str, float]:
        """Metrics of one trial."""
        assert record.judgement is not None
        metrics = {"loss": record.judgement.loss}
        if record.judgement.correct is not None:
            metrics["accuracy"] = record.judgement.correct
        neurons = [n for n in self.assembly.spiking if isinstance(self.assembly.network.populations[n], SpikingPopulation)]
        metrics["spikes_per_trial"] = float(sum(record.spikes[name][0].size for name in neurons))
        metrics["synaptic_operations"] = float(
            sum(np.sum(np.broadcast_to(self._fan_out[n], self._size(n))[record.spikes[n][1]]) for n in self.assembly.spiking)
        )
        return metrics

    def state(self) -> dict[str, np.ndarray]:
        """Live views of everything that learning changes, by name; with it a run goes on bitwise as if uninterrupted.

        'iteration' (a copy); 'values/...': all weights and biases; 'optimizer/...'; 'source/...': memories of third
        factors; 'persistent/...': state of the network that outlives trials.
        """
        found: dict[str, np.ndarray] = {"iteration": np.array(self.iteration)}
        found |= {f"values/{name}": values for name, values in self.assembly.values.items()}
        found |= {f"optimizer/{name}/{key}": v for name, state in self.states.items() for key, v in state.items()}
        for k, teacher in enumerate(self.assembly.teachers):
            for i, state in enumerate(teacher.states):
                found |= {f"source/{k}/{i}/{key}": values for key, values in state.items()}
        return found | {f"persistent/{name}": values for name, values in self.assembly.persistent().items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where `state` was taken. Raises `UserError` where it does not fit this experiment."""
        mine = self.state()
        for name in mine.keys() ^ state.keys():
            raise UserError(f"checkpoint: {name!r} is in {'the file' if name in state else 'the experiment'} only")
        for name, values in mine.items():
            if values.shape != state[name].shape:
                raise UserError(f"checkpoint: {name!r} has shape {state[name].shape}, the experiment {values.shape}")
        for name, values in mine.items():
            values[...] = state[name]
        self.iteration = int(state["iteration"])

    def _size(self, population: str) -> int:
        return self.assembly.network.populations[population].size

    def _batch_of(self, epoch: int) -> tuple[int, int]:
        """Index of the first trial of this iteration, and how many it holds."""
        if not self.task.epoch:
            return self.iteration * self.batch, self.batch
        place = (self.iteration % self.updates_per_epoch()) * self.batch
        return epoch * self.task.epoch + place, min(self.batch, self.task.epoch - place)

    def _gradient(self, record: Record) -> dict[str, np.ndarray]:
        gradients: dict[str, np.ndarray] = {}
        for teacher in self.assembly.teachers:
            gradients |= teacher.gradient(record, self.assembly.objective)
        return gradients

    def _apply(self, gradients: dict[str, np.ndarray]) -> None:
        for name, gradient in gradients.items():
            if not np.isfinite(np.sum(gradient)):
                raise UserError(
                    f"iteration {self.iteration + 1}: the gradient of {name!r} is not finite; "
                    "a lower learning_rate, clip or bounds may help"
                )
        progress = self.iteration / self.iterations
        for name, gradient in gradients.items():
            bounds = self.assembly.network.projections[name].bounds if "." not in name else (None, None)
            self._optimizer(name).update(self.assembly.values[name], gradient, self.states[name], progress, bounds)

    def _optimizer(self, name: str) -> Optimizer:
        rule, own = self.assembly.parameters[name]
        return rule.optimizers.get(name) or own or rule.optimizer
