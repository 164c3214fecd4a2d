"""Which files the user's code reads: data and modules, each with a fingerprint of what it held when it was opened.

Python tells of every file it opens (an audit event), whatever opens it: numpy, gzip, an import. What opens files
on its own, such as h5py, is told of with `Reads.note`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import site
import sys
import sysconfig
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Yielded = TypeVar("Yielded")
Sent = TypeVar("Sent")

BLOCK = 1 << 20
SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/")
_NO_READ = os.O_WRONLY | os.O_TRUNC | os.O_CREAT
_here = threading.local()
"""`reads`: where files that this thread opens are noted, if anywhere."""


class Reads:
    """Files that were read for one experiment: path -> fingerprint. `data` and `modules` are apart."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.modules: dict[str, str] = {}

    def note(self, path: str | os.PathLike[str]) -> None:
        """Take a file down, unless it is there or belongs to what is installed."""
        file = os.path.abspath(path)
        if file.endswith(".pyc"):
            try:
                file = importlib.util.source_from_cache(file)
            except ValueError:
                return
        kind = self.modules if file.endswith(".py") else self.data
        if file not in kind and os.path.isfile(file) and not file.startswith(_not_the_users()):
            kind[file] = fingerprint(file)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Notes what this thread opens for reading meanwhile."""
        _listen()
        before, _here.reads = getattr(_here, "reads", None), self
        try:
            yield
        finally:
            _here.reads = before

    def during(self, trial: Generator[Yielded, Sent, Any]) -> Generator[Yielded, Sent, Any]:
        """The same generator; what it opens is noted, in whatever thread it is taken on."""
        sent: Any = None
        while True:
            with self.noted():
                try:
                    item = trial.send(sent)
                except StopIteration as end:
                    return end.value
            sent = yield item


def fingerprint(file: str | os.PathLike[str]) -> str:
    """Of a file's contents; found once as long as the file is not touched."""
    status = os.stat(file)
    return _fingerprint(os.path.abspath(file), status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _fingerprint(file: str, *touched: int) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as content:
        while block := content.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()[:12]


@functools.cache
def _not_the_users() -> tuple[str, ...]:
    """Directories of the system, of what is installed, whose versions say what it is, and the library's own."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages(), str(Path(__file__).parent)]
    found = dict.fromkeys(path for given in paths if given for path in (given, os.path.realpath(given)))
    return (*SYSTEM, *(f"{path}{os.sep}" for path in found))


@functools.cache
def _listen() -> None:
    """Once per process: a hook cannot be taken away again."""
    sys.addaudithook(_opened)


def _opened(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or (reads := getattr(_here, "reads", None)) is None:
        return
    path, _, flags = arguments
    if not isinstance(path, str | bytes | os.PathLike) or (isinstance(flags, int) and flags & _NO_READ):
        return
    _here.reads = None  # what is opened for its fingerprint is no news
    try:
        reads.note(os.fsdecode(path))
    except (OSError, ValueError):
        pass  # whoever opens it is told
    finally:
        _here.reads = reads
