"""The sole right to write a run's file: a lock on the file itself, so that a killed process leaves no claim behind.

A new file is first made beside its place, as `.<name>.part`; who holds the lock on that one has the place. What a
killed run has left under this name is emptied by the next one. The lock goes with the file when it is put in its place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from snnplast.errors import UserError

Identity = tuple[int, int]
"""Device and number of a file: what it is, wherever it is."""


class Taken(UserError):
    """Another process has the file."""


class Claim:
    """The lock on one file. path: where it is or is to be. fd: the open file. part: where it is until it is published.

    replaces: the file that may be replaced by it. Close it in the end.
    """

    def __init__(self, path: Path, fd: int, part: Path | None, replaces: Identity | None = None) -> None:
        self.path, self.fd, self.part, self._replaces = path, fd, part, replaces
        self._owner = os.getpid()

    @classmethod
    def new(cls, path: Path, replaces: Identity | None = None) -> Claim:
        """A new, empty file that is to be put at `path`. Raises `Taken` where another process makes one, OSError."""
        part = path.with_name(f".{path.name}.part")
        while True:
            fd = _opened(part, os.O_RDWR | os.O_CREAT)
            try:
                _lock(fd, path)
                if same(part, fd):  # else its owner has put it in its place, or removed it, before it let go
                    os.truncate(fd, 0)
                    return cls(path, fd, part, replaces)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    @classmethod
    def existing(cls, path: Path) -> Claim:
        """The file at `path`. Raises `Taken` where another process writes or reads it, OSError."""
        fd = _opened(path, os.O_RDWR)
        try:
            _lock(fd, path)
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, None)

    def publish(self) -> None:
        """Put a new file in its place; beside it, with a number, where something else has come to stand there."""
        if self.part is None:
            return
        if self._replaces is not None and _identity(self.path) == self._replaces:
            os.replace(self.part, self.path)
        else:
            self.path = next(place for place in numbered(self.path) if _put(self.part, place))
            self._reopen()
        self.part = None

    def _reopen(self) -> None:
        """Open the file by its new name, so that the system knows where it goes when it is moved."""
        with contextlib.suppress(OSError):
            fresh = _opened(self.path, os.O_RDWR)
            try:
                if same(self.path, self.fd) and same(self.path, fresh):
                    fcntl.flock(fresh, fcntl.LOCK_SH)
                    os.dup2(fresh, self.fd, inheritable=False)
            finally:
                os.close(fresh)

    def lost(self) -> bool:
        """Whether the published file has been deleted or replaced; one that was moved is followed."""
        if self.part is not None or same(self.path, self.fd):
            return False
        if os.fstat(self.fd).st_nlink == 0:
            return True
        with contextlib.suppress(OSError):
            found = Path(os.readlink(f"/proc/self/fd/{self.fd}"))
            self.path = found if same(found, self.fd) else self.path
        return False

    def elsewhere(self) -> Claim:
        """A new file for what was at `path`: there if nothing is there now, else beside it, else where one can be."""
        reason: Exception | None = None
        for directory in (self.path.parent, Path.cwd(), Path(tempfile.gettempdir())):
            for place in itertools.islice(numbered(directory / self.path.name), 1000):
                if os.path.lexists(place):
                    continue
                try:
                    return Claim.new(place)
                except Taken:
                    continue
                except OSError as error:
                    reason = reason or error
                    break
        raise reason or FileExistsError(errno.EEXIST, "no name is left beside it")

    def close(self) -> None:
        """Give up the lock; a file that was not published is removed."""
        if self.fd < 0:
            return
        if self.part is not None and self._owner == os.getpid() and same(self.part, self.fd):
            self.part.unlink(missing_ok=True)
        os.close(self.fd)
        self.fd, self.part = -1, None


def numbered(path: Path) -> Iterator[Path]:
    """`run.h5`, `run-2.h5`, `run-3.h5`, ..."""
    yield path
    for k in itertools.count(2):
        yield path.with_stem(f"{path.stem}-{k}")


def same(path: Path, fd: int) -> bool:
    """Whether this open file is the one at `path`."""
    found = os.fstat(fd)
    return _identity(path) == (found.st_dev, found.st_ino)


def check_free(path: Path) -> Identity:
    """The file at `path`, if no other process writes or reads it. Raises `Taken`, OSError."""
    fd = _opened(path, os.O_RDONLY)
    try:
        _lock(fd, path)
        found = os.fstat(fd)
        return found.st_dev, found.st_ino
    finally:
        os.close(fd)


def _identity(path: Path) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _opened(path: Path, flags: int) -> int:
    """A regular file; nothing else is waited for, followed or written to."""
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_NOFOLLOW if flags & os.O_CREAT else 0), 0o666)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, f"'{path.name}' is no regular file")
    return fd


def _put(part: Path, place: Path) -> bool:
    """Give the file its name; False where the name is taken."""
    try:
        os.link(part, place)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if os.path.lexists(place):
            return False
        os.replace(part, place)
        return True
    part.unlink()
    return True


def _lock(fd: int, path: Path) -> None:
    """Lock out other writers until the file is closed or this process dies.

    What stays is a shared lock, the kind that HDF5 takes to read: readers come and go.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_SH)
    except BlockingIOError:
        raise Taken(f"'{path}' is open in another process{_owner(fd)}, which still writes or reads it") from None
    except OSError:  # a file system without locks
        pass


def _owner(fd: int) -> str:
    """Who holds a lock on the file, where the system tells."""
    number = os.fstat(fd).st_ino
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if "FLOCK" in words and words[-3].endswith(f":{number}") and int(words[-4]) > 0:
                return f" ({words[-4]})"
    return ""
