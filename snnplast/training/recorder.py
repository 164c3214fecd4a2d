"""What the file of a training run gets: its settings, trials with their spikes and variables, and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError, nearest
from snnplast.random_streams import TEST, TRAINING
from snnplast.record.buffers import Per
from snnplast.record.claim import Claim
from snnplast.record.layout import Kept
from snnplast.record.run_file import RunFile
from snnplast.simulation.simulation import Simulation
from snnplast.task.trial import Record
from snnplast.training.provenance import versions
from snnplast.training.trainer import Trainer

PHASES = {TRAINING: "training", TEST: "test"}


@dataclass(frozen=True)
class Recorder:
    """Gives a run's file what the experiment keeps. phases: those whose trials are kept."""

    trainer: Trainer
    experiment: Experiment
    phases: frozenset[int]

    @classmethod
    def of(cls, trainer: Trainer, experiment: Experiment) -> Recorder:
        """The one of a run before its first update."""
        chosen = experiment.record.trials or ("test" if trainer.task.tests else "training")
        return cls(trainer, experiment, frozenset(phase for phase, name in PHASES.items() if chosen in (name, "all")))

    def summary(self, per: Per) -> str:
        """Of what the file keeps spikes and variables, in words; "" where it keeps neither."""
        record, task = self.experiment.record, self.trainer.task
        if not (self.experiment.recorded_spikes or record.variables):
            return ""
        spikes = [f"spikes of {', '.join(self.experiment.recorded_spikes)}"] * bool(self.experiment.recorded_spikes)
        sizes = {TRAINING: task.epoch or self.trainer.batch, TEST: task.tests}
        trials = []
        for phase in sorted(self.phases):
            few = f"{record.first} of {sizes[phase]} " if 0 < record.first < sizes[phase] else ""
            trials.append(f"{few}{PHASES[phase]} trials")
        rounds = f"every {per}" if record.every == 1 else f"one {per} in {record.every} and the last"
        if trials == ["test trials"] and per == "iteration":
            rounds = "the end"
        return f"{', '.join([*spikes, *record.variables])} in {' and '.join(trials)} of {rounds}"

    def open(self, claim: Claim | None, per: Per, kept: Kept | None, tell: Callable[[str], None]) -> RunFile:
        """The file of the run, in memory without a claim.

        per: what a round is. kept: what stays of the file of a run that goes on. tell: takes a sentence about where it
        had to go. Raises `UserError`.
        """
        experiment, simulation, record = self.experiment, self.trainer.simulation, self.experiment.record
        states = {name.replace(".", "/"): int(np.size(simulation.engine[name])) for name in record.variables}
        return RunFile(
            claim,
            config=experiment.text(),
            seed=experiment.train.seed,
            versions=versions(),
            dt=simulation.network.dt,
            populations={name: population.size for name, population in simulation.network.populations.items()},
            spikes=experiment.recorded_spikes,
            states=states,
            once=[n.replace(".", "/") for n in record.variables if n in simulation.once or n in simulation.plan.asked],
            projections=list(simulation.network.projections),
            **self._choice(),
            per=per,
            kept=kept,
            tell=tell,
        )

    def _choice(self) -> dict[str, Any]:
        """How many answers the readout has to choose from, and what they stand for."""
        task, network = self.trainer.task, self.trainer.simulation.network
        if task.objective is None:
            return {}
        readout, classes = task.objective.readout, task.classes or ()
        units = network.population(readout).size
        if len(classes) > units:
            raise UserError(
                f"task.classes: {len(classes)} classes, but the readout {readout!r} has {units} units, one for each is "
                "needed"
            )
        return {"units": units, "classes": classes}

    def keeps(self, phase: int, index: int) -> bool:
        """Whether spikes or variables of a trial are kept, in a round that is."""
        experiment = self.experiment
        if phase not in self.phases or not (experiment.recorded_spikes or experiment.record.variables):
            return False
        return not experiment.record.first or self._place(phase, index) < experiment.record.first

    def _place(self, phase: int, index: int) -> int:
        """Of a trial in its round."""
        return index if phase == TEST else index % (self.trainer.task.epoch or self.trainer.batch)

    def trial(self, file: RunFile, phase: int, record: Record) -> None:
        """Answers, spikes and variables of a trial of a round that is kept, where its phase is, too."""
        trainer, most, judged = self.trainer, self.experiment.record.first, record.judgement
        if not (phase == TEST or phase in self.phases):
            return
        if judged is not None and judged.answered is not None and judged.wanted is not None:
            file.answers(record.index, PHASES[phase], judged.wanted, judged.answered, trainer.iteration)
        if phase not in self.phases or (most and self._place(phase, record.index) >= most):
            return
        file.trial(
            record.index,
            PHASES[phase],
            record.steps,
            iteration=self.trainer.iteration,
            spikes={name: record.spikes[name] for name in self.experiment.recorded_spikes},
            states={name.replace(".", "/"): self._rows(record, name) for name in self.experiment.record.variables},
        )

    def _rows(self, record: Record, name: str) -> np.ndarray:
        """What a variable was, (steps, n), or (1, n) where it takes, or is asked for, its value once per trial."""
        if name in self.trainer.simulation.plan.asked:
            return record.accumulated[name][None]
        return (
            record.during("response").ends[name][None] if name in self.trainer.simulation.once else record.history[name]
        )

    def parameters(self, file: RunFile) -> None:
        """Weights of all projections, and the other parameters, as they are now."""
        simulation = self.trainer.simulation
        for name, projection in simulation.network.projections.items():
            wiring, ends = simulation.plan.wiring[name], {"source": projection.source, "target": projection.target}
            unit = simulation.network.weight_unit(projection)
            file.weights(name, wiring.pre, wiring.post, simulation.values[name], **ends, unit=unit)
        for name, values in simulation.values.items():
            if name not in simulation.network.projections:
                file.parameter(name, values, population=name.partition(".")[0])


def check_names(experiment: Experiment, simulation: Simulation) -> None:
    """Populations that are to be recorded must spike in the network as it was built."""
    for name in experiment.recorded_spikes:
        if name not in simulation.spiking:
            raise UserError(f"record.spikes: unknown spiking population {name!r}; {nearest(name, simulation.spiking)}")
        if name in simulation.plan.flags["work"]:
            raise UserError(
                f"record.spikes: {name!r} fires after the trial, while it takes it up, in steps that are not kept"
            )
