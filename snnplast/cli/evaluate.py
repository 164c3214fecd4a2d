"""`snnplast evaluate`: what the test finds of the weights that a run has left, also with other settings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from snnplast.cli.run import say_engine
from snnplast.config.experiment import Experiment
from snnplast.config.targets import differences
from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.report.console import emit
from snnplast.training.opened import evaluate
from snnplast.training.saved_weights import Misfit


def show_evaluation(console: Console, file: str, sets: Sequence[str], best: bool) -> dict[str, float]:
    """Tests the weights of a run, and prints the metrics, all their digits, beside those of its own last test.

    sets: settings that are to be others than those of the run. best: whether its best round's weights are meant.
    Raises `UserError` where they do not fit the network, or there are no test trials.
    """
    run = read_run(file)
    experiment = Experiment.of(file, *sets)
    say_engine(experiment.engine, console)
    try:
        found = evaluate(experiment, run.weights_at("best") if best else run)
    except Misfit as error:
        changed = "; ".join(differences(experiment.text(), run.config)[:3])
        raise UserError(f"{error}; {changed}" if changed else str(error)) from None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("metric")
    table.add_column("test")
    table.add_column("last test of the run")
    for name, value in found.items():
        rows = run.metrics.get(f"test_{name}")
        table.add_row(name.replace("_", " "), repr(value), "" if rows is None else repr(float(rows[-1])))
    emit(console, table)
    return found
