"""An experiment on its engine, ready to be trained."""

from __future__ import annotations

from snnplast.config.experiment import Experiment
from snnplast.engine import NUMPY, EngineChoice, compiler_available
from snnplast.errors import UserError
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

NO_COMPILER = "no C++ compiler on the PATH: the runtime engine takes the place of the compiled one"


def available_engine(wanted: EngineChoice) -> EngineChoice:
    """The engine asked for, or, where there is no compiler, the one that needs none.

    Raises `UserError` where single precision is asked for, which only the compiled one has.
    """
    if wanted.name != "compiled" or compiler_available():
        return wanted
    if wanted.precision != NUMPY.precision:
        raise UserError(
            f"engine.precision = {wanted.precision!r}: only the compiled engine has it, and there is no C++ compiler "
            "on the PATH; 'double' is allowed"
        )
    return NUMPY


def simulation_of(experiment: Experiment, task: Task, engine: EngineChoice) -> Simulation:
    """Its network on an engine, with what is learned before the run. Raises `UserError`."""
    return open_simulation(
        experiment.network, task.objective, experiment.rule, experiment.train.seed, engine,
        others=experiment.others, recorded=experiment.record.variables,
    )  # fmt: skip


def trainer_of(experiment: Experiment, simulation: Simulation, task: Task) -> Trainer:
    """What trains it, before the first update."""
    trainer = Trainer(
        simulation,
        task,
        iterations=experiment.train.iterations or 0,
        workers=experiment.train.workers,
        kept=[name for name in experiment.record.variables if name not in simulation.plan.asked],
        reads=experiment.reads,
    )
    if experiment.train.epochs:
        trainer.iterations = experiment.train.epochs * trainer.updates_per_epoch()
    return trainer
