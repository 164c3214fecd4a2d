"""Several runs side by side: what they were, and what came of them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from snnplast.errors import UserError
from snnplast.record.reading import read_run
from snnplast.record.results import Run
from snnplast.report.console import emit
from snnplast.report.progress import number

METRICS = (
    *("loss", "accuracy", "return", "test_accuracy", "test_return"),
    *("spikes_per_trial", "synaptic_operations", "third_factor_correlation"),
)
WHAT = ("model", "rule", "third factor", "training")
NOTHING = "-"


def compare(console: Console, paths: Sequence[str | Path]) -> None:
    """A table with one column per run file: model, rule, third factor, length and the last row of its metrics."""
    runs = [read_run(path) for path in paths]
    table = Table("", *(run.path.name for run in runs), box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name, cells in zip(WHAT, zip(*map(_what, runs), strict=True), strict=True):
        table.add_row(name, *(Text(cell, overflow="fold") for cell in cells))
    for metric in METRICS:
        cells = [_last(run, metric) for run in runs]
        if set(cells) != {NOTHING}:
            table.add_row(metric.replace("_", " "), *cells)
    emit(console, table)


def _what(run: Run) -> list[str]:
    """What `WHAT` lists."""
    try:
        config = tomllib.loads(run.config)
        rule = config["rule"]
        model = config["model"].get("name") or Path(config["model"]["file"]).stem
        chosen = config["rules"][rule].get("third_factor", NOTHING)
        factor = chosen["name"] if isinstance(chosen, dict) else chosen
    except (tomllib.TOMLDecodeError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"'{run.path}': its config is none that a run leaves: {type(error).__name__}, {error}"
        ) from error
    rows, per = next(((len(values), run.per[name]) for name, values in run.metrics.items()), (0, "iteration"))
    return [str(model), str(rule), str(factor), f"{rows} {per}s, {run.status}"]


def _last(run: Run, metric: str) -> str:
    values = run.metrics.get(metric, np.empty(0))
    known = values[np.isfinite(values)]
    return number(float(known[-1])) if known.size else NOTHING
