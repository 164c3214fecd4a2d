"""Directories for work that is thrown away: locked while their process lives, so that the next use knows which are not.

A directory is made under a name that says it is fresh, locked, and then renamed: whoever finds one under its final
name without a lock knows that its process was killed, and removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from snnplast.errors import UserError

Result = TypeVar("Result")
FRESH = "fresh-"
YOUNG = 60.0
"""Seconds in which a fresh directory may still be without its lock."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR)


def working(work: Callable[[Path], Result], *others: Path) -> Result:
    """What `work` makes of an empty directory: one in the temporary folder, or where that is full, in one of others."""
    refused: OSError | None = None
    for place in (Path(tempfile.gettempdir()), *others):
        try:
            with scratch(place, f"snnplast-{os.geteuid()}-") as directory:
                return work(directory)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            refused = refused or error
    raise UserError(
        f"there is no room to work in '{tempfile.gettempdir()}' ({refused.strerror if refused else ''}); "
        "TMPDIR=... names another place"
    ) from refused


@contextlib.contextmanager
def scratch(place: Path, prefix: str) -> Iterator[Path]:
    """An empty directory of this user alone, removed at the end; before, what killed processes left there is."""
    remove_abandoned(place, prefix)
    path = Path(tempfile.mkdtemp(prefix=prefix + FRESH, dir=place))
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _lock(fd)
        settled = path.with_name(prefix + path.name.removeprefix(prefix + FRESH))
        os.rename(path, settled)
        path = settled
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(fd)


def remove_abandoned(place: Path, prefix: str) -> None:
    """Remove this user's directories there whose process is gone."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in [entry for entry in entries if entry.name.startswith(prefix)]:
            with contextlib.suppress(OSError):
                _remove_if_abandoned(Path(entry.path), entry.name.startswith(prefix + FRESH))


def _remove_if_abandoned(path: Path, fresh: bool) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        young = fresh and time.time() - found.st_mtime < YOUNG
        if found.st_uid == os.geteuid() and not young and _lock(fd):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    """Whether nobody else holds it. Without file locks (some network file systems) nothing counts as abandoned."""
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def cannot(output: Sequence[str]) -> OSError | None:
    """The error of a full disk, where a program's output says that it met one."""
    for number in (errno.ENOSPC, errno.EDQUOT):
        if any(os.strerror(number) in line for line in output):
            return OSError(number, os.strerror(number))
    return None
