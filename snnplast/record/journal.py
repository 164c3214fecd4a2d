"""The journal of a commit: bytes that are to change inside a file, put behind its end before they are put in place.

HDF5 ignores bytes behind the end of its file, so one with a journal reads as before; `Overlay` reads it as it is once
the journal is applied. Layout, little-endian:

    entries: offset u64, length u64, bytes
    footer:  magic 8s, start of the entries u64, size of the file once applied u64, crc32 of all before u32
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator

_ENTRY = struct.Struct("<QQ")
_FOOTER = struct.Struct("<8sQQI")
_MAGIC = b"snnpjrnl"
_GAP = 8192  # bytes between two short writes that are merged into one
_PIECE = 2**20
LONG = 32768
Writes = list[tuple[int, bytes]]


class Overlay(io.RawIOBase):
    """Read-only view of an open file as it is once the writes in `held` are applied."""

    def __init__(self, fd: int, size: int, held: Writes):
        self._fd = fd
        self._size = size
        self._held = held
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        start = self._position
        count = max(0, min(len(buffer), self._size - start))
        found = os.pread(self._fd, count, start)
        buffer[:count] = found + bytes(count - len(found))
        for offset, data in self._held:
            low, high = max(offset, start), min(offset + len(data), start + count)
            if low < high:
                buffer[low - start : high - start] = data[low - offset : high - offset]
        self._position += count
        return count

    def close(self) -> None:
        if not self.closed and hasattr(self, "_fd"):  # without, where opening failed
            os.close(self._fd)
        super().close()


def overlay(fd: int) -> Overlay:
    """The file, read through its journal if its writer was killed while applying one; takes over `fd`."""
    journal = read_journal(fd)
    return Overlay(fd, journal[1], journal[0]) if journal else Overlay(fd, os.fstat(fd).st_size, [])


def merged(view: Overlay, held: Writes, size: int) -> Writes:
    """What is held back as few pieces that do not overlap: long ones, then the others from the last in the file on.

    Long ones are rows of data, which nobody sees until the length of their dataset is changed, or arrays that are
    replaced. HDF5 writes these lengths before the index of the data, which lies behind them in the file. So in this
    order, and with all the lengths in one piece, hardly any moment is left at which the file reads wrongly.
    view: reads what lies between the pieces. size: of the file; nothing is written behind it.
    """
    spans: list[list[int]] = []
    alone: dict[int, bytes] = {}  # by where they start: writes that are a piece as they are
    for start, data in sorted(held, key=lambda write: write[0]):
        end = start + len(data)
        gap = _GAP if len(data) < LONG and spans and spans[-1][1] - spans[-1][0] < LONG else 0
        if spans and start < spans[-1][1] + gap:
            spans[-1][1] = max(spans[-1][1], end)
            alone.pop(spans[-1][0], None)
        else:
            spans.append([start, end])
            alone[start] = data
    pieces = []
    for start, end in reversed(spans):
        piece = alone.get(start)
        if piece is None or end > size:
            copied = bytearray(max(0, min(end, size) - start))
            view.seek(start)
            view.readinto(copied)
            piece = bytes(copied)
        pieces.append((start, piece))
    return sorted(pieces, key=lambda piece: len(piece[1]) < LONG)


def journal(held: Writes, start: int, size: int) -> Iterator[bytes]:
    """The journal in pieces; what is long is not copied."""
    crc, short = 0, bytearray()
    for offset, data in held:
        short += _ENTRY.pack(offset, len(data))
        if len(data) < LONG:
            short += data
            continue
        for piece in (bytes(short), data):
            crc = zlib.crc32(piece, crc)
            yield piece
        short.clear()
    yield bytes(short) + _FOOTER.pack(_MAGIC, start, size, zlib.crc32(short, crc))


def read_journal(fd: int) -> tuple[Writes, int] | None:
    """Writes and final size in a complete journal at the end of the file; None if there is none."""
    end = os.fstat(fd).st_size - _FOOTER.size
    if end < 0:
        return None
    magic, start, size, crc = _FOOTER.unpack(os.pread(fd, _FOOTER.size, end))
    if magic != _MAGIC or not size <= start <= end or _checksum(fd, start, end) != crc:
        return None
    held, place = [], start
    while place < end:
        offset, length = _ENTRY.unpack(os.pread(fd, _ENTRY.size, place).ljust(_ENTRY.size, b"\0"))
        place += _ENTRY.size + length
        if place > end or offset + length > size:  # no journal of ours
            return None
        held.append((offset, os.pread(fd, length, place - length)))
    return held, size


def _checksum(fd: int, start: int, end: int) -> int:
    crc = 0
    for place in range(start, end, _PIECE):
        crc = zlib.crc32(os.pread(fd, min(_PIECE, end - place), place), crc)
    return crc


def apply(fd: int, held: Writes, size: int) -> None:
    """Put the writes in place, and cut off what lies behind `size`."""
    for offset, data in held:
        write_all(fd, data, offset)
    os.truncate(fd, size)


def write_all(fd: int, data: bytes, offset: int) -> None:
    """All of `data`, however many calls it takes."""
    done = 0
    while done < len(data):
        done += os.pwrite(fd, memoryview(data)[done:], offset + done)
