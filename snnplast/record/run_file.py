"""The output file of a run, written while the run goes on with bounded memory.

`snnplast.record.layout` says what is in the file, `snnplast.record.read_run` reads it.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from snnplast.errors import UserError, unknown
from snnplast.record.buffers import Buffers, Per, answer_rows, spike_rows, state_rows
from snnplast.record.bursts import Bursts, Status
from snnplast.record.claim import Claim
from snnplast.record.digest import digest, of_text
from snnplast.record.layout import TRIAL, Kept, Memory, RunLayout, TrialRows
from snnplast.record.place import claim_existing, claim_new
from snnplast.record.uninterrupted import uninterrupted

BUFFER_BYTES = 16 * 2**20


class RunFile:
    """Writer of one run's file. Use it as a context manager: leaving it sets the status.

    What is recorded is kept in memory and written in one burst, at the first record and then at most once per
    `interval` seconds or 16 MB; each burst is atomic (`record.atomic_file`). The file appears, or the one of a run that
    goes on is cut, with the first record: a run that fails before leaves nothing, and replaces nothing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Claim | None,
        *,
        config: str,
        seed: int,
        versions: Mapping[str, str],
        dt: float,
        populations: Mapping[str, int],
        spikes: Sequence[str] = (),
        states: Mapping[str, int] | None = None,
        once: Collection[str] = (),
        projections: Collection[str] = (),
        units: int = 0,
        classes: Sequence[str | int] = (),
        per: Per = "epoch",
        interval: float = 1.0,
        kept: Kept | None = None,
        tell: Callable[[str], None] = warnings.warn,
    ):
        """
        Parameters
        ----------
        path : file to write, where nothing stands yet; or the claim on it (`record.place`), given up at the end;
            None keeps it all in memory, as `content`.
        config : the resolved config, as text.
        versions : package name to version.
        dt : time step, seconds.
        populations : name to number of neurons.
        spikes : populations whose spikes are recorded.
        states : "population/variable" to number of columns.
        once : those of them that have one row per trial instead of one per step.
        projections : what may stand in place of a population in `states`: its synapses have the variable.
        units, classes : how many answers there are to choose from, and what they stand for, where they have names.
        per : what a round is.
        interval : seconds between bursts.
        kept : what stays of the file of the same run at `path`, to which this one adds; None for a new file.
        tell : takes a sentence about a file that had to be written elsewhere, since it was deleted or replaced.

        Raises
        ------
        UserError
            The path cannot be written, or something stands there; `spikes` or `states` name an unknown population;
            another process writes it.
        """
        for name in spikes:
            _check_population("record.spikes", name, populations)
        for name in states or {}:
            _check_population("record.states", name.partition("/")[0], {*populations, *projections})
        self._dt = float(f"{dt * 1e3:.12g}")  # ms
        self._attributes = {"config": config, "versions": json.dumps(dict(versions)), "seed": seed, "dt": self._dt}
        self._sizes = {name: populations[name] for name in spikes}
        self._states = dict(states or {})
        self._once, self._projections = frozenset(once), frozenset(projections)
        self._choice: dict[str, str | int] = {"size": units, "classes": json.dumps(list(classes))}
        self._round: Per = per
        self._interval = interval
        self._steps = 0
        self._per: dict[str, Per] = {}
        self._metric_rows: dict[Per, int] = {"iteration": 0, "epoch": 0}
        self._buffers = Buffers()
        if path is not None and not isinstance(path, Claim):
            path = (claim_existing if kept else claim_new)(Path(path))
        self._bursts = Bursts(path, self._created, tell)
        if kept is not None:
            uninterrupted(lambda: self._bursts.reopen(lambda layout: self._cut(layout, kept)))

    @property
    def path(self) -> Path | None:
        """Where the file is or is to be; None in memory."""
        return self._bursts.path

    @property
    def begun(self) -> bool:
        """Whether anything has been written."""
        return self._bursts.begun

    @property
    def content(self) -> Memory | None:
        """Of a run in memory, what its file would hold."""
        disk = self._bursts.layout.disk if self._bursts.layout else None
        return disk if isinstance(disk, Memory) else None

    def trial(
        self,
        index: int,
        phase: str,
        n_steps: int,
        *,
        iteration: int = -1,
        spikes: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
        states: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Records one trial: `spikes` is (steps, indices) per population, `states` (n_steps, n) or (1, n) per variable.

        Steps count from 0 within the trial. Every population and variable announced to the constructor is needed.
        """
        self._check_open()
        spikes, states = spikes or {}, states or {}
        if set(spikes) != set(self._sizes) or set(states) != set(self._states):
            announced = f"{sorted(self._sizes)} and {sorted(self._states)}"
            raise ValueError(f"trial {index}: has {sorted(spikes)} and {sorted(states)}, announced were {announced}")
        if len(phase.encode()) > TRIAL["phase"].itemsize:
            raise ValueError(f"trial {index}: the phase '{phase}' is longer than {TRIAL['phase'].itemsize} bytes")
        before, dt = self._steps, self._dt
        rows = TrialRows(
            (index, iteration, phase.encode(), before * dt, (before + n_steps) * dt),
            {name: spike_rows(name, *spikes[name], n_steps, n, before, dt) for name, n in self._sizes.items()},
            {
                name: state_rows(name, states[name], (1 if name in self._once else n_steps, n))
                for name, n in self._states.items()
            },
        )
        self._buffers.add_trial(rows)
        self._steps += n_steps
        self._burst_if_due()

    def answers(self, index: int, phase: str, wanted: np.ndarray, answered: np.ndarray, iteration: int = -1) -> None:
        """Records what a trial answered and should have, (stretches,) each: units of the readout, of the `units`."""
        self._check_open()
        units = int(self._choice["size"])
        self._buffers.add_answers(answer_rows(index, iteration, phase, wanted, answered, units))
        self._burst_if_due()

    def metrics(self, per: Per, values: Mapping[str, float]) -> None:
        """Appends one row, of this iteration or epoch, to each metric; a metric not given has NaN in this row."""
        self._check_open()
        for name in values:
            if self._per.setdefault(_plain(name), per) != per:
                raise ValueError(f"metric '{name}' is kept per {self._per[name]}, not per {per}")
        self._buffers.add_metrics(per, values)
        self._burst_if_due()

    def weights(
        self,
        projection: str,
        pre: np.ndarray,
        post: np.ndarray,
        weight: np.ndarray,
        *,
        source: str,
        target: str,
        unit: str = "",
    ) -> None:
        """Sets a projection's weights, (n_synapses,) each, in a unit; the last call counts.

        Written with the next burst.
        """
        columns = {"pre": np.array(pre, "i8"), "post": np.array(post, "i8"), "weight": np.array(weight, "f8")}
        if len({column.shape for column in columns.values()}) > 1:
            raise ValueError(f"weights of '{projection}': pre, post and weight differ in length")
        self._check_open()
        attributes = {"source": source, "target": target, "unit": unit}
        self._buffers.arrays[f"weights/{_plain(projection)}"] = columns, attributes

    def parameter(self, name: str, values: np.ndarray, **attributes: str) -> None:
        """Sets another parameter, such as a bias; the last call counts. Written with the next burst."""
        self._check_open()
        self._buffers.arrays[f"parameters/{_plain(name)}"] = {"": np.array(values, "f8")}, attributes

    def initial(self, values: Mapping[str, np.ndarray], origin: str = "") -> None:
        """Sets what is learned as it was before the first update. origin: the file that it was read from."""
        self._set("initial", values, origin=origin)

    def best(self, values: Mapping[str, np.ndarray], metric: str, value: float, number: int) -> None:
        """Sets what is learned as it was after the best round, with the metric that says so; the last call counts."""
        self._set("best", values, metric=metric, value=float(value), round=number)

    def history(self, number: int, values: Mapping[str, np.ndarray]) -> None:
        """Appends what was learned after a round; the same names and sizes each time."""
        self._check_open()
        self._buffers.add_history(number, _copied(values))
        self._burst_if_due()

    def _set(self, path: str, values: Mapping[str, np.ndarray], **attributes: str | int | float) -> None:
        self._check_open()
        if values:
            self._buffers.arrays[path] = _copied(values), attributes

    def checkpoint(self, arrays: Mapping[str, np.ndarray], **attributes: str | int) -> None:
        """Writes everything recorded so far and, in the same commit, what the run can go on from after a kill.

        arrays: by name, which may contain "/"; they are read now, and replace those of the checkpoint before.
        """
        self._check_open()
        attributes = {**attributes, "metrics": json.dumps(list(self._per))}
        signs = {"digest": digest(arrays, attributes), "settings": of_text(str(self._attributes["config"]))}
        self._buffers.arrays["checkpoint"] = dict(arrays), {**attributes, **signs}
        self.flush()

    def flush(self) -> None:
        """Writes everything recorded so far, now.

        Raises
        ------
        UserError
            The disk is full or gone; the file keeps the state of the last burst and is closed.
        """
        self._check_open()
        uninterrupted(self._burst)

    def finish(self, status: Status = "finished") -> None:
        """Writes the rest and closes the file; the first call counts. If nothing was recorded, nothing is changed."""
        if not self._bursts.ended and (self.begun or self._buffers.rows):
            uninterrupted(lambda: self._burst(status))
        elif not self._bursts.ended:
            self._bursts.abandon()
        self._bursts.ended = True

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
            return
        with suppress(UserError):  # the error on its way out is the one to report
            self.finish("interrupted" if issubclass(kind, KeyboardInterrupt) else "failed")

    def _check_open(self) -> None:
        if self._bursts.ended:
            raise ValueError(f"'{self.path or 'the run'}' is closed: nothing more can be recorded")

    def _burst_if_due(self) -> None:
        if time.monotonic() - self._bursts.at >= self._interval or self._buffers.nbytes >= BUFFER_BYTES:
            self.flush()

    def _burst(self, status: Status | None = None) -> None:
        """Writes the buffers as one commit; with a `status`, closes the file."""
        write = partial(self._buffers.write, before=self._metric_rows, per=self._round, choice=self._choice)
        self._bursts.burst(write, status)
        self._buffers = Buffers()

    def _created(self) -> RunLayout:
        return RunLayout.created(
            self._bursts.claim, self._attributes, self._sizes, self._states, self._once, self._projections
        )

    def _cut(self, layout: RunLayout, kept: Kept) -> None:
        """Leaves in the file of a run that goes on what stays, and counts it."""
        names = [f"spikes/{name}/{column}" for name in self._sizes for column in ("timestamps", "node_ids")]
        for name in [*names, *(f"states/{name}" for name in self._states)]:
            if name not in layout.file:
                raise UserError(f"'{self.path}': '{name}', which its run records, is not there: it cannot go on")
        self._steps = layout.cut(kept, self._attributes)
        self._per = {name: column.attrs["per"] for name, column in layout.file["metrics"].items()}
        self._metric_rows |= dict.fromkeys(self._per.values(), kept.rows)


def _check_population(place: str, name: str, populations: Collection[str]) -> None:
    if name not in populations:
        raise UserError(f"{place}: {unknown('population', name, populations)}")


def _plain(name: str) -> str:
    if not name or "/" in name or name == ".":
        raise ValueError(f"'{name}' cannot name a dataset")
    return name


def _copied(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {_plain(name): np.array(array, "f8") for name, array in values.items()}
