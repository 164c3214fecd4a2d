"""`snnplast atlas`: every rule with every third factor on one model, in a table and a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from snnplast import registry
from snnplast.cli.output import figure_path, save
from snnplast.errors import UserError, unknown
from snnplast.record.writable import check_writable, write_whole
from snnplast.report.console import emit
from snnplast.report.progress import number
from snnplast.training.atlas import COSINE, CPU, Entry, atlas, pairs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JUDGED = ("test_accuracy", "accuracy", "test_return", "return", "test_loss", "loss")
"""The first of these that there is is shown."""
COLUMNS = {
    "spikes": "spikes_per_trial",
    "synaptic operations": "synaptic_operations",
    "learning operations": "learning_operations",
    "cosine to BPTT": COSINE,
    "CPU ms": CPU,
}
NOTHING = "-"


def show_atlas(
    console: Console,
    target: str,
    sets: Sequence[str],
    rules: Sequence[str],
    rounds: int | None,
    trials: int,
    figure: str | None,
    table: str | None,
) -> None:
    """Prints the table, what was refused and why; leaves a figure and a CSV file where they are asked for.

    Raises `UserError` before anything is run.
    """
    for option, given in (("--rounds", rounds), ("--trials", trials)):
        if given is not None and given < 1:
            raise UserError(f"{option} {given}: at least 1 is needed")
    for rule in rules:
        if rule not in registry.names("rule"):
            raise UserError(f"--rule {rule}: {unknown('rule', rule, registry.names('rule'))}")
    drawn = figure_path(figure, "--figure") if figure else None
    written = check_writable(table, "--csv") if table else None
    entries, count = list[Entry](), sum(not rules or rule in rules for rule, _ in pairs())
    with console.status(f"0 of {count} pairs") as status:
        for entry in atlas(target, sets, rounds, trials, rules):
            entries.append(entry)
            status.update(f"{len(entries)} of {count} pairs, the last one {entry.title}")
    done = [entry for entry in entries if not entry.refused]
    if done:
        emit(console, _table(done))
    _tell(console, "other networks, by settings of the model for a rule:", {e.rule: e.network for e in done})
    _tell(console, "compared with nothing:", {e.title: e.alone for e in done})
    _tell(console, "refused:", {e.title: e.refused for e in entries})
    if written:
        write_whole(written, _rows(done).encode())
    if drawn:
        if not done:
            raise UserError("--figure: all pairs are refused, and there is nothing to draw")
        save(draw(done), drawn)


def judged(entries: Sequence[Entry]) -> str:
    """The metric that says how well all of them do."""
    return next(name for name in JUDGED if any(name in entry.metrics for entry in entries))


def _table(entries: Sequence[Entry]) -> Table:
    best = judged(entries)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("rule", "third factor"):
        table.add_column(name)
    columns = {best.replace("_", " "): best, **COLUMNS}
    for name in columns:
        table.add_column(name, justify="right")
    before = entries[0].rule
    for entry in entries:
        if entry.rule != before:
            table.add_section()
        before = entry.rule
        table.add_row(entry.rule, entry.factor or NOTHING, *(_cell(entry, name) for name in columns.values()))
    return table


def _cell(entry: Entry, name: str) -> str:
    value = entry.metrics.get(name, np.nan)
    if np.isnan(value):
        return NOTHING
    if name == COSINE:
        return f"{value:.2f}"
    return f"{value:,.0f}" if 100 <= value < 1e9 else number(value)


def _tell(console: Console, title: str, sentences: dict[str, str]) -> None:
    """What is said of some, each with its sentence."""
    said = {name: text for name, text in sentences.items() if text}
    if said:
        emit(console, f"\n{title}")
    for name, text in said.items():
        emit(console, Text.assemble((f"  {name}", "bold"), f": {text}"), wrap=False)


def _rows(entries: Sequence[Entry]) -> str:
    """All metrics of all entries."""
    names = list(dict.fromkeys(name for entry in entries for name in entry.metrics))
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["rule", "third_factor", "network", *names])
    for entry in entries:
        rows.writerow([entry.rule, entry.factor, entry.network, *(entry.metrics.get(name, "") for name in names)])
    return text.getvalue()


def draw(entries: Sequence[Entry]) -> Figure:
    """A row for each pair, a colour for each rule: how well it does, where it points, what it costs."""
    from snnplast.report.figures import bare, blank_figure, colours  # matplotlib loads slowly

    best, rules = judged(entries), list(dict.fromkeys(entry.rule for entry in entries))
    colour = dict(zip(rules, colours(len(rules)), strict=True))
    shown = {best.replace("_", " "): best, "cosine to BPTT": COSINE, "learning operations": "learning_operations",
             "CPU ms per trial": CPU}  # fmt: skip
    figure, places = blank_figure(1.0 + 0.22 * len(entries), 10.5), np.arange(len(entries))[::-1]
    panes = figure.subplots(1, len(shown), sharey=True)
    for pane, (label, name) in zip(panes, shown.items(), strict=True):
        bare(pane)
        values = np.array([entry.metrics.get(name, np.nan) for entry in entries])
        for place, value, entry in zip(places, values, entries, strict=True):
            pane.plot(value, place, "o", color=colour[entry.rule], markersize=5)
        pane.grid(axis="y", color="0.92")
        pane.set_axisbelow(True)
        pane.set_xlabel(label)
        if name == COSINE:
            pane.axvline(0, color="0.6", linewidth=0.8)
        if name in (CPU, "learning_operations") and np.nanmax(values) > 0:
            pane.set_xscale("log")
            pane.tick_params(axis="x", which="minor", labelbottom=False)
    panes[0].set_yticks(places, labels=[entry.title for entry in entries])
    return figure
