"""A file for h5py that goes from one consistent state to the next, so that a killed run leaves a readable file.

HDF5 updates its metadata in place, one small write after another; a process killed between two of them leaves a file
that reads wrongly or not at all. `AtomicFile` stands between h5py and the disk. Until `commit`

  - what HDF5 writes past the committed end goes to disk at once: nothing in the committed part points there;
  - what it writes inside the committed part is held back in memory.

`commit` then writes the held-back bytes as a journal behind the end of the file (HDF5 ignores trailing bytes), applies
them in place, and cuts the journal off. When the process is killed

  - before the journal is complete, the file is the previous state and some bytes that HDF5 ignores;
  - after that, `open_consistent` reads the new state through the journal, and `repair` writes it in place.

Only a kill at some moments of the journal's application (some tens of microseconds in all) needs these two functions;
at every other moment any HDF5 reader opens the file. (Arrays that are replaced, such as those of a checkpoint, may read
as half replaced for as long as that takes.) This relies on the kernel keeping what a killed process has
written. Nothing is synced to the disk, so a power failure is another matter. POSIX only.

Layout of the journal, little-endian:

    entries: offset u64, length u64, bytes
    footer:  magic 8s, start of the entries u64, size of the file once applied u64, crc32 of all before u32
"""

from __future__ import annotations

import fcntl
import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py

_ENTRY = struct.Struct("<QQ")
_FOOTER = struct.Struct("<8sQQI")
_MAGIC = b"snnpjrnl"
_GAP = 8192  # bytes between two short writes that are merged into one
_LONG = 32768
Writes = list[tuple[int, bytes]]


class _Overlay(io.RawIOBase):
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


class AtomicFile(_Overlay):
    """File object for `h5py.File(AtomicFile(path), "w")`; it appears at `path` with its first `commit`.

    existing: go on with the file at `path` instead, for `h5py.File(..., "r+")`; a journal that its writer left is
    applied, and bytes that HDF5 ignores go with the first commit. While it is open no other AtomicFile opens it so.

    A failed write is kept as `failure` and raised by the next `commit`, since h5py cannot always hand it on; what it
    writes after that is dropped. The file is then still in its last committed state, and `abandon` leaves it there.
    Raises BlockingIOError where another process has an existing file open.
    """

    def __init__(self, path: Path, existing: bool = False):
        self.path = path
        self.failure: OSError | None = None
        self._part: Path | None = None if existing else path.with_name(f".{path.name}.{os.getpid()}.part")
        fd = os.open(self._part or path, os.O_RDWR | (0 if existing else os.O_CREAT | os.O_TRUNC), 0o666)
        try:
            _claim(fd)
            if existing:
                _repair(fd)
            self._committed = os.fstat(fd).st_size
        except OSError:
            os.close(fd)
            raise
        super().__init__(fd, self._committed, [])
        self._owner = os.getpid()
        self._abandoned = False
        self._journal_complete = False

    def commit(self) -> None:
        """Makes what h5py has flushed so far the state of the file; OSError where not all of it could be written."""
        if self.failure:
            raise self.failure
        try:
            end = max(self._size, self._committed)
            os.truncate(self._fd, end)
            writes = self._merged_writes()
            if writes:
                place = end
                for piece in _journal(writes, end, self._size):
                    _write_all(self._fd, piece, place)
                    place += len(piece)
            self._journal_complete = True
            _apply(self._fd, writes, self._size)
            self._journal_complete = False
            if self._part:
                os.replace(self._part, self.path)
        except OSError as error:
            self.failure = error
            raise
        self._committed, self._held, self._part = self._size, [], None

    def _merged_writes(self) -> Writes:
        """What is held back as few pieces that do not overlap: long ones, then the others from the last in the file on.

        Long ones are rows of data, which nobody sees until the length of their dataset is changed, or arrays that are
        replaced. HDF5 writes these lengths before the index of the data, which lies behind them in the file. So in this
        order, and with all the lengths in one piece, hardly any moment is left at which the file reads wrongly.
        """
        spans: list[list[int]] = []
        alone: dict[int, bytes] = {}  # by where they start: writes that are a piece as they are
        for start, data in sorted(self._held, key=lambda write: write[0]):
            end = start + len(data)
            gap = _GAP if len(data) < _LONG and spans and spans[-1][1] - spans[-1][0] < _LONG else 0
            if spans and start < spans[-1][1] + gap:
                spans[-1][1] = max(spans[-1][1], end)
                alone.pop(spans[-1][0], None)
            else:
                spans.append([start, end])
                alone[start] = data
        pieces = []
        for start, end in reversed(spans):
            piece = alone.get(start)
            if piece is None or end > self._size:
                copied = bytearray(max(0, min(end, self._size) - start))
                self.seek(start)
                self.readinto(copied)
                piece = bytes(copied)
            pieces.append((start, piece))
        return sorted(pieces, key=lambda piece: len(piece[1]) < _LONG)

    def abandon(self) -> None:
        """Drops what was not committed and all that h5py may still write; without any commit no file is left."""
        self._abandoned = True
        if self._part:
            self._part.unlink(missing_ok=True)
        if not self._journal_complete:
            os.truncate(self._fd, self._committed)

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        data, start = bytes(data), self._position
        self._position += len(data)
        self._size = max(self._size, self._position)
        forked = os.getpid() != self._owner  # a child must not touch its parent's file
        if self._abandoned or self.failure or forked:
            return len(data)
        inside = max(0, min(len(data), self._committed - start))
        if inside:
            self._held.append((start, data[:inside]))
        try:
            _write_all(self._fd, data[inside:], start + inside)
        except OSError as error:
            self.failure = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        return self._size


