"""What a task holds and what a network is described by, each in twelve letters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from snnplast.brian import Function, TimedArray
from snnplast.description import Description
from snnplast.network.network import Network
from snnplast.task.task import Task

BLOCK = 1 << 24


def digest_of(task: Task) -> str:
    """Of all arrays that a task holds, in lists and tables as well; "" where there are none."""
    digest, any_there = hashlib.sha256(), False
    for path, array in _arrays(vars(task), ()):
        any_there = True
        digest.update(repr((path, array.dtype.str, array.shape)).encode())
        rows = max(1, BLOCK // max(1, array.nbytes // max(1, len(array)))) if array.ndim else 1
        for block in (array[k : k + rows] for k in range(0, len(array), rows)) if array.ndim else [array]:
            digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()[:12] if any_there else ""


def digest_of_description(network: Network) -> str:
    """Of everything that a network is described by."""
    digest = hashlib.sha256()
    for text in _texts((network.dt, network.populations, network.projections, network.attachments)):
        digest.update(text)
    return digest.hexdigest()[:12]


def _texts(value: Any) -> Iterator[bytes]:
    """A description, however deep, as bytes that say all of it."""
    if isinstance(value, np.ndarray):
        yield repr((value.dtype.str, value.shape)).encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Mapping):
        yield b"{"
        for key, entry in value.items():
            yield repr(key).encode()
            yield from _texts(entry)
    elif isinstance(value, list | tuple):
        yield b"("
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, Description):
        yield type(value).__qualname__.encode()
        yield from _texts({name: getattr(value, name) for name in type(value).model_fields})
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__qualname__.encode()
        yield from _texts({each.name: getattr(value, each.name) for each in fields(value)})
    elif isinstance(value, TimedArray):
        yield from _texts(("TimedArray", value.values, value.dt, repr(value.dim)))
    elif isinstance(value, Function):
        yield from _texts(value.pyfunc)
    elif callable(value):
        yield f"{value.__module__}.{value.__qualname__}".encode()
    else:
        yield repr(value).encode()


def _arrays(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biufcSU":
            yield path, value
    elif isinstance(value, Task):
        yield from _arrays(vars(value), path)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _arrays(entry, (*path, repr(key)))
    elif isinstance(value, list | tuple):
        for k, entry in enumerate(value):
            yield from _arrays(entry, (*path, str(k)))
