"""Whether a file is, as a whole, what a run leaves: asked before anything of it is used.

HDF5 files may point outside themselves (external storage, soft and external links, virtual datasets), declare sizes
they do not have, and hold types that mean something else to their reader. A run's file has none of that: hard links
only, each object once; plain contiguous or chunked data without filters, all of it inside the file; the types, ranks
and attributes of `record.layout`. `check` reads the file itself and is called in a process of its own (`record.apart`).
"""

from __future__ import annotations

import os
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5l, h5o  # pyright: ignore[reportAttributeAccessIssue]

from snnplast.record.expected import (
    MEMBERS,
    ROOT,
    Refused,
    check_answers,
    check_attributes,
    check_data,
    check_group,
    check_phases,
    check_versions,
    scalar,
    values,
)
from snnplast.record.journal import overlay
from snnplast.record.layout import STATUSES, TRIAL

MOST_OBJECTS, DEEPEST = 100_000, 12


def check(fd: int) -> None:
    """Raises `Refused`; takes over `fd`."""
    size = os.fstat(fd).st_size
    try:
        file = h5py.File(overlay(fd), "r")
    except Exception as error:  # whatever h5py makes of bytes that anyone may have written
        raise Refused(f"cannot be read as HDF5: {_first_line(error)}") from error
    try:
        with file:
            if file.userblock_size:
                raise Refused("is not the file of a run: something stands before it")
            if "status" not in file.attrs or b"trials" not in _names(file):
                raise Refused("is not the file of a run: it has no status or no trials")
            _Walk(file, size).check()
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"is damaged: {_first_line(error) or type(error).__name__}") from error


