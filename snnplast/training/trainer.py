"""The training loop: gradients of trials, updates, evaluation, and the state that a run goes on from."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from snnplast.errors import UserError
from snnplast.learning.capabilities import Prepares
from snnplast.learning.optimizer import Optimizer, State
from snnplast.learning.optimizing import Updates
from snnplast.learning.rule import AfterTrial
from snnplast.network.neurons import SpikingPopulation
from snnplast.random_streams import TEST, TRAINING
from snnplast.reads import Reads
from snnplast.simulation.agreement import refuse_in_pieces
from snnplast.simulation.simulation import Simulation
from snnplast.simulation.workers import Workers
from snnplast.task.task import Task
from snnplast.task.trial import Record
from snnplast.training.at_once import AtOnce, measured
from snnplast.training.chunk import Chunk, Gradients
from snnplast.training.trials import Trials

if TYPE_CHECKING:
    from snnplast.training.control import Control
    from snnplast.training.elsewhere import Elsewhere

ENGINE = "engine/"
"""Of a checkpoint's names: the state of a continuous run."""

STRETCH = 64
"""Updates of one call, where each trial is followed by one."""


@dataclass(frozen=True)
class Step:
    """What one iteration gave. size: number of trials. metrics: name -> value.

    trials: their records, valid until the next iteration; none where they are not wanted whole.
    """

    iteration: int
    epoch: int
    size: int
    trials: list[Record]
    metrics: dict[str, float]


