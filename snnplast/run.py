"""Running an experiment: assembly, training, the file it leaves, and what the user sees of it."""

from __future__ import annotations

import contextlib
import platform
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
from rich.console import Console, RenderableType

from snnplast import __version__
from snnplast.assemble import Assembly, assemble
from snnplast.cli.console import emit
from snnplast.cli.progress import Display, number, summary
from snnplast.config.experiment import EngineChoice, Experiment
from snnplast.config.model_file import users_code
from snnplast.engine import compiler_available
from snnplast.errors import UserError, nearest
from snnplast.record.run_file import Per, RunFile, check_writable
from snnplast.task import TEST, TRAINING, Task
from snnplast.train import Trainer
from snnplast.trial import Record

PHASES = {TRAINING: "training", TEST: "test"}


def run(experiment: Experiment, console: Console, quiet: bool = False) -> Path | None:
    """Train, and leave the file; its path, or None where `record.path` is "".

    Raises
    ------
    UserError
        Settings, network and data do not fit (nothing is written); a loss or gradient that is not finite.
    KeyboardInterrupt
        The file keeps what was recorded until then, with the status "interrupted".
    """
    path = check_writable(experiment.record.path) if experiment.record.path else None
    engine = _available(experiment.engine)
    if engine is not experiment.engine and not quiet:
        emit(console, "no C++ compiler on the PATH: the runtime engine takes the place of the compiled one", wrap=False)
    task = experiment.task()
    if experiment.train.epochs and not task.epoch:
        raise UserError(f"train.epochs: {experiment.title!r} has no epochs; train.iterations is needed")
    with console.status("building the network") if console.is_terminal and not quiet else contextlib.nullcontext():
        assembly = assemble(
            experiment.network, task.objective, experiment.rule, experiment.train.seed, engine.name, engine.target,
            others=experiment.others, recorded=experiment.record.variables,
        )  # fmt: skip
    # What overflows ends in a loss or gradient that is not finite, which the trainer reports.
    with assembly.engine, users_code(experiment.file), np.errstate(over="ignore", invalid="ignore"):
        session = Session.of(experiment, assembly, task)
        try:
            with (
                contextlib.closing(session.trainer),
                session.display(console, quiet) as display,
                session.open(path) as file,
            ):
                session.train(file, display)
        except KeyboardInterrupt:
            kept = f"; '{path}' holds what was recorded until then" if path and path.exists() else ""
            raise KeyboardInterrupt(f"interrupted{kept}") from None
    figures = _figures(path) if path else []
    if not quiet:
        summary(console, session.summary(engine, path, figures))
        if path:
            emit(console, _metrics(path))
    return path


