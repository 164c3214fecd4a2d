"""`snnplast run` and `snnplast resume`: what the user sees of a run, and the figures beside its file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, RenderableType

from snnplast.config.experiment import Experiment
from snnplast.engine import EngineChoice
from snnplast.errors import UserError
from snnplast.report.console import emit
from snnplast.report.progress import Display, number, summary
from snnplast.training.callbacks import Callbacks
from snnplast.training.checkpoint import Checkpoint
from snnplast.training.executors import factory_of
from snnplast.training.prepared import NO_COMPILER, available_engine
from snnplast.training.resume import continued
from snnplast.training.run import Performed, perform
from snnplast.training.saved_weights import kept_weights


def run(
    experiment: Experiment,
    console: Console,
    quiet: bool = False,
    checkpoint: Checkpoint | None = None,
    force: bool = False,
    weights: str | None = None,
    executor: str | None = None,
) -> Path | None:
    """`perform`, with its progress on the console; then figures beside the file and a summary; the file's path.

    weights: the file of a run, or of weights alone, that the first weights are taken from. executor: "module:function".
    """
    begun = kept_weights(weights, "--weights")
    if not quiet:
        say_engine(experiment.engine, console)
    factory = factory_of(executor) if executor else None
    shown = Callbacks([Display(console, quiet)])
    performed = perform(experiment, shown, checkpoint, force, begun, _tell, keep=False, executor=factory)
    path = performed.path
    try:
        figures = _figures(path) if path else []
    except UserError as error:
        raise UserError(f"{error}; the run itself is complete in '{path}'") from error
    if not quiet:
        summary(console, _summary(performed, figures))
        if path:
            emit(console, _metrics(path))
    return path


def resume(
    path: str | os.PathLike[str],
    sets: Sequence[str],
    console: Console,
    quiet: bool = False,
    inexact: bool = False,
    executor: str | None = None,
) -> None:
    """Let the run of a file go on from its last checkpoint, in the same file; arguments and errors of `continued`."""
    experiment, checkpoint = continued(path, sets, inexact)
    run(experiment, console, quiet, checkpoint, executor=executor)


def say_engine(wanted: EngineChoice, console: Console) -> None:
    """Say so where another engine has to take the place of the one wanted."""
    if available_engine(wanted).name != wanted.name:
        emit(console, NO_COMPILER, wrap=False)


def _tell(sentence: str) -> None:
    """What the user must know, also where nothing but errors is shown."""
    emit(Console(stderr=True), f"snnplast: {sentence}", wrap=False)


def _summary(performed: Performed, figures: list[Path]) -> dict[str, str]:
    """What the table at the end says."""
    session, path = performed.session, performed.path
    rule, trainer = session.experiment.rule, session.trainer
    heard = f", third factor {rule.factors[0].name}" if rule.factors else ""
    length = f"{trainer.iterations} updates"
    if session.per == "epoch":
        length += f" in {session.rounds} epoch{'s' * (session.rounds > 1)}"
    if session.first:
        length += f", {trainer.iterations - session.first} of them now"
    if session.stopped:
        length += f", ended after {trainer.iteration}: {session.stopped}"
    shown = {
        "model": session.experiment.title,
        "data": data_of(session.experiment),
        "rule": f"{rule.name}, {rule.face}{heard}",
        "weights": f"begun with those of {session.start}" if session.start else "",
        "engine": f"{performed.engine.summary}; {trainer.way}",
        "training": f"{length}, {session.seconds:.1f} s",
    }
    if path is None:
        shown |= {name.replace("_", " "): number(value) for name, value in session.row.items()}
    else:
        size, recorded = f"{path.stat().st_size / 1e6:.3g} MB", session.recorder.summary(session.per)
        shown |= {"recorded": recorded, "file": f"{path}, {size}", "figures": ", ".join(map(str, figures))}
    return {name: text for name, text in shown.items() if text}


def data_of(experiment: Experiment) -> str:
    """What the model says of its data; else the files that it has read."""
    files = [f"'{file}'" for file in experiment.reads.data]
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return experiment.model.data() or ", ".join(files[:3]) + more


def _figures(path: Path) -> list[Path]:
    """Learning curves and raster, drawn beside the file."""
    from snnplast.report.run_figures import write_figures  # matplotlib loads slowly, and training may fail before

    return write_figures(path)


def _metrics(path: Path) -> RenderableType:
    """The table of what the file holds, in the style of the lines above it."""
    from snnplast.record.reading import read_run
    from snnplast.report.run_figures import summary

    table = summary(read_run(path))
    table.box = table.title = None
    table.padding = (0, 2, 0, 0)
    return table
