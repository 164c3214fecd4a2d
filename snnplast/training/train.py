"""Training from Python: no terminal, no console, no file needed."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from rich.console import Console

from snnplast.config.experiment import Experiment
from snnplast.errors import UserError, short
from snnplast.record.results import Run
from snnplast.report.progress import Display, TextBar
from snnplast.training.callbacks import Callbacks
from snnplast.training.executors import NEEDED, Factory, checked
from snnplast.training.opened import Kept
from snnplast.training.prepared import NO_COMPILER, available_engine
from snnplast.training.resume import continued, continued_with
from snnplast.training.run import perform
from snnplast.training.saved_weights import kept_weights

WORDS = {
    "--force overwrites": "force=True overwrites",
    "--inexact goes": "inexact=True goes",
    "--set train.epochs=N or train.iterations=N makes its run longer": "a longer experiment goes on",
}
"""What the sentences of the command line call otherwise."""


def train(
    experiment: Experiment,
    *,
    callbacks: Iterable[Any] = (),
    weights: Kept = None,
    progress: bool | None = None,
    force: bool = False,
    executor: Executor | Factory | None = None,
) -> Run:
    """Train, and return what the run leaves: metrics, weights, and whatever `record` of the experiment keeps.

    Parameters
    ----------
    callbacks : functions called after every update, or objects as `snnplast.training.callbacks` says.
    weights : what to begin with instead of what is drawn: a run, what `load_weights` reads, or the file of either.
    progress : whether to show a bar or lines; by default on a terminal and in a notebook.
    force : whether the file of an earlier run may be overwritten.
    executor : where trials run instead of here, to the same bits: an executor of `concurrent.futures`, which stays
        open, or a function that makes one, which is closed at the end and made again where its workers are gone.
        Records in `moment.trials` then have only those spikes and histories that `record` keeps.

    Raises
    ------
    UserError
        Anything does not fit, or a file stands where that of the run is to be; nothing is written then.
    KeyboardInterrupt
        Ctrl-C, or the notebook's stop, after the update under way; with a file, `resume` goes on from there.

    Examples
    --------
    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=1, engine="runtime")
    >>> run = snn.train(experiment, callbacks=[snn.EarlyStopping("test_accuracy", patience=3)])
    >>> run.metrics["test_accuracy"].shape, run.weights["input_to_first"].shape
    ((1,), (96,))
    """
    if not isinstance(experiment, Experiment):
        raise UserError(f"train: {short(experiment)}: an Experiment is needed; Experiment.of takes names and files")
    with _in_python():
        _mention_engine(experiment)
        begun = kept_weights(weights)
        return perform(
            experiment, _callbacks(callbacks, progress), force=force, weights=begun, executor=_checked(executor)
        ).run()


def resume(
    path: str | os.PathLike[str],
    experiment: Experiment | None = None,
    *,
    sets: Sequence[str] = (),
    callbacks: Iterable[Any] = (),
    progress: bool | None = None,
    inexact: bool = False,
    executor: Executor | Factory | None = None,
) -> Run:
    """Let the run of a file go on from its last checkpoint, in the same file, bit by bit as if it had never stopped.

    Parameters
    ----------
    experiment : the same as before; needed where network and task are Python objects. It may be longer.
    sets : without one, settings to change, such as "train.epochs=20".
    callbacks, progress, executor : as in `train`.
    inexact : go on also where data, code, versions or machine have changed.

    Raises
    ------
    UserError
        The run is complete or failed, or the experiment is another.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/run.h5"
    ...     about = {"network": small_network(), "task": small_task(), "rule": snn.EProp(batch=10)}
    ...     done = snn.train(snn.Experiment(**about, epochs=1, engine="runtime", record=path))
    ...     longer = snn.resume(path, snn.Experiment(**about, epochs=2, engine="runtime", record=path))
    ...     done.metrics["test_loss"].shape, longer.metrics["test_loss"].shape
    ((1,), (2,))
    """
    with _in_python():
        if experiment is None:
            experiment, checkpoint = continued(path, sets, inexact)
        elif sets:
            raise UserError("resume: sets are for a run without an experiment; give this one another length instead")
        else:
            experiment, checkpoint = continued_with(Path(path), experiment, inexact)
        _mention_engine(experiment)
        return perform(experiment, _callbacks(callbacks, progress), checkpoint, executor=_checked(executor)).run()


def _checked(executor: Any) -> Executor | Factory | None:
    if executor is None or isinstance(executor, Executor):
        return executor
    if not callable(executor):
        raise UserError(f"executor = {short(executor)}: {NEEDED}, or a function that returns one, is needed")
    return lambda: checked(executor(), "executor: the function returns")


def _callbacks(given: Iterable[Any], progress: bool | None) -> Callbacks:
    """The user's, and what shows the progress."""
    mine, console = Callbacks(given), Console()
    if progress is None:
        progress = console.is_terminal or console.is_jupyter
    if not progress:
        return mine
    return Callbacks([TextBar() if console.is_jupyter else Display(console), *mine.given])


def _mention_engine(experiment: Experiment) -> None:
    if available_engine(experiment.engine).name != experiment.engine.name:
        warnings.warn(NO_COMPILER, stacklevel=4)


@contextlib.contextmanager
def _in_python() -> Iterator[None]:
    """Sentences that name an option of the command line name the argument instead."""
    try:
        yield
    except UserError as error:
        text = str(error)
        for option, argument in WORDS.items():
            text = text.replace(option, argument)
        if text == str(error):
            raise
        raise UserError(text) from error
