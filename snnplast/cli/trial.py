"""`snnplast trial`: what a network does in one trial, as a figure and a table."""

from __future__ import annotations

import contextlib
from typing import get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from snnplast.activity.activity import Activity
from snnplast.activity.observe import observe
from snnplast.cli.output import figure_path, save
from snnplast.cli.run import say_engine
from snnplast.config.experiment import Experiment
from snnplast.config.model_file import users_code
from snnplast.config.targets import differences
from snnplast.engine import EngineChoice
from snnplast.errors import UserError, nearest
from snnplast.learning.rule import AfterTrial, Rule
from snnplast.random_streams import TEST
from snnplast.record.results import Run
from snnplast.report.console import emit
from snnplast.report.progress import number, summary
from snnplast.task.task import Task
from snnplast.training.prepared import available_engine
from snnplast.training.pretrain import open_simulation
from snnplast.training.recorder import PHASES
from snnplast.training.saved_weights import load_values


def show_trial(
    console: Console, experiment: Experiment, phase: str, index: int, run: Run | None, output: str | None
) -> None:
    """Simulates one trial, writes its figure, and prints what the populations did.

    phase: "training" or "test". index: which trial of it. run: whose weights and biases the network gets.
    output: the figure, by default NAME.trial.png. Raises `UserError` before anything is written.
    """
    path = figure_path(output or f"{experiment.title}.trial.png")
    task = experiment.task()
    number_of_phase = _checked(task, phase, index)
    say_engine(experiment.engine, console)
    engine = available_engine(experiment.engine)
    refusal = None
    with console.status("simulating the trial") if console.is_terminal else contextlib.nullcontext():
        try:
            activity = _observed(_with_face(experiment, "online"), engine, task, number_of_phase, index, run)
        except UserError as error:  # the factored face takes more networks; what it refuses as well is said then
            refusal = str(error)
            activity = _observed(_with_face(experiment, "factored"), engine, task, number_of_phase, index, run)

    from snnplast.activity.figure import draw  # matplotlib loads slowly, and the trial may fail before

    origin = f"weights of {run.path.name}" if run else "weights as drawn"
    outcome = _outcome(activity)
    title = f"{experiment.title}, {experiment.rule.name}: {phase} trial {index}, {origin}{outcome and '; '}{outcome}"
    save(draw(activity, title), path)
    if refusal:
        emit(console, f"no eligibility traces, since evaluation = 'online' is refused: {refusal}", wrap=False)
    emit(console, _populations(activity))
    emit(console, "")
    rows = {
        "model": experiment.title,
        "rule": f"{experiment.rule.name}, {_face(experiment.rule, refusal)}",
        "trial": f"{phase} trial {index}, seed {experiment.train.seed}, {activity.steps} steps",
        "weights": str(run.path) if run else "as drawn",
        **({"outcome": outcome} if outcome else {}),
        "figure": str(path),
    }
    summary(console, rows)


def _checked(task: Task, phase: str, index: int) -> int:
    """The number of the phase, if it has a trial `index`."""
    names = {name: number for number, name in PHASES.items()}
    if phase not in names:
        raise UserError(f"--phase: unknown phase {phase!r}; {nearest(phase, names)}")
    if names[phase] == TEST and not task.tests:
        raise UserError("--phase test: this task has no test trials; --phase training is allowed")
    allowed = f"0 to {task.tests - 1}" if names[phase] == TEST else "0 and above"
    if index < 0 or (names[phase] == TEST and index >= task.tests):
        raise UserError(f"--index {index}: there is no such {phase} trial; {allowed} are allowed")
    return names[phase]


def _with_face(experiment: Experiment, evaluation: str) -> Experiment:
    """The experiment with another evaluation of all its rules."""
    others = {name: _evaluated(rule, evaluation) for name, rule in experiment.others.items()}
    return experiment.changed(rule=_evaluated(experiment.rule, evaluation), others=others)


def _evaluated(rule: Rule, evaluation: str) -> Rule:
    if not isinstance(rule, AfterTrial):
        return rule  # it has one way only
    faces = get_args(type(rule).model_fields["evaluation"].annotation)
    if evaluation not in faces:
        raise UserError(f"rule {rule.name!r} knows {' and '.join(map(repr, faces))} only")
    return rule.model_copy(update={"evaluation": evaluation})


def _face(rule: Rule, refusal: str | None) -> str:
    """How the rule came to what is shown."""
    if not isinstance(rule, AfterTrial):
        return rule.face
    return "factored" if refusal else "online"


def _observed(
    experiment: Experiment, engine: EngineChoice, task: Task, phase: int, index: int, run: Run | None
) -> Activity:
    simulation = open_simulation(
        experiment.network, task.objective, experiment.rule, experiment.train.seed, engine,
        others=experiment.others,
    )  # fmt: skip
    with simulation.engine, users_code(experiment.file), np.errstate(over="ignore", invalid="ignore"):
        if run is not None:
            try:
                load_values(run, simulation)
            except UserError as error:
                different = "; ".join(
                    [d for d in differences(experiment.text(), run.config) if ".evaluation is" not in d][:3]
                )
                raise UserError(f"{error}; {different}" if different else str(error)) from None
        return observe(simulation, task, phase, index)


def _outcome(activity: Activity) -> str:
    """Loss, return and correctness in words."""
    known = (f"{name} {number(activity.metrics[name])}" for name in ("loss", "return") if name in activity.metrics)
    found, correct = ", ".join(known), activity.metrics.get("accuracy")
    if correct is None:
        return found
    words = {0.0: "wrong", 1.0: "correct"}
    return f"{found}, {words.get(correct, f'{correct:.0%} of the answers correct')}"


def _populations(activity: Activity) -> Table:
    """What each kind of neuron did."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("population")
    for column in ("neurons", "spikes", "mean rate", "largest rate", "silent"):
        table.add_column(column, justify="right")
    duration = activity.steps * activity.dt
    for group in activity.groups:
        counts = activity.counts(group)
        rates = (f"{rate / duration:.1f} Hz" for rate in (counts.mean(), counts.max()))
        table.add_row(group.name, str(counts.size), str(counts.sum()), *rates, str(np.sum(counts == 0)))
    return table