def open_consistent(path: Path) -> h5py.File:
    """The file opened for reading, through its journal if the writer was killed while applying one.

    Raises OSError when it is no HDF5 file. Reading changes nothing on disk.
    """
    fd = os.open(path, os.O_RDONLY)
    journal = _read_journal(fd)
    if journal is None:
        os.close(fd)
        return h5py.File(path, "r")
    return h5py.File(_Overlay(fd, journal[1], journal[0]), "r")


def repair(path: Path) -> bool:
    """Applies a journal that a killed writer left behind, for readers other than ours; whether there was one.

    Only for a file that nobody is writing any more.
    """
    fd = os.open(path, os.O_RDWR)
    try:
        return _repair(fd)
    finally:
        os.close(fd)


def _repair(fd: int) -> bool:
    journal = _read_journal(fd)
    if journal:
        _apply(fd, *journal)
    return journal is not None


def _claim(fd: int) -> None:
    """Locks out other writers until this one closes the file or dies; raises BlockingIOError where there is one.

    What stays is a shared lock, the kind that HDF5 takes to read: readers come and go.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_SH)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        pass


def _journal(held: Writes, start: int, size: int) -> Iterator[bytes]:
    """The journal in pieces; what is long is not copied."""
    crc, short = 0, bytearray()
    for offset, data in held:
        short += _ENTRY.pack(offset, len(data))
        if len(data) < _LONG:
            short += data
            continue
        for piece in (bytes(short), data):
            crc = zlib.crc32(piece, crc)
            yield piece
        short.clear()
    yield bytes(short) + _FOOTER.pack(_MAGIC, start, size, zlib.crc32(short, crc))


def _read_journal(fd: int) -> tuple[Writes, int] | None:
    """Writes and final size in a complete journal at the end of the file; None if there is none."""
    end = os.fstat(fd).st_size - _FOOTER.size
    if end < 0:
        return None
    magic, start, size, crc = _FOOTER.unpack(os.pread(fd, _FOOTER.size, end))
    if magic != _MAGIC or start > end:
        return None
    body = os.pread(fd, end - start, start)
    if zlib.crc32(body) != crc:
        return None
    held, place = [], 0
    while place < len(body):
        offset, length = _ENTRY.unpack_from(body, place)
        place += _ENTRY.size + length
        held.append((offset, body[place - length : place]))
    return held, size


def _apply(fd: int, held: Writes, size: int) -> None:
    for offset, data in held:
        _write_all(fd, data, offset)
    os.truncate(fd, size)


def _write_all(fd: int, data: bytes, offset: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(fd, memoryview(data)[done:], offset + done)
