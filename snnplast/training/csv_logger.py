"""A table of metrics, one row per round, written while the run goes on."""

from __future__ import annotations

import csv
import io
import os

from snnplast.errors import UserError
from snnplast.record.writable import check_writable
from snnplast.training.callbacks import Moment


class CSVLogger:
    """Writes a row of metrics after every round: round, iteration, and each metric of the first round.

    path: the file; what stands there is not overwritten unless `force`; a run that goes on adds to it with `append`.
    Raises `UserError` where it stands already or cannot be written, and in the run where it has other columns.

    >>> from tempfile import TemporaryDirectory
    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=1, engine="runtime")
    >>> with TemporaryDirectory() as folder:
    ...     table = snn.CSVLogger(f"{folder}/metrics.csv")
    ...     run = snn.train(experiment, callbacks=[table])
    ...     [line.split(",")[:2] for line in table.path.read_text().splitlines()]
    [['epoch', 'updates'], ['1', '2']]
    """

    def __init__(self, path: str | os.PathLike[str], force: bool = False, append: bool = False) -> None:
        self.path = check_writable(path, "CSVLogger")
        if self.path.exists() and not (force or append):
            raise UserError(f"CSVLogger: '{self.path}' exists; force=True overwrites it, append=True adds to it")
        self._append = append and self.path.exists() and self.path.stat().st_size > 0
        self._columns: list[str] = []

    def on_begin(self, moment: Moment) -> None:
        self._columns = []

    def on_round(self, moment: Moment) -> None:
        row = {moment.per: moment.round, "updates": moment.iteration, **moment.metrics}
        rows = []
        if not self._columns and self._append:
            with self.path.open(newline="", encoding="utf-8") as file:
                self._columns = next(csv.reader(file), [])
            if not set(self._columns) <= set(row):
                raise UserError(f"CSVLogger: '{self.path}' has other columns: {', '.join(self._columns)}")
        elif not self._columns:
            self._columns = list(row)
            rows.append(self._columns)
        rows.append([row.get(name, "") for name in self._columns])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        mode = "w" if len(rows) > 1 else "a"
        with self.path.open(mode, newline="", encoding="utf-8") as file:
            file.write(text.getvalue())
