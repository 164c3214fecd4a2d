"""What is where in a run's file: objects, types and ranks of their data, and their attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from snnplast.record.layout import ANSWER, SORTING

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
MEMBERS = (
    *("spikes", "states", "trials", "answers", "metrics", "weights", "parameters"),
    *("initial", "best", "history", "checkpoint"),
)
_COLUMNS = {"timestamps": "f8", "node_ids": "u8", "pre": "i8", "post": "i8", "weight": "f8"}
_PER = {"states": ("step", "trial"), "metrics": ("iteration", "epoch")}
_GROUPS = {"spikes": _SPIKES, "weights": {"source": TEXT, "target": TEXT, "unit": TEXT}}
_LEARNED = {"initial": {"origin": TEXT}, "best": {"metric": TEXT, "value": REAL, "round": INTEGER}}


def check_group(name: str, group: Any) -> None:
    first, *rest = name.split("/")
    if first == "checkpoint":
        if rest:
            check_attributes(name, group, {})
        else:
            _free(name, group, (TEXT, INTEGER))
        return
    depths = {"spikes": 1, "states": 1, "metrics": 0, "weights": 1, "parameters": 0, "initial": 0, "best": 0}
    if len(rest) > depths.get(first, -1) and name not in ("history", "history/values"):
        raise Refused(f"is not the file of a run: runs have no group '/{name}'")
    expected = (_GROUPS if rest else _LEARNED).get(first, {})
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
        whose = "projection" if "projection" in data.attrs else "population"
        attributes = {"per": TEXT, "dt": REAL, whose: TEXT}
    elif first == "answers":
        fits = not rest and data.dtype == ANSWER and data.ndim == 1 and _grows(data)
        attributes = {"size": INTEGER, "classes": TEXT}
    elif first in _LEARNED and len(rest) == 1:
        fits = data.dtype == "f8" and data.ndim == 1
    elif name == "history/round":
        fits, attributes = data.dtype == "i8" and data.ndim == 1 and _grows(data), {"per": TEXT}
    elif first == "history" and len(rest) == 2 and rest[0] == "values":
        fits = data.dtype == "f8" and data.ndim == 2 and _grows(data)
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
    per = "metrics" if name == "history/round" else first
    if per in _PER and scalar(data, "per") not in _PER[per]:
        raise Refused(f"is damaged: '/{name}' is kept per {scalar(data, 'per')!r}")


def check_answers(data: Any) -> None:
    """Whether all answers are units there are, with names as many as there are, if any."""
    size, rows = scalar(data, "size"), data[:]
    try:
        classes = json.loads(scalar(data, "classes"))
    except ValueError:
        classes = None
    if not isinstance(classes, list) or len(classes) > size or not all(type(name) in (str, int) for name in classes):
        raise Refused("is damaged: the classes of '/answers' are no JSON list of names")
    for name in ("wanted", "answered"):
        if np.any((rows[name] < 0) | (rows[name] >= size)):
            raise Refused(f"is damaged: what '/answers' says was {name} is no unit of the readout")
    check_phases(rows, "answers")


def check_phases(rows: np.ndarray, name: str) -> None:
    """Phases are text."""
    if any(not bytes(phase).isascii() for phase in np.unique(rows["phase"])):
        raise Refused(f"is damaged: a phase of its {name} is no text")


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
