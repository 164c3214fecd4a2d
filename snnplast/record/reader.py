"""The one way to a run's file for reading: what comes out is an open file that was checked as a whole."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from snnplast.errors import UserError
from snnplast.record.apart import Stamp, ask
from snnplast.record.journal import overlay

TRIES = 20
"""How often a file is looked at that changes meanwhile, being written."""


def open_run(path: Path) -> tuple[Any, Stamp]:
    """The file, checked as a whole and opened through its journal, and its stamp; reading changes nothing on disk.

    Raises
    ------
    UserError
        No such file, no file of a run, damaged.
    """
    wrong = ""
    for _ in range(TRIES):
        fd = _regular(path)
        stamp = Stamp.of(fd)
        wrong, current = ask(path, stamp)
        if not wrong and current and Stamp.of(fd) == stamp:
            return _hdf5(path, fd), stamp
        settled = current and Stamp.of(fd) == stamp
        os.close(fd)
        if settled:
            break
    raise UserError(f"'{path}' {wrong or 'changes faster than it can be read'}")


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Stamp]]:
    """The file, closed in the end; what h5py raises on data that anyone may have written is a sentence."""
    file, stamp = open_run(path)
    try:
        with file:
            yield file, stamp
    except UserError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise UserError(f"'{path}' is damaged: {first}") from error


def _hdf5(path: Path, fd: int) -> Any:
    try:
        return h5py.File(overlay(fd), "r")
    except Exception as error:
        raise UserError(f"'{path}' cannot be read as HDF5: {(str(error).splitlines() or [''])[0]}") from error


def _regular(path: Path) -> int:
    """A file's descriptor; a device or a pipe is not waited for."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UserError(f"'{path}' is no regular file")
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"there is no file '{path}'") from None
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            raise UserError(f"there is no file '{path}': {reason}") from None
        raise UserError(f"'{path}' cannot be read: {reason}") from None