@dataclass
class Trainer(Trials):
    """Trains an simulation on a task.

    iterations: number of updates of the whole run (schedules depend on it). Metrics of an iteration: `loss`,
    `accuracy` where the task classifies, what the task itself tells (`Measures`), `spikes_per_trial`,
    `synaptic_operations` (spikes x fan-out, forward), `learning_operations` (visits of plastic synapses by the rule),
    and what third factors report. All are means over the batch.
    workers: threads that run the trials of a batch side by side; results are bitwise the same for any number.
    watch: called with (phase, record) of every trial, in order. kept: variables whose history it needs.
    reads: notes the files that trials read.
    whole: of which trials, by phase and index, records must hold everything. Others may run in one call of compiled
        code, with the same results: records of tests then hold how well they went, and those of training are left out.
    control: whose gradients of the same trials it is compared with, which is a metric as well.
    elsewhere: where trials run if not here.
    """

    simulation: Simulation
    task: Task
    iterations: int
    workers: int = 1
    watch: Callable[[int, Record], None] | None = None
    kept: Sequence[str] = ()
    iteration: int = 0
    states: dict[str, State] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads)
    control: Control | None = None
    elsewhere: Elsewhere | None = None
    whole: Callable[[int, int], bool] = lambda phase, index: True
    _ended: UserError | None = field(default=None, init=False)
    """Why there are no further updates."""
    _going: bool = field(default=False, init=False)
    """Whether the next training trial goes on where the last one ended."""

    def __post_init__(self) -> None:
        self.task = self.task.on(self.simulation.network, self.batch)
        values = self.simulation.values
        self.states = {name: self._optimizer(name).init(values[name]) for name in self.simulation.optimised}
        network, wiring = self.simulation.network, self.simulation.plan.wiring
        self._fan_out = {name: np.zeros(network.populations[name].size, np.int64) for name in self.simulation.spiking}
        for name, projection in network.projections.items():
            if projection.simulated and projection.kind == "spiking":
                self._fan_out[projection.source] += wiring[name].fan_out()
        limits = {name: network.projections[name].limits(wiring[name].pre) for name in network.projections}
        for name, population in network.populations.items():
            if isinstance(population, SpikingPopulation):
                limits |= {f"{name}.{key}": sides for key, sides in population.limits(network.dt).items()}
        scales = {name: _scale(values[name], first) for name, first in self.simulation.plan.learnt.items()}
        self._updates = {
            name: Updates(
                self._optimizer(name),
                values[name],
                state,
                limits.get(name, (None, None)),
                scales.get(name),
                self.simulation.compiled,
            )
            for name, state in self.states.items()
        }
        if self.task.continuous:
            refuse_in_pieces(self.simulation.plan, self.simulation.plasticities)
        self._workers = Workers(self.simulation, 1 if self.sequential else self.workers)
        self.calls = AtOnce(self.simulation, self.task)

    @property
    def sequential(self) -> bool:
        """Whether a trial depends on the one before."""
        learned = any(plasticity.sequential for plasticity in self.simulation.plasticities)
        return bool(learned or self.simulation.persistent() or self.task.continuous)

    @property
    def batch(self) -> int:
        """Trials per update, the same for all rules."""
        return self.simulation.plasticities[0].rule.trials

    @property
    def scheduled(self) -> bool:
        """Whether learning depends on the length of the run: some optimiser has a schedule."""
        return any(self._optimizer(name).schedule.name != "constant" for name in self.simulation.optimised)

    def updates_per_epoch(self) -> int:
        """Updates that show every training sample once; the last one may hold fewer trials."""
        return -(-self.task.epoch // self.batch) if self.task.epoch else 1

    def __iter__(self) -> Iterator[Step]:
        while self.iteration < self.iterations:
            yield self.update()

    def advance(self, most: int) -> list[Step]:
        """The next updates, at most so many: several where each follows one trial and all can run in one call, or one.

        Nobody sees parameters between updates of one call.
        """
        if self._ended is not None:
            raise self._ended
        return self._at_a_stretch(min(most, STRETCH)) or [self.update()]

    def _at_a_stretch(self, most: int) -> list[Step]:
        here, per_epoch = self.iteration, self.updates_per_epoch()
        most = min(most, per_epoch - here % per_epoch) if self.task.epoch else most
        if most < 2 or self.batch > 1 or self.control is not None or self.elsewhere is not None:
            return []
        first, _ = self._batch_of(here // per_epoch)
        trials = range(first, first + most)
        if any(self.whole(TRAINING, index) for index in trials):
            return []
        stack, run = self._stacked(TRAINING, trials), range(here, self.iterations)
        found = None if stack is None else self.calls.stretched(self.simulation, stack, trials, self._updates, run)
        if found is None:
            return []
        outcome, done = found
        steps = [Step(here + k + 1, (here + k) // per_epoch, 1, [], measured(outcome, k)) for k in range(done)]
        self.iteration += done
        if done < most:
            try:
                self._check(outcome.gradients)
                self._check_loss(float(outcome.losses[done]))
            except UserError as error:
                if not steps:
                    raise
                self._ended = error
        return steps

    def update(self) -> Step:
        """One iteration: a batch of trials, the mean gradient, one optimiser step per parameter."""
        epoch = self.iteration // self.updates_per_epoch()
        first, size = self._batch_of(epoch)
        if self.control is not None:
            self.control.follow(self.simulation.values)
        gradients, records, metrics = self.learned(range(first, first + size))
        if self.control is not None:
            found = gradients | self.control.changed(self.simulation)
            metrics[self.control.name] = self.control.cosine(found, self.control.gradients(records))
        self._apply(gradients)
        for plasticity in self.simulation.plasticities if records else ():
            plasticity.assign(records[-1], self.simulation.values)
        self._check_loss(metrics.get("loss", 0.0))
        self.iteration += 1
        return Step(self.iteration, epoch, size, records, metrics)

    def _check_loss(self, loss: float) -> None:
        if not np.isfinite(loss):
            raise UserError(f"iteration {self.iteration + 1}: the loss is {loss}; a lower learning_rate may help")

    def learned(self, trials: range) -> tuple[dict[str, np.ndarray], list[Record], dict[str, float]]:
        """A batch of training trials: their mean gradient, which nothing is done with yet, records and metrics."""
        batch = Chunk()
        for chunk in self.chunks(trials):
            batch.join(chunk)
        means, metrics = batch.means(len(trials))
        return self._completed(means, batch.records), batch.records, metrics

    def run(self, phase: int, index: int) -> Record:
        """One trial alone: a pure function of (seed, phase, index), the parameters and persistent state."""
        with self._interrupting():
            return self._simulate(self.simulation, phase, index, self._draw(phase, index))

    def test(self, index: int) -> Record:
        """One test trial alone, with persistent state as it is before and after."""
        kept = {name: values.copy() for name, values in self.simulation.persistent().items()}
        try:
            return self.run(TEST, index)
        finally:
            for name, values in self.simulation.persistent().items():
                values[:] = kept[name]

    def evaluate(self) -> Generator[Record, None, None]:
        """The test trials, with parameters and persistent state as they are before and after."""
        kept = {name: values.copy() for name, values in self.simulation.persistent().items()}
        with self._interrupting():
            for record in self.tests(range(self.task.tests)):
                try:
                    yield record
                finally:  # also for who takes no more of them
                    for name, values in self.simulation.persistent().items():
                        values[:] = kept[name]

    @contextmanager
    def _interrupting(self) -> Iterator[None]:
        """Trials by themselves: weights and a continuous run are afterwards as if these had not been."""
        engine, going = self.simulation.engine, self._going
        values = {name: array.copy() for name, array in self.simulation.values.items()} if self._within else {}
        kept: dict[str, np.ndarray] = {}
        if self.task.continuous:
            engine.proceed()
            kept, self._going = engine.state(), False
        try:
            yield
        finally:
            if self.task.continuous:
                engine.restore(kept)
            for name, array in values.items():
                self.simulation.values[name][:] = array
            self._going = going

    @property
    def _within(self) -> bool:
        """Whether trials change weights, before or while they run."""
        rules = [plasticity.rule for plasticity in self.simulation.plasticities]
        return any(isinstance(rule, Prepares) or not isinstance(rule, AfterTrial) for rule in rules)

    def close(self) -> None:
        """Give up the engines of further workers, and of the control."""
        self._workers.close()
        if self.elsewhere is not None:
            self.elsewhere.close()
        if self.control is not None:
            self.control.close()

    def _completed(self, means: list[Gradients], records: list[Record]) -> dict[str, np.ndarray]:
        """The gradients of a batch: means over its trials, signals of the batch as a whole, what sources learn."""
        gradients, *units = means
        for plasticity, unit in zip(self.simulation.plasticities, units, strict=True):
            if unit:
                for name, gradient in plasticity.batch_gradient(unit, records).items():
                    gradients[name] = gradients[name] + gradient if name in gradients else gradient
            simulation = self.simulation
            gradients |= plasticity.adapted(gradients, simulation.values, simulation.plan.wiring)
        return gradients

    def state(self) -> dict[str, np.ndarray]:
        """Live views of everything that learning changes, by name; with it a run goes on bitwise as if uninterrupted.

        'iteration' (a copy); 'values/...': all weights and biases; 'optimizer/...'; 'source/...': memories of third
        factors; 'persistent/...': state of the network that outlives trials; 'engine/...': of a continuous run.
        """
        found: dict[str, np.ndarray] = {"iteration": np.array(self.iteration)}
        found |= {f"values/{name}": values for name, values in self.simulation.values.items()}
        found |= {f"optimizer/{name}/{key}": v for name, state in self.states.items() for key, v in state.items()}
        for k, plasticity in enumerate(self.simulation.plasticities):
            for i, source in enumerate(plasticity.sources):
                found |= {f"source/{k}/{i}/{key}": values for key, values in source.state.items()}
        found |= {f"persistent/{name}": values for name, values in self.simulation.persistent().items()}
        if self.task.continuous:
            self.simulation.engine.proceed()
            found |= {f"{ENGINE}{name}": values for name, values in self.simulation.engine.state().items()}
        return found

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where `state` was taken. Raises `UserError` where it does not fit this experiment."""
        mine = self.state()
        for name in mine.keys() ^ state.keys():
            raise UserError(f"checkpoint: {name!r} is in {'the file' if name in state else 'the experiment'} only")
        for name, values in mine.items():
            if name.startswith(ENGINE):
                continue
            if values.shape != state[name].shape:
                raise UserError(f"checkpoint: {name!r} has shape {state[name].shape}, the experiment {values.shape}")
            if values.dtype != state[name].dtype:
                raise UserError(f"checkpoint: {name!r} is {state[name].dtype}, the experiment's {values.dtype}")
        if self.task.continuous:
            of_engine = {name.removeprefix(ENGINE): v for name, v in state.items() if name.startswith(ENGINE)}
            self.simulation.engine.restore(of_engine)
        for name, values in mine.items():
            if not name.startswith(ENGINE):
                values[...] = state[name]
        self.iteration = int(state["iteration"])
        self._going = self.task.continuous and self.iteration > 0

    def _batch_of(self, epoch: int) -> tuple[int, int]:
        """Index of the first trial of this iteration, and how many it holds."""
        if not self.task.epoch:
            return self.iteration * self.batch, self.batch
        place = (self.iteration % self.updates_per_epoch()) * self.batch
        return epoch * self.task.epoch + place, min(self.batch, self.task.epoch - place)

    def _check(self, gradients: Mapping[str, np.ndarray]) -> None:
        for name, gradient in gradients.items():
            if not np.isfinite(np.sum(gradient)):
                raise UserError(
                    f"iteration {self.iteration + 1}: the gradient of {name!r} is not finite; "
                    "a lower learning_rate, clip or bounds may help"
                )

    def _apply(self, gradients: dict[str, np.ndarray]) -> None:
        self._check(gradients)
        progress = self.iteration / self.iterations
        for name, gradient in gradients.items():
            self._updates[name](gradient, progress)
        self.simulation.tie()

    def _optimizer(self, name: str) -> Optimizer:
        rule, own = self.simulation.optimised[name]
        return rule.optimizers.get(name) or own or rule.optimizer


def _scale(values: np.ndarray, first: float | np.ndarray) -> np.ndarray:
    """What a constant of neurons is learned in parts of: its first value, or 1 where that is 0."""
    return np.where(np.asarray(first) == 0, 1.0, np.abs(np.broadcast_to(first, values.shape)))
