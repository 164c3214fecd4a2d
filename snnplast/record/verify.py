"""Whether a file is, as a whole, what a run leaves: asked before anything of it is used.

HDF5 files may point outside themselves (external storage, soft and external links, virtual datasets), declare sizes
they do not have, and hold types that mean something else to their reader. A run's file has none of that: hard links
only, each object once; plain contiguous or chunked data without filters, all of it inside the file; the types, ranks
and attributes of `record.layout`. `check` reads the file itself and is called in a process of its own (`record.apart`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5l, h5o

from snnplast.record.journal import overlay
from snnplast.record.layout import SORTING, STATUSES, TRIAL

MOST_OBJECTS, DEEPEST, LONGEST_TEXT = 100_000, 12, 2**24


class Refused(Exception):
    """What is wrong with a file, as the end of a sentence that begins with its name."""


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
        self.data: dict[str, h5py.Dataset] = {}
        self.groups: dict[str, h5py.Group] = {}

    def check(self) -> None:
        self._group("", self.file, 0)
        steps, trials = self._trials()
        root = set(self.groups) | set(self.data)
        if extra := {name.partition("/")[0] for name in root if name} - set(_MEMBERS):
            raise Refused(f"is not the file of a run: runs have no '{min(extra)}'")
        _attributes("", self.file, _ROOT)
        attributes = _values(self.file, _ROOT)
        if attributes["status"] not in STATUSES or not (0 < attributes["dt"] < 1e9) or attributes["seed"] < 0:
            raise Refused("is damaged: its status, dt or seed is none that a run has")
        _versions(attributes["versions"])
        for name, group in self.groups.items():
            if name:
                _check_group(name, group)
        for name, data in self.data.items():
            _check_data(name, data)
        self._check_lengths(steps, trials)

    def _group(self, path: str, group: h5py.Group, depth: int) -> None:
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

    def _stored(self, name: str, data: h5py.Dataset) -> None:
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
        dt = _scalar(self.file, "dt")
        rows = data[:]
        starts = np.concatenate([[0.0], rows["stop"][:-1]])[: len(rows)]
        steps = rows["stop"] / dt
        fits = np.isfinite(steps).all() and np.array_equal(rows["start"], starts) and np.all(steps < 2.0**52)
        if not fits or not np.all(np.diff(steps, prepend=0) > 0) or not np.all(np.abs(steps - np.rint(steps)) < 1e-3):
            raise Refused("is damaged: the times of its trials do not follow each other")
        if any(not bytes(phase).isascii() for phase in np.unique(rows["phase"])):
            raise Refused("is damaged: a phase of its trials is no text")
        return (round(float(steps[-1])) if len(rows) else 0), len(rows)

    def _check_lengths(self, steps: int, trials: int) -> None:
        """Whether what belongs together is equally long."""
        lengths: dict[str, set[int]] = {}
        for name, data in self.data.items():
            first, *rest = name.split("/")
            if first in ("spikes", "weights") and len(rest) == 2:
                lengths.setdefault(f"{first}/{rest[0]}", set()).add(len(data))
            if first == "states" and len(data) != (trials if _scalar(data, "per") == "trial" else steps):
                raise Refused(f"is damaged: '/{name}' has {len(data)} rows, its trials need others")
            if first == "metrics":
                lengths.setdefault(f"metrics per {_scalar(data, 'per')}", set()).add(len(data))
        for name, found in lengths.items():
            if len(found) > 1:
                raise Refused(f"is damaged: the columns of '{name}' differ in length")
        for name in self.groups:
            first, *rest = name.split("/")
            wanted = {"spikes": {"timestamps", "node_ids"}, "weights": {"pre", "post", "weight"}}.get(first)
            if wanted and rest and set(self.groups[name]) != wanted:
                raise Refused(f"is damaged: '/{name}' has other columns than those of a run")


def _names(group: h5py.Group) -> list[bytes]:
    return [name if isinstance(name, bytes) else name.encode() for name in group.id]


# What is where: attributes by name, each with its type; the types and ranks of datasets.

TEXT, INTEGER, REAL = "text", "integer", "real"
_ROOT = {
    "magic": "u4",
    "version": "u4x2",
    "config": TEXT,
    "versions": TEXT,
    "seed": INTEGER,
    "dt": REAL,
    "status": TEXT,
}
_SPIKES = {"sorting": "sorting", "dt": REAL, "t_stop": REAL, "size": INTEGER, "seed": INTEGER}
_MEMBERS = ("spikes", "states", "trials", "metrics", "weights", "parameters", "checkpoint")
_COLUMNS = {"timestamps": "f8", "node_ids": "u8", "pre": "i8", "post": "i8", "weight": "f8"}
_PER = {"states": ("step", "trial"), "metrics": ("iteration", "epoch")}


def _check_group(name: str, group: h5py.Group) -> None:
    first, *rest = name.split("/")
    if first == "checkpoint":
        if rest:
            _attributes(name, group, {})
        else:
            _free(name, group, (TEXT, INTEGER))
        return
    depth = {"spikes": 1, "states": 1, "metrics": 0, "weights": 1, "parameters": 0}.get(first, -1)
    if len(rest) > depth:
        raise Refused(f"is not the file of a run: runs have no group '/{name}'")
    expected = {"spikes": _SPIKES, "weights": {"source": TEXT, "target": TEXT}}.get(first, {}) if rest else {}
    _attributes(name, group, expected)
    if first == "spikes" and rest and not 0 < _scalar(group, "size") < 2**48:
        raise Refused(f"is damaged: '/{name}' has no neurons")


def _check_data(name: str, data: h5py.Dataset) -> None:
    first, *rest = name.split("/")
    last = rest[-1] if rest else ""
    fits = False
    attributes: Mapping[str, str] | None = {}
    if first == "trials":
        fits, attributes = not rest and _grows(data), {"units": TEXT}
    elif first == "spikes" and len(rest) == 2 and last in ("timestamps", "node_ids"):
        fits = data.dtype == _COLUMNS[last] and data.ndim == 1 and _grows(data)
        attributes = {"units": TEXT} if last == "timestamps" else {}
    elif first == "states" and len(rest) == 2:
        fits = data.dtype == "f8" and data.ndim == 2 and _grows(data)
        attributes = {"per": TEXT, "dt": REAL, "population": TEXT}
    elif first == "metrics" and len(rest) == 1:
        fits, attributes = data.dtype == "f8" and data.ndim == 1 and _grows(data), {"per": TEXT}
    elif first == "weights" and len(rest) == 2 and last in ("pre", "post", "weight"):
        fits = data.dtype == _COLUMNS[last] and data.ndim == 1
    elif first == "parameters" and len(rest) == 1:
        fits, attributes = data.dtype == "f8" and data.ndim <= 8, None
    elif first == "checkpoint" and rest:
        fits = data.dtype.kind in "biuf" and data.ndim <= 8
    if not fits:
        raise Refused(f"is not the file of a run: '/{name}' is {data.dtype} of {data.ndim} dimensions, or misplaced")
    if attributes is None:
        _free(name, data, (TEXT,))
    else:
        _attributes(name, data, attributes)
    if first in _PER and _scalar(data, "per") not in _PER[first]:
        raise Refused(f"is damaged: '/{name}' is kept per {_scalar(data, 'per')!r}")


def _grows(data: h5py.Dataset) -> bool:
    return data.chunks is not None and data.maxshape[0] is None and data.maxshape[1:] == data.shape[1:]


def _attributes(name: str, item: Any, expected: Mapping[str, str]) -> None:
    found = set(_attribute_names(item))
    if found != set(expected):
        odd = min(found ^ set(expected))
        raise Refused(f"is damaged: the attribute '{odd}' of '/{name}' is {'unknown' if odd in found else 'missing'}")
    for key, kind in expected.items():
        if not _has_type(item.attrs.get_id(key), kind):
            raise Refused(f"is damaged: the attribute '{key}' of '/{name}' has another type than that of a run")
        if kind == TEXT:
            _scalar(item, key)


def _free(name: str, item: Any, kinds: tuple[str, ...]) -> None:
    """Attributes of any name."""
    for key in _attribute_names(item):
        if not any(_has_type(item.attrs.get_id(key), kind) for kind in kinds):
            raise Refused(f"is damaged: the attribute '{key}' of '/{name}' has another type than that of a run")
        _scalar(item, key)


def _attribute_names(item: Any) -> list[str]:
    return list(item.attrs.keys())


def _has_type(attribute: Any, kind: str) -> bool:
    shape, dtype = attribute.shape, attribute.dtype
    if kind == TEXT:
        text = h5py.check_string_dtype(dtype)
        return shape == () and text is not None and text.length is None
    if kind == "sorting":
        return shape == () and h5py.check_enum_dtype(dtype) == h5py.check_enum_dtype(SORTING)
    if h5py.check_enum_dtype(dtype) or h5py.check_string_dtype(dtype):
        return False
    match kind:
        case "integer":
            return shape == () and dtype.kind in "iu"
        case "real":
            return shape == () and dtype == "f8"
        case "u4x2":
            return shape == (2,) and dtype == "u4"
    return shape == () and dtype == kind


def _scalar(item: Any, key: str) -> Any:
    value = item.attrs[key]
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise Refused(f"is damaged: its attribute '{key}' is too long")
        value.encode()  # no lone surrogates
    return value if isinstance(value, str) else value.item()


def _values(item: Any, expected: Mapping[str, str]) -> dict[str, Any]:
    return {key: _scalar(item, key) for key, kind in expected.items() if not kind.endswith("x2")}


def _versions(text: str) -> None:
    try:
        versions = json.loads(text)
    except ValueError:
        versions = None
    if not isinstance(versions, dict) or not all(isinstance(value, str) for value in versions.values()):
        raise Refused("is damaged: its versions are no JSON of names and versions")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
