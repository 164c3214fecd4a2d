"""A directory that nobody but this user can have written to, and what lies in it.

What a library is loaded from is code that will run as this user. So the directory, and every one on the way to it, is
opened step by step, and asked on the open file whose it is: between the look and the use nothing can be exchanged.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASSING = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY
"""How a directory on the way is opened: it may be one that this user can enter, but not list."""
OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Untrusted(OSError):
    """Somebody else may have written here; the text says why, such as "'/x' belongs to another user"."""


class PrivateDirectory:
    """An open directory. path: where it is, without links. fd: the open directory, for `dir_fd`."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self.fd = path, fd

    @classmethod
    def at(cls, path: Path) -> Self:
        """The directory at `path`; it is made if it is missing. Raises `Untrusted`, OSError."""
        for missing in [p for p in (path, *path.parents) if not p.exists()][::-1]:
            with contextlib.suppress(FileExistsError):
                missing.mkdir(mode=0o700)
        real = Path(os.path.realpath(path))
        fd = os.open(real.anchor, _PASSING)
        try:
            for k, part in enumerate(real.parts[1:], start=2):
                _check_on_the_way(Path(*real.parts[: k - 1]), os.fstat(fd))
                last = k == len(real.parts)
                fd = _replaced(fd, os.open(part, os.O_RDONLY | _DIRECTORY if last else _PASSING, dir_fd=fd))
            _check_own(str(real), os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return cls(real, fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.fd)

    @contextlib.contextmanager
    def below(self, name: str) -> Iterator[PrivateDirectory]:
        """A directory in it. Raises `Untrusted`, OSError."""
        with PrivateDirectory(self.path / name, os.open(name, os.O_RDONLY | _DIRECTORY, dir_fd=self.fd)) as found:
            _check_own(str(found.path), os.fstat(found.fd))
            yield found

    def read(self, name: str) -> bytes:
        """What a file in it holds. Raises `Untrusted`, OSError."""
        with open(self.open(name, os.O_RDONLY), "rb") as file:
            return file.read()

    def open(self, name: str, flags: int) -> int:
        """A regular file in it, neither a link nor anything that is waited for. Raises `Untrusted`, OSError."""
        fd = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=self.fd)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise Untrusted(f"'{self.path / name}' is no regular file")
            _check_own(str(self.path / name), found)
        except BaseException:
            os.close(fd)
            raise
        return fd


def _replaced(fd: int, by: int) -> int:
    os.close(fd)
    return by


def _check_own(path: str, found: os.stat_result) -> None:
    """It is this user's, and no other can write to it."""
    if found.st_uid != os.geteuid():
        raise Untrusted(f"'{path}' belongs to another user")
    if found.st_mode & OTHERS:
        raise Untrusted(f"others can write to '{path}' (chmod go-w)")


def _check_on_the_way(path: Path, found: os.stat_result) -> None:
    """Nobody but this user and the system's can put another directory in the place of one below it."""
    if found.st_uid not in (0, os.geteuid()):
        raise Untrusted(f"'{path}' belongs to another user")
    writers = found.st_mode & OTHERS
    if writers == stat.S_IWGRP and _of_this_user_alone(found.st_gid):
        return
    if writers and not found.st_mode & stat.S_ISVTX:
        raise Untrusted(f"others can write to '{path}'")


def _of_this_user_alone(group: int) -> bool:
    """Whether it is the group that many systems give every user for himself."""
    try:
        user, known = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return known.gr_name == user.pw_name and not set(known.gr_mem) - {user.pw_name}
