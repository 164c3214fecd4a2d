"""What is where in a run's file: objects, types and ranks of their data, and their attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py

from snnplast.record.layout import SORTING

LONGEST_TEXT = 2**24


class Refused(Exception):
    """What is wrong with a file, as the end of a sentence that begins with its name."""


TEXT, INTEGER, REAL = "text", "integer", "real"
ROOT = {
    "magic": "u4",
    "version": "u4x2",
    "config": TEXT,
    "versions": TEXT,
    "seed": INTEGER,
    "dt": REAL,
    "status": TEXT,
}
_SPIKES = {"sorting": "sorting", "dt": REAL, "t_stop": REAL, "size": INTEGER, "seed": INTEGER}
MEMBERS = ("spikes", "states", "trials", "metrics", "weights", "parameters", "checkpoint")
_COLUMNS = {"timestamps": "f8", "node_ids": "u8", "pre": "i8", "post": "i8", "weight": "f8"}
_PER = {"states": ("step", "trial"), "metrics": ("iteration", "epoch")}


def check_group(name: str, group: Any) -> None:
    first, *rest = name.split("/")
    if first == "checkpoint":
        if rest:
            check_attributes(name, group, {})
        else:
            _free(name, group, (TEXT, INTEGER))
        return
    depth = {"spikes": 1, "states": 1, "metrics": 0, "weights": 1, "parameters": 0}.get(first, -1)
    if len(rest) > depth:
        raise Refused(f"is not the file of a run: runs have no group '/{name}'")
    expected = {"spikes": _SPIKES, "weights": {"source": TEXT, "target": TEXT}}.get(first, {}) if rest else {}
    check_attributes(name, group, expected)
    if first == "spikes" and rest and not 0 < scalar(group, "size") < 2**48:
        raise Refused(f"is damaged: '/{name}' has no neurons")


def check_data(name: str, data: Any) -> None:
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
        check_attributes(name, data, attributes)
    if first in _PER and scalar(data, "per") not in _PER[first]:
        raise Refused(f"is damaged: '/{name}' is kept per {scalar(data, 'per')!r}")


def _grows(data: Any) -> bool:
    return data.chunks is not None and data.maxshape[0] is None and data.maxshape[1:] == data.shape[1:]


def check_attributes(name: str, item: Any, expected: Mapping[str, str]) -> None:
    found = set(_attribute_names(item))
    if found != set(expected):
        odd = min(found ^ set(expected))
        raise Refused(f"is damaged: the attribute '{odd}' of '/{name}' is {'unknown' if odd in found else 'missing'}")
    for key, kind in expected.items():
        if not _has_type(item.attrs.get_id(key), kind):
            raise Refused(f"is damaged: the attribute '{key}' of '/{name}' has another type than that of a run")
        if kind == TEXT:
            scalar(item, key)


def _free(name: str, item: Any, kinds: tuple[str, ...]) -> None:
    """Attributes of any name."""
    for key in _attribute_names(item):
        if not any(_has_type(item.attrs.get_id(key), kind) for kind in kinds):
            raise Refused(f"is damaged: the attribute '{key}' of '/{name}' has another type than that of a run")
        scalar(item, key)


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


def scalar(item: Any, key: str) -> Any:
    value = item.attrs[key]
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise Refused(f"is damaged: its attribute '{key}' is too long")
        value.encode()  # no lone surrogates
    return value if isinstance(value, str) else value.item()


def values(item: Any, expected: Mapping[str, str]) -> dict[str, Any]:
    return {key: scalar(item, key) for key, kind in expected.items() if not kind.endswith("x2")}


def check_versions(text: str) -> None:
    try:
        versions = json.loads(text)
    except ValueError:
        versions = None
    if not isinstance(versions, dict) or not all(isinstance(value, str) for value in versions.values()):
        raise Refused("is damaged: its versions are no JSON of names and versions")
