"""Files of runs with something wrong in them: made from a good one, by chance, each time the same for one number."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

VICTIM = "victim.txt"
PIPE = "pipe"
EXTREME = (0, 1, 2**16, 2**31, 2**32 - 1, 2**48, 2**63, 2**64 - 1)
ODD = (0, -1, 2**62, 1.5, np.nan, np.inf, "", "x", "\udc80".encode("utf-8", "surrogateescape"), "é" * 1000)
TYPES = ("i1", "u8", "i8", ">i8", "f2", "f4", ">f8", "f8", "c16", "?", "S3", "V5")


def mutant(good: Path, target: Path, number: int) -> str:
    """Writes mutant `number` of the file `good` to `target`; the name of its kind."""
    rng = np.random.default_rng(number)
    names = list(KINDS)
    name = names[number % len(names)]
    shutil.copyfile(good, target)
    KINDS[name](target, rng)
    return name


def _bytes(
    change: Callable[[bytearray, np.random.Generator], bytearray],
) -> Callable[[Path, np.random.Generator], None]:
    def do(path: Path, rng: np.random.Generator) -> None:
        path.write_bytes(change(bytearray(path.read_bytes()), rng))

    return do


def _where(data: bytearray, rng: np.random.Generator) -> int:
    """A place, as often as not among the metadata, which begin a file and stand between its data."""
    used = [k for k in range(0, len(data), 512) if any(data[k : k + 512])]
    start = used[rng.integers(len(used))] if rng.random() < 0.7 else 0
    return min(len(data) - 1, start + int(rng.integers(512)))


def _flip(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(rng.integers(1, 20)):
        data[_where(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _scramble(data: bytearray, rng: np.random.Generator) -> bytearray:
    place, length = _where(data, rng), int(2 ** rng.integers(1, 10))
    data[place : place + length] = rng.bytes(len(data[place : place + length]))
    return data


def _zero(data: bytearray, rng: np.random.Generator) -> bytearray:
    place, length = _where(data, rng), int(2 ** rng.integers(2, 13))
    data[place : place + length] = bytes(len(data[place : place + length]))
    return data


def _extreme(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(rng.integers(1, 4)):
        place = _where(data, rng) & ~3
        value = struct.pack("<Q", EXTREME[rng.integers(len(EXTREME))])[: 4 if rng.random() < 0.5 else 8]
        data[place : place + len(value)] = value
    return data


def _copied(data: bytearray, rng: np.random.Generator) -> bytearray:
    here, there, length = _where(data, rng), _where(data, rng), int(2 ** rng.integers(3, 11))
    piece = data[there : there + length]
    data[here : here + len(piece)] = piece
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(len(data)))]


def _grown(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data + rng.bytes(int(rng.integers(1, 5000)))


def _journal(data: bytearray, rng: np.random.Generator) -> bytearray:
    entries = b""
    for _ in range(rng.integers(1, 4)):
        offset = _where(data, rng) if rng.random() < 0.7 else EXTREME[rng.integers(len(EXTREME))]
        piece = rng.bytes(int(rng.integers(1, 64)))
        length = len(piece) if rng.random() < 0.7 else EXTREME[rng.integers(len(EXTREME))]
        entries += struct.pack("<QQ", offset, length) + piece
    size = len(data) if rng.random() < 0.7 else EXTREME[rng.integers(len(EXTREME))]
    return data + entries + struct.pack("<8sQQI", b"snnpjrnl", len(data), size, zlib.crc32(entries))


def _inside(
    change: Callable[[Any, list[str], np.random.Generator], None],
) -> Callable[[Path, np.random.Generator], None]:
    """Through h5py: `change` gets the file and the names of all objects in it."""

    def do(path: Path, rng: np.random.Generator) -> None:
        names: list[str] = []
        try:
            with h5py.File(path, "r+") as file:
                file.visit(lambda name: names.append(name))
                change(file, names, rng)
        except (ValueError, TypeError, RuntimeError, KeyError, OSError, UnicodeError):  # h5py makes no such file
            _bytes(_flip)(path, rng)

    return do


def _one(names: list[str], rng: np.random.Generator) -> str:
    return names[rng.integers(len(names))]


def _link(file: Any, names: list[str], rng: np.random.Generator) -> None:
    name = _one(names, rng)
    links = [
        h5py.SoftLink("/" + _one(names, rng)),
        h5py.SoftLink("/nowhere"),
        h5py.ExternalLink(VICTIM, "/"),
        h5py.ExternalLink(PIPE, "/"),
        h5py.ExternalLink("/dev/zero", "/"),
        file[_one(names, rng)],
    ]
    link = links[rng.integers(len(links))]
    del file[name]
    file[name if rng.random() < 0.8 else f"{name}_more"] = link


def _datasets(file: Any, names: list[str]) -> list[str]:
    return [name for name in names if isinstance(file[name], h5py.Dataset)]


def _external(file: Any, names: list[str], rng: np.random.Generator) -> None:
    name = _one(_datasets(file, names), rng)
    old = file[name]
    attributes, shape, dtype, where = dict(old.attrs), old.shape, old.dtype, old.parent
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_external(os.path.abspath(VICTIM).encode(), 0, max(1, int(np.prod(shape)) * dtype.itemsize))
    del file[name]
    made = h5py.h5d.create(
        where.id, name.rpartition("/")[2].encode(), h5py.h5t.py_create(dtype), h5py.h5s.create_simple(shape), plan
    )
    h5py.Dataset(made).attrs.update(attributes)


def _virtual(file: Any, names: list[str], rng: np.random.Generator) -> None:
    name = _one(_datasets(file, names), rng)
    attributes, shape, dtype = dict(file[name].attrs), file[name].shape, file[name].dtype
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource(VICTIM if rng.random() < 0.5 else ".", name, shape=shape)
    del file[name]
    file.create_virtual_dataset(name, layout).attrs.update(attributes)


def _attribute(file: Any, names: list[str], rng: np.random.Generator) -> None:
    having = [name for name in ["/", *names] if len(file[name].attrs)]
    where = file[having[rng.integers(len(having))]].attrs
    key = list(where)[rng.integers(len(where))]
    match rng.integers(4):
        case 0:
            del where[key]
        case 1:
            where.create(key, ODD[rng.integers(len(ODD))])
        case 2:
            where.create(key, np.zeros(rng.integers(0, 4, rng.integers(1, 4)), TYPES[rng.integers(len(TYPES))]))
        case 3:
            where.create(f"{key} more", "x")


def _type(file: Any, names: list[str], rng: np.random.Generator) -> None:
    name = _one(_datasets(file, names), rng)
    old = file[name]
    attributes, shape, chunks, most = dict(old.attrs), old.shape, old.chunks, old.maxshape
    dtype = TYPES[rng.integers(len(TYPES))]
    del file[name]
    how = {"chunks": chunks, "maxshape": most} if chunks else {}
    file.create_dataset(name, data=np.zeros(shape, dtype), **how).attrs.update(attributes)


def _size(file: Any, names: list[str], rng: np.random.Generator) -> None:
    name = _one(_datasets(file, names), rng)
    old = file[name]
    if old.chunks and rng.random() < 0.5:
        old.resize(int(rng.integers(0, 2 ** rng.integers(1, 60))), axis=0)
        return
    attributes, dtype = dict(old.attrs), old.dtype
    shape = tuple(int(n) for n in rng.integers(0, 2 ** rng.integers(1, 25), rng.integers(0, 4)))
    del file[name]
    chunks = tuple(min(64, max(1, n)) for n in shape) if shape and rng.random() < 0.7 else None
    file.create_dataset(name, shape, dtype, chunks=chunks, maxshape=(None,) * len(shape) if chunks else None)
    file[name].attrs.update(attributes)


def _value(file: Any, names: list[str], rng: np.random.Generator) -> None:
    found = [name for name in _datasets(file, names) if file[name].size and file[name].dtype.names is None]
    data = file[_one(found, rng)]
    values = data[()]
    flat = np.atleast_1d(values).reshape(-1)
    odd = [0, -1, 1, 2**40, -(2**62), 1e300, np.nan, np.inf]
    with np.errstate(all="ignore"):
        flat[rng.integers(flat.size)] = np.array(odd[rng.integers(len(odd))]).astype(flat.dtype)
    data[...] = flat.reshape(data.shape)


def _gone(file: Any, names: list[str], rng: np.random.Generator) -> None:
    del file[_one(names, rng)]


KINDS: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "bits": _bytes(_flip),
    "scrambled": _bytes(_scramble),
    "zeroed": _bytes(_zero),
    "extreme numbers": _bytes(_extreme),
    "copied blocks": _bytes(_copied),
    "truncated": _bytes(_cut),
    "grown": _bytes(_grown),
    "journal": _bytes(_journal),
    "links": _inside(_link),
    "external storage": _inside(_external),
    "virtual": _inside(_virtual),
    "attributes": _inside(_attribute),
    "types": _inside(_type),
    "sizes": _inside(_size),
    "values": _inside(_value),
    "missing": _inside(_gone),
}