class _Walk:
    """All objects of one file, each looked at once."""

    def __init__(self, file: h5py.File, size: int) -> None:
        self.file, self.size = file, size
        self._seen: set[int] = set()
        self.data: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}

    def check(self) -> None:
        self._group("", self.file, 0)
        steps, trials = self._trials()
        root = set(self.groups) | set(self.data)
        if extra := {name.partition("/")[0] for name in root if name} - set(MEMBERS):
            raise Refused(f"is not the file of a run: runs have no '{min(extra)}'")
        check_attributes("", self.file, ROOT)
        attributes = values(self.file, ROOT)
        if attributes["status"] not in STATUSES or not (0 < attributes["dt"] < 1e9) or attributes["seed"] < 0:
            raise Refused("is damaged: its status, dt or seed is none that a run has")
        check_versions(attributes["versions"])
        for name, group in self.groups.items():
            if name:
                check_group(name, group)
        for name, data in self.data.items():
            check_data(name, data)
        if "answers" in self.data:
            check_answers(self.data["answers"])
        self._check_lengths(steps, trials)
        self._check_learned()

    def _group(self, path: str, group: Any, depth: int) -> None:
        self._once(path, group)
        self.groups[path] = group
        if depth > DEEPEST or len(group) > MOST_OBJECTS:
            raise Refused(f"is damaged: '/{path}' is too deep or too large")
        for raw in _names(group):
            name = f"{path}/{raw.decode()}".lstrip("/")
            if group.id.links.get_info(raw).type != h5l.TYPE_HARD:
                raise Refused(f"is not the file of a run: '/{name}' is a link to elsewhere")
            kind = h5o.get_info(group.id, raw).type
            if kind == h5o.TYPE_GROUP:
                self._group(name, group[raw], depth + 1)
            elif kind == h5o.TYPE_DATASET:
                item = group[raw]
                self._once(name, item)
                self.data[name] = item
                self._stored(name, item)
            else:
                raise Refused(f"is not the file of a run: '/{name}' is neither a group nor a dataset")

    def _once(self, path: str, item: Any) -> None:
        address = h5o.get_info(item.id).addr
        if address in self._seen or len(self._seen) > MOST_OBJECTS:
            raise Refused(f"is not the file of a run: '/{path}' is there twice")
        self._seen.add(address)

    def _stored(self, name: str, data: Any) -> None:
        """Whether all values that a dataset declares are inside the file, as they are."""
        plan, layout = data.id.get_create_plist(), data.id.get_create_plist().get_layout()
        if plan.get_external_count():
            raise Refused(f"is not the file of a run: the data of '/{name}' lie in other files")
        if layout not in (h5d.CONTIGUOUS, h5d.CHUNKED) or plan.get_nfilters() or data.shape is None:
            raise Refused(f"is not the file of a run: '/{name}' is stored as no run stores it")
        needed = int(np.prod([int(n) for n in data.shape], dtype=object)) * data.dtype.itemsize
        if needed > self.size:
            raise Refused(f"is damaged: '/{name}' declares {needed} bytes, the whole file has {self.size}")
        if layout == h5d.CONTIGUOUS:
            if needed and not (data.id.get_offset() or 0) + needed <= self.size:
                raise Refused(f"is damaged: '/{name}' ends behind the file")
            return
        found: list[int] = []
        data.id.chunk_iter(lambda chunk: found.append(chunk.byte_offset))
        expected = int(np.prod([-(-n // c) for n, c in zip(data.shape, data.chunks, strict=True)], dtype=object))
        length = int(np.prod([int(n) for n in data.chunks], dtype=object)) * data.dtype.itemsize
        if len(found) < expected or (found and max(found) + length > self.size):
            raise Refused(f"is damaged: parts of '/{name}' are missing")

    def _trials(self) -> tuple[int, int]:
        """Steps and number of the recorded trials, which lie end to end."""
        data = self.data.get("trials")
        if data is None or data.dtype != TRIAL or data.ndim != 1:
            raise Refused("is damaged: '/trials' has other columns than those of a run")
        dt = scalar(self.file, "dt")
        rows = data[:]
        starts = np.concatenate([[0.0], rows["stop"][:-1]])[: len(rows)]
        steps = rows["stop"] / dt
        fits = np.isfinite(steps).all() and np.array_equal(rows["start"], starts) and np.all(steps < 2.0**52)
        if not fits or not np.all(np.diff(steps, prepend=0) > 0) or not np.all(np.abs(steps - np.rint(steps)) < 1e-3):
            raise Refused("is damaged: the times of its trials do not follow each other")
        check_phases(rows, "trials")
        return (round(float(steps[-1])) if len(rows) else 0), len(rows)

    def _check_lengths(self, steps: int, trials: int) -> None:
        """Whether what belongs together is equally long."""
        lengths: dict[str, set[int]] = {}
        for name, data in self.data.items():
            first, *rest = name.split("/")
            if first in ("spikes", "weights") and len(rest) == 2:
                lengths.setdefault(f"{first}/{rest[0]}", set()).add(len(data))
            if first == "states" and len(data) != (trials if scalar(data, "per") == "trial" else steps):
                raise Refused(f"is damaged: '/{name}' has {len(data)} rows, its trials need others")
            if first == "metrics":
                lengths.setdefault(f"metrics per {scalar(data, 'per')}", set()).add(len(data))
        for name, found in lengths.items():
            if len(found) > 1:
                raise Refused(f"is damaged: the columns of '{name}' differ in length")
        for name in self.groups:
            first, *rest = name.split("/")
            wanted = {"spikes": {"timestamps", "node_ids"}, "weights": {"pre", "post", "weight"}}.get(first)
            if wanted and rest and set(self.groups[name]) != wanted:
                raise Refused(f"is damaged: '/{name}' has other columns than those of a run")

    def _check_learned(self) -> None:
        """Whether what was learned, at the beginning, at its best and over rounds, is what the file ends with."""
        last = {name.split("/")[1]: len(data) for name, data in self.data.items() if _is_weight(name)}
        last |= {name.split("/")[1]: data.size for name, data in self.data.items() if name.startswith("parameters/")}
        rounds = self.data.get("history/round")
        if len({"history" in self.groups, "history/values" in self.groups, rounds is not None}) > 1:
            raise Refused("is damaged: '/history' has no rounds or no values")
        if rounds is not None and not np.all(np.diff(rounds[:], prepend=0) > 0):
            raise Refused("is damaged: the rounds of '/history' do not follow each other")
        if "best" in self.groups and scalar(self.groups["best"], "round") < 1:
            raise Refused("is damaged: '/best' is of no round")
        names = set(self.groups.get("initial", ()))
        for group in ("best", "history/values"):
            if group in self.groups and set(self.groups[group]) != names:
                raise Refused(f"is damaged: '/{group}' holds other names than '/initial'")
        for name, data in self.data.items():
            first, *rest = name.split("/")
            if first not in ("initial", "best", "history") or name == "history/round":
                continue
            if last and last.get(rest[-1]) != data.shape[-1]:
                raise Refused(f"is damaged: '/{name}' does not fit the weights and parameters there are")
            if first == "history" and (rounds is None or len(data) != len(rounds)):
                raise Refused(f"is damaged: '/{name}' has {len(data)} rows, its rounds need others")


def _is_weight(name: str) -> bool:
    return name.startswith("weights/") and name.endswith("/weight")


def _names(group: Any) -> list[bytes]:
    return [name if isinstance(name, bytes) else name.encode() for name in group.id]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