@dataclass
class Session:
    """One training run between its first and its last update.

    trainer: holds all that learning changes. rounds: rows of metrics so far; a round is an epoch, or an iteration of a
    task without epochs. row: the metrics of the last one.
    """

    trainer: Trainer
    experiment: Experiment
    trials: frozenset[int]
    rounds: int = 0
    seconds: float = 0.0
    row: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, experiment: Experiment, assembly: Assembly, task: Task) -> Session:
        """The session before its first update."""
        _check_names(experiment, assembly)
        trainer = Trainer(
            assembly,
            task,
            iterations=experiment.train.iterations or 0,
            workers=experiment.train.workers,
            kept=experiment.record.variables,
        )
        if experiment.train.epochs:
            trainer.iterations = experiment.train.epochs * trainer.updates_per_epoch()
        chosen = experiment.record.trials or ("test" if task.tests else "training")
        kept = {phase for phase, name in PHASES.items() if chosen in (name, "all")}
        return cls(trainer, experiment, frozenset(kept))

    @property
    def per(self) -> Per:
        """What a round is."""
        return "epoch" if self.trainer.task.epoch else "iteration"

    @property
    def total(self) -> int:
        """Number of rounds."""
        return -(-self.trainer.iterations // self.trainer.updates_per_epoch())

    def display(self, console: Console, quiet: bool) -> Display:
        """What shows the progress."""
        return Display(console, self.experiment.title, self.trainer.iterations, self.trainer.updates_per_epoch(), quiet)

    def open(self, path: Path | None) -> RunFile | contextlib.nullcontext[None]:
        """The file of the run, nothing where there is none to be."""
        if path is None:
            return contextlib.nullcontext()
        experiment, assembly, record = self.experiment, self.trainer.assembly, self.experiment.record
        states = {name.replace(".", "/"): int(np.size(assembly.engine[name])) for name in record.variables}
        return RunFile(
            path,
            config=experiment.text(),
            seed=experiment.train.seed,
            versions=versions(),
            dt=assembly.network.dt,
            populations={name: population.size for name, population in assembly.network.populations.items()},
            spikes=record.spikes,
            states=states,
        )

    def train(self, file: RunFile | None, display: Display) -> None:
        """All rounds; the file gets trials and metrics as they come, weights at the end, however it comes."""
        if file is not None:
            self.trainer.watch = lambda phase, record: self._keep(file, phase, record)
        started = time.monotonic()
        try:
            while self.trainer.iteration < self.trainer.iterations:
                self.row = self._round(display)
                if file is not None:
                    file.metrics(self.per, self.row)
        except BaseException:
            with contextlib.suppress(UserError, ValueError):  # the file may be what failed: the first error is the one
                self._store_parameters(file)
            raise
        self.seconds = time.monotonic() - started
        self._store_parameters(file)

    def summary(self, engine: EngineChoice, path: Path | None, figures: list[Path]) -> dict[str, str]:
        """What the table at the end says."""
        rule, trainer = self.experiment.rule, self.trainer
        length = f"{trainer.iterations} updates"
        if self.per == "epoch":
            length += f" in {self.rounds} epoch{'s' * (self.rounds > 1)}"
        shown = {
            "model": self.experiment.title,
            "rule": f"{rule.name}, {rule.evaluation}, third factor {rule.third_factor.name}",
            "engine": engine.name,
            "training": f"{length}, {self.seconds:.1f} s",
        }
        if path is None:
            shown |= {name.replace("_", " "): number(value) for name, value in self.row.items()}
        else:
            shown |= {"file": str(path), "figures": ", ".join(map(str, figures))}
        return {name: text for name, text in shown.items() if text}

    def _round(self, display: Display) -> dict[str, float]:
        """The updates of one epoch or one iteration, and the test trials that follow; its row of metrics."""
        last = min(self.trainer.iteration + self.trainer.updates_per_epoch(), self.trainer.iterations)
        metrics = _Mean()
        while self.trainer.iteration < last:
            step = self.trainer.update()
            metrics.add(step.metrics, len(step.trials))
            display.update(step.iteration, step.metrics)
        row = metrics.values()
        if self.trainer.task.tests and (self.per == "epoch" or last == self.trainer.iterations):
            row |= self._test(display)
        self.rounds += 1
        display.row(last, row)
        return row

    def _test(self, display: Display) -> dict[str, float]:
        display.testing()
        metrics = _Mean()
        for record in self.trainer.evaluate():
            metrics.add(self.trainer.measure(record), 1)
        return {f"test_{name}": value for name, value in metrics.values().items() if name in ("loss", "accuracy")}

    def _keep(self, file: RunFile, phase: int, record: Record) -> None:
        """Spikes and variables of a trial, where this round and phase are kept."""
        number_of_round, recording = self.rounds + 1, self.experiment.record
        if phase not in self.trials or (number_of_round % recording.every and number_of_round != self.total):
            return
        file.trial(
            record.index,
            PHASES[phase],
            record.steps,
            iteration=self.trainer.iteration,
            spikes={name: record.spikes[name] for name in recording.spikes},
            states={name.replace(".", "/"): record.history[name] for name in recording.variables},
        )

    def _store_parameters(self, file: RunFile | None) -> None:
        if file is None:
            return
        assembly = self.trainer.assembly
        for name, projection in assembly.network.projections.items():
            wiring, ends = assembly.plan.wiring[name], {"source": projection.source, "target": projection.target}
            file.weights(name, wiring.pre, wiring.post, assembly.values[name], **ends)
        for name, values in assembly.values.items():
            if name not in assembly.network.projections:
                file.parameter(name, values, population=name.partition(".")[0])


class _Mean:
    """Weighted means of metrics; a value that is missing or not a number has no weight."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: defaultdict[str, float] = defaultdict(float)

    def add(self, metrics: Mapping[str, float], weight: float) -> None:
        for name, value in metrics.items():
            known = not np.isnan(value)
            self._sums[name] = self._sums.get(name, 0.0) + (weight * value if known else 0.0)
            self._weights[name] += weight * known

    def values(self) -> dict[str, float]:
        weights = self._weights
        return {name: total / weights[name] if weights[name] else np.nan for name, total in self._sums.items()}


def versions() -> dict[str, str]:
    """Of everything that shapes a run's numbers."""
    found = {"snnplast": __version__, "python": platform.python_version()}
    for name in ("brian2", "numpy", "scipy", "h5py"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _available(wanted: EngineChoice) -> EngineChoice:
    """The engine asked for, or the one that needs no compiler where there is none."""
    if wanted.name != "compiled" or compiler_available():
        return wanted
    return EngineChoice(name="runtime", target="numpy")  # Cython would need a compiler as well


def _check_names(experiment: Experiment, assembly: Assembly) -> None:
    """Populations that are to be recorded must spike in the network as it was built."""
    for name in experiment.record.spikes:
        if name not in assembly.spiking:
            raise UserError(f"record.spikes: unknown spiking population {name!r}; {nearest(name, assembly.spiking)}")


def _figures(path: Path) -> list[Path]:
    """Learning curves and raster, drawn beside the file."""
    from snnplast.report import write_figures  # matplotlib loads slowly, and training may fail before

    return write_figures(path)


def _metrics(path: Path) -> RenderableType:
    """The table of what the file holds, in the style of the lines above it."""
    from snnplast.record.results import read_run
    from snnplast.report import summary

    table = summary(read_run(path))
    table.box = table.title = None
    table.padding = (0, 2, 0, 0)
    return table
