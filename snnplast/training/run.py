"""Running an experiment: simulation, training, the file it leaves, and what the user sees of it."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console, RenderableType

from snnplast.config.experiment import EngineChoice, Experiment
from snnplast.config.model_file import users_code
from snnplast.engine import compiler_available
from snnplast.errors import UserError
from snnplast.record.claim import Claim
from snnplast.record.place import claim_existing, claim_new
from snnplast.record.run_file import RunFile
from snnplast.report.console import emit
from snnplast.report.progress import number, summary
from snnplast.training.checkpoint import Checkpoint
from snnplast.training.interrupt import Interrupted, number_of
from snnplast.training.pretrain import open_simulation
from snnplast.training.provenance import origin
from snnplast.training.session import PHASES as PHASES
from snnplast.training.session import Session


def run(
    experiment: Experiment,
    console: Console,
    quiet: bool = False,
    checkpoint: Checkpoint | None = None,
    force: bool = False,
) -> Path | None:
    """`perform`, then figures beside the file and a summary; the path of the file."""
    session, engine, path = perform(experiment, console, quiet, checkpoint, force)
    try:
        figures = _figures(path) if path else []
    except UserError as error:
        raise UserError(f"{error}; the run itself is complete in '{path}'") from error
    if not quiet:
        summary(console, _summary(session, engine, path, figures))
        if path:
            emit(console, _metrics(path))
    return path


def perform(
    experiment: Experiment,
    console: Console,
    quiet: bool = False,
    checkpoint: Checkpoint | None = None,
    force: bool = False,
) -> tuple[Session, EngineChoice, Path | None]:
    """Train, and leave the file: the session that has ended, its engine, and the file, None where `record.path` is "".

    checkpoint: where to go on, in the file that it was read from. force: the file of another run may be overwritten.

    Raises
    ------
    UserError
        Settings, network, data and checkpoint do not fit, or something stands where the file is to be (nothing is
        written); a loss or gradient that is not finite.
    KeyboardInterrupt
        The file keeps what was recorded until then, with the status "interrupted".
    """
    claim = _claim(experiment, checkpoint, force)
    try:
        return _performed(experiment, console, quiet, checkpoint, claim)
    finally:
        if claim:
            claim.close()


def _claim(experiment: Experiment, checkpoint: Checkpoint | None, force: bool) -> Claim | None:
    """On the file of the run, before any work is done for it."""
    if checkpoint:
        return claim_existing(checkpoint.path, checkpoint.stamp)
    wanted = experiment.record.path
    return claim_new(Path(wanted), force, free=experiment.numbered) if wanted else None


def _performed(
    experiment: Experiment, console: Console, quiet: bool, checkpoint: Checkpoint | None, claim: Claim | None
) -> tuple[Session, EngineChoice, Path | None]:
    if claim and not checkpoint and str(claim.path) != str(Path(experiment.record.path)):
        experiment = replace(experiment, record=experiment.record.model_copy(update={"path": str(claim.path)}))
    engine = available_engine(experiment.engine, console, quiet)
    task = experiment.task()
    if experiment.train.epochs and not task.epoch:
        raise UserError(f"train.epochs: {experiment.title!r} has no epochs; train.iterations is needed")
    with console.status("building the network") if console.is_terminal and not quiet else contextlib.nullcontext():
        simulation = open_simulation(
            experiment.network, task.objective, experiment.rule, experiment.train.seed, engine.name, engine.target,
            others=experiment.others, recorded=experiment.record.variables,
        )  # fmt: skip
    # What overflows ends in a loss or gradient that is not finite, which the trainer reports.
    with simulation.engine, users_code(experiment.file), np.errstate(over="ignore", invalid="ignore"):
        session = Session.of(experiment, simulation, task, origin(engine, experiment, task))
        file: RunFile | None = None
        try:
            if checkpoint:
                session.go_on(checkpoint)
            with (
                contextlib.closing(session.trainer),
                session.display(console, quiet) as display,
                session.open(claim, display.tell) as file,
            ):
                session.train(file, display)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(number_of(interrupt), _remains(session, file.path if file else None)) from None
    return session, engine, file.path if file else None


def available_engine(wanted: EngineChoice, console: Console, quiet: bool = False) -> EngineChoice:
    """The engine asked for, or, where there is no compiler, the one that needs none; says so."""
    if wanted.name != "compiled" or compiler_available():
        return wanted
    if not quiet:
        emit(console, "no C++ compiler on the PATH: the runtime engine takes the place of the compiled one", wrap=False)
    return EngineChoice(name="runtime", target="numpy")  # Cython would need a compiler as well


def _remains(session: Session, path: Path | None) -> str:
    """What an interrupted run leaves, in words."""
    if path is None or not path.exists():
        return ""
    if not session.saved:
        return f"; '{path}' holds what was recorded until then"
    again = f"snnplast resume {shlex.quote(str(path))}"
    return f"; '{again}' goes on after update {session.saved} of {session.trainer.iterations}"


def _summary(session: Session, engine: EngineChoice, path: Path | None, figures: list[Path]) -> dict[str, str]:
    """What the table at the end says."""
    rule, trainer = session.experiment.rule, session.trainer
    heard = f", third factor {rule.third_factor.name}" if rule.third_factor else ""
    length = f"{trainer.iterations} updates"
    if session.per == "epoch":
        length += f" in {session.rounds} epoch{'s' * (session.rounds > 1)}"
    if session.first:
        length += f", {trainer.iterations - session.first} of them now"
    shown = {
        "model": session.experiment.title,
        "data": data_of(session.experiment),
        "rule": f"{rule.name}, {rule.evaluation}{heard}",
        "engine": engine.name,
        "training": f"{length}, {session.seconds:.1f} s",
    }
    if path is None:
        shown |= {name.replace("_", " "): number(value) for name, value in session.row.items()}
    else:
        size = f"{path.stat().st_size / 1e6:.3g} MB"
        shown |= {"recorded": session.recorded(), "file": f"{path}, {size}", "figures": ", ".join(map(str, figures))}
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
    from snnplast.record.results import read_run
    from snnplast.report.run_figures import summary

    table = summary(read_run(path))
    table.box = table.title = None
    table.padding = (0, 2, 0, 0)
    return table
