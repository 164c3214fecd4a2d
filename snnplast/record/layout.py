"""What a run's file looks like inside: the HDF5 layout, and how rows are added to it.

    /                               attributes magic, version (SONATA), config, versions (JSON), seed, dt (ms), status
    /spikes/<population>            attributes sorting, dt (ms), t_stop (ms), size, seed
        timestamps                  (n_spikes,) float64, ms on the global time axis
        node_ids                    (n_spikes,) uint64
    /states/<population>/<variable> (total_steps, n) float64, or (n_trials, n) of what acts once per trial; attributes
                                    per = "step" or "trial", dt (ms), population
    /states/<projection>/<variable> (n_trials, n_synapses) float64, of synapses at the end of a trial; attribute
                                    projection in place of population
    /trials                         (n_trials,) records: trial, iteration, phase, start (ms), stop (ms)
    /answers                        (rows,) records of a classification: trial, iteration, phase, stretch (0, 1, ... of
                                    the trial's learning window), wanted and answered (units of the readout); attributes
                                    size (number of units), classes (JSON list: what they stand for, [] where numbered)
    /metrics/<name>                 (rows,) float64; attribute per = "iteration" or "epoch"
    /weights/<projection>           pre, post, weight, each (n_synapses,); attributes source, target, unit ("": numbers)
    /parameters/<name>              float64, other parameters such as biases
    /initial/<name>                 (n,) float64: what is learned, before the first update: weights of a projection, in
                                    the order of /weights, or a parameter; attribute origin: the file they are from, ""
    /best/<name>                    the same after the best round; attributes metric, value, round (1, 2, ...)
    /history/round                  (rows,) after which rounds weights were kept; attribute per = "iteration" or "epoch"
    /history/values/<name>          (rows, n) float64, the same after these rounds
    /checkpoint/...                 what the run goes on from, by the names of `Trainer.state`; its attributes say more

The global time axis is that of the recorded trials put end to end: a spike in step k of a trial that began after K
steps has the time (K + k) dt. While the file is being written `sorting` is "none" and `status` is "running": a file
that says so without a process behind it was killed. Spikes are stored uncompressed: libsonata reads no compressed ones.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from snnplast.record.atomic_file import AtomicFile
from snnplast.record.claim import Claim
from snnplast.record.digest import of_text

SORTING = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype="u1")
TRIAL = np.dtype([("trial", "i8"), ("iteration", "i8"), ("phase", "S16"), ("start", "f8"), ("stop", "f8")])
ANSWER = np.dtype(
    [("trial", "i8"), ("iteration", "i8"), ("phase", "S16"), ("stretch", "i8"), ("wanted", "i8"), ("answered", "i8")]
)
CHUNK_BYTES = 65536
STATUSES = ("finished", "failed", "interrupted", "running")


class TrialRows(NamedTuple):
    """What one trial adds: its row of /trials, (timestamps, node_ids) per population, (steps, n) per variable."""

    row: tuple[int, int, bytes, float, float]
    spikes: dict[str, tuple[np.ndarray, np.ndarray]]
    states: dict[str, np.ndarray]

    @property
    def nbytes(self) -> int:
        arrays = [array for pair in self.spikes.values() for array in pair]
        return TRIAL.itemsize + sum(array.nbytes for array in [*arrays, *self.states.values()])


class Kept(NamedTuple):
    """What stays in a file whose run goes on: the first trials and answers; of the first rounds metrics and weights.

    metrics: names of those that stay.
    """

    trials: int
    rows: int
    metrics: Sequence[str]
    answers: int = 0


class Memory(io.BytesIO):
    """What stands in the place of an `AtomicFile` for a run that leaves no file: its content, which stays."""

    claim: Claim | None = None
    failure: OSError | None = None
    notice = ""

    def commit(self) -> None:
        """All of it is there already."""

    def abandon(self) -> None:
        """It stays as it is."""

    def close(self) -> None:
        """It stays, to be read."""


class RunLayout:
    """An open file with the layout of a run; it changes on disk with `commit`. claim: None for one in memory."""

    def __init__(self, claim: Claim | None) -> None:
        self.disk = Memory() if claim is None else AtomicFile(claim)
        try:
            # Version 1.8 of the format: later ones mark a file as open for writing, and a killed run would stay locked.
            mode = "w" if claim is None or claim.part else "r+"
            self.file: Any = h5py.File(self.disk, mode, libver=("v108", "v108"), rdcc_nbytes=4 * CHUNK_BYTES)
        except BaseException:
            self.disk.close()
            raise

    @classmethod
    def created(
        cls,
        claim: Claim | None,
        attributes: Mapping[str, str | int | float],
        sizes: Mapping[str, int],
        states: Mapping[str, int],
        once: Collection[str] = (),
        projections: Collection[str] = (),
    ) -> RunLayout:
        """A new file, which appears in its place with the first commit.

        Parameters
        ----------
        claim : on a new file, or None.
        attributes : config, versions, seed and dt (ms), stored at the root.
        sizes : population to number of neurons, of the populations whose spikes are stored.
        states : "population/variable" to number of columns.
        once : those of them that have one row per trial.
        projections : what may stand in place of a population, having variables of its synapses.
        """
        layout = cls(claim)
        file = layout.file
        file.attrs["magic"] = np.uint32(0x0A7A)
        file.attrs["version"] = np.array([0, 1], dtype="u4")
        file.attrs.update({**attributes, "status": "running"})
        for name in ["metrics", *(["spikes"] if sizes else [])]:
            file.create_group(name, track_order=True)
        for name, size in sizes.items():
            group = file.create_group(f"spikes/{name}")
            group.attrs.create("sorting", _sorting("none"), dtype=SORTING)
            group.attrs.update({"dt": attributes["dt"], "t_stop": 0.0, "size": size, "seed": attributes["seed"]})
            _column(group, "timestamps", "f8").attrs["units"] = "ms"
            _column(group, "node_ids", "u8")
        for name, n in states.items():
            rows = _column(file, f"states/{name}", "f8", n)
            per, owner = "trial" if name in once else "step", name.partition("/")[0]
            whose = "projection" if owner in projections else "population"
            rows.attrs.update({"per": per, "dt": attributes["dt"], whose: owner})
        _column(file, "trials", TRIAL).attrs["units"] = "ms"
        return layout

    def cut(self, kept: Kept, attributes: Mapping[str, str | int | float]) -> int:
        """Drops what a file holds beyond `kept`, and declares its run to go on; the steps of the trials that stay."""
        trials, dt = self.file["trials"], self.file.attrs["dt"]
        stop = float(trials[kept.trials - 1]["stop"]) if kept.trials else 0.0
        steps = round(stop / dt)
        for group in self.file.get("spikes", {}).values():
            spikes = bisect_left(group["timestamps"], (steps - 0.5) * dt)
            group["timestamps"].resize(spikes, axis=0)
            group["node_ids"].resize(spikes, axis=0)
            group.attrs.modify("t_stop", stop)
            group.attrs.modify("sorting", _sorting("none"))
        for population in self.file.get("states", {}).values():
            for rows in population.values():
                rows.resize(kept.trials if rows.attrs["per"] == "trial" else steps, axis=0)
        trials.resize(kept.trials, axis=0)
        if "answers" in self.file:
            self.file["answers"].resize(kept.answers, axis=0)
        if "history" in self.file:
            history = self.file["history"]
            rounds = bisect_left(history["round"], kept.rows + 1)
            for column in (history["round"], *history["values"].values()):
                column.resize(rounds, axis=0)
        if "best" in self.file and self.file["best"].attrs["round"] > kept.rows:
            del self.file["best"]  # that round is done again
        metrics = self.file["metrics"]
        for name in list(metrics):
            if name in kept.metrics:
                metrics[name].resize(kept.rows, axis=0)
            else:
                del metrics[name]
        self.file.attrs.update({**attributes, "status": "running"})
        self.file["checkpoint"].attrs["settings"] = of_text(str(attributes["config"]))
        return steps

    def add_trials(self, trials: Sequence[TrialRows]) -> None:
        """Appends trials in time order."""
        if not trials:
            return
        for name, group in self.file.get("spikes", {}).items():
            _append(group["timestamps"], np.concatenate([trial.spikes[name][0] for trial in trials]))
            _append(group["node_ids"], np.concatenate([trial.spikes[name][1] for trial in trials]))
            group.attrs.modify("t_stop", trials[-1].row[-1])
        for name in trials[0].states:
            _append(self.file[f"states/{name}"], np.concatenate([trial.states[name] for trial in trials]))
        _append(self.file["trials"], np.array([trial.row for trial in trials], dtype=TRIAL))

    def add_metrics(self, per: str, before: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Appends rows to the metrics kept `per` iteration or epoch, which had `before`; what is missing is NaN."""
        metrics = self.file["metrics"]
        for name in dict.fromkeys(name for row in rows for name in row if name not in metrics):
            new = _column(metrics, name, "f8")
            new.attrs["per"] = per
            _append(new, np.full(before, np.nan))
        for name, column in metrics.items():
            if column.attrs["per"] == per:
                _append(column, np.array([row.get(name, np.nan) for row in rows]))

    def add_answers(self, rows: Sequence[np.ndarray], attributes: Mapping[str, str | int]) -> None:
        """Appends answers, in time order; the first ones make their place."""
        if rows:
            if "answers" not in self.file:
                _column(self.file, "answers", ANSWER).attrs.update(attributes)
            _append(self.file["answers"], np.concatenate(rows))

    def add_history(self, per: str, rows: Sequence[tuple[int, Mapping[str, np.ndarray]]]) -> None:
        """Appends what was learned after rounds, (round, values by name); the first ones make their place."""
        if not rows:
            return
        if "history" not in self.file:
            _column(self.file, "history/round", "i8").attrs["per"] = per
            for name, values in rows[0][1].items():
                _column(self.file, f"history/values/{name}", "f8", values.size)
        _append(self.file["history/round"], np.array([number for number, _ in rows]))
        for name, column in self.file["history/values"].items():
            _append(column, np.stack([values[name] for _, values in rows]))

    def set_array(
        self, path: str, values: Mapping[str, np.ndarray], attributes: Mapping[str, str | int | float]
    ) -> None:
        """Stores named columns at `path`, or a plain array where the only name is ""; replaces what was there."""
        stored = {name: self.file.get(f"{path}/{name}".rstrip("/")) for name in values}
        if all(old is not None and old.shape == values[name].shape for name, old in stored.items()):
            for name, old in stored.items():
                if not _holds(old, values[name]):
                    old[...] = values[name]
        else:
            if path in self.file:
                del self.file[path]
            for name, array in values.items():
                self.file[f"{path}/{name}".rstrip("/")] = array
        self.file[path].attrs.update(attributes)

    def commit(self) -> None:
        """Makes what was added part of the file."""
        self.file.flush()
        self.disk.commit()

    def end(self, status: str) -> None:
        """Declares the spikes sorted by time and the run over, and closes the file."""
        for group in self.file.get("spikes", {}).values():
            group.attrs.modify("sorting", _sorting("by_time"))
        self.file.attrs["status"] = status
        self.file.close()
        self.disk.commit()
        self.disk.close()

    def abandon(self) -> None:
        """Closes the file as the last commit left it; without any commit no file is left."""
        self.disk.abandon()
        self.file.close()
        self.disk.close()


def _sorting(name: str) -> np.uint8:
    return np.uint8(h5py.check_enum_dtype(SORTING)[name])


def _column(group: h5py.Group, name: str, dtype: np.dtype | str, n: int | None = None) -> h5py.Dataset:
    """An empty dataset that grows by rows: scalars, or n numbers each; its chunks hold about `CHUNK_BYTES`."""
    shape = () if n is None else (n,)
    rows = max(1, CHUNK_BYTES // (np.dtype(dtype).itemsize * max(1, n or 1)))
    return group.create_dataset(name, (0, *shape), dtype, chunks=(rows, *shape), maxshape=(None, *shape))


def _holds(dataset: h5py.Dataset, values: np.ndarray) -> bool:
    """Whether integers, such as the pairs of a projection, are stored already: reading is cheaper than writing."""
    return values.dtype.kind in "iu" and np.array_equal(dataset[...], values)


def _append(dataset: h5py.Dataset, rows: np.ndarray) -> None:
    if len(rows):
        before = dataset.shape[0]
        dataset.resize(before + len(rows), axis=0)
        dataset[before:] = rows
