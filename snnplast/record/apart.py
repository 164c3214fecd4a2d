"""Files looked at in a process of their own, with a time limit: on damaged ones the HDF5 library may not return."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

LIMIT = 10.0
"""Seconds, and one more for each `RATE` bytes of the file."""
RATE = 200 * 2**20
MEMORY = 4 * 2**30
"""Bytes that the process may take."""

SETTLED = 100_000_000
"""Nanoseconds after which a file that changes gets another time of change."""

_START = "import sys; sys.path[:] = sys.argv[1:]; from snnplast.record.apart import serve; serve()"


class Stamp(NamedTuple):
    """A file and its state: where one of them differs, it may hold something else."""

    device: int
    number: int
    size: int
    changed: int

    @classmethod
    def of(cls, fd: int) -> Stamp:
        found = os.fstat(fd)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class _Helper:
    """The process, started when it is first needed; a new one after a crash, a time-out, and in a forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._known: dict[Stamp, str] = {}

    def ask(self, path: Path, stamp: Stamp) -> tuple[str, bool]:
        """What is wrong with the file, "" if nothing is; and whether it is still the one with this stamp."""
        if stamp in self._known:
            return self._known[stamp], True
        with self._lock:
            try:
                answer = self._exchange(str(path.absolute()), LIMIT + stamp.size / RATE)
            except BaseException:
                self.stop()
                raise
        if answer is None:
            wrong, found = f"is damaged: the HDF5 library did not come to an end within {LIMIT:g} s, or crashed", stamp
        else:
            wrong, found = answer["wrong"], Stamp(*answer["stamp"])
        if found == stamp and time.time_ns() - stamp.changed > SETTLED:
            self._known = {stamp: wrong} | dict(list(self._known.items())[:99])
        return wrong, found == stamp

    def _exchange(self, path: str, limit: float) -> dict[str, Any] | None:
        """The answer; None where there is none."""
        process = self._started()
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps([path, limit]).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            self.stop()
            return None
        ready, _, _ = select.select([process.stdout], [], [], limit)
        line = process.stdout.readline() if ready else b""
        if not line.endswith(b"\n"):
            self.stop()
            return None
        return json.loads(line)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._owner = os.getpid()
            words = [sys.executable, "-I", "-c", _START, *(place for place in sys.path if place)]
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
            )
        return self._process

    def stop(self) -> None:
        """End the process, if it is this one's."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()


_helper = _Helper()
ask = _helper.ask
atexit.register(_helper.stop)


def _forked() -> None:
    """A forked child has a lock that another thread may hold and pipes that are not its own."""
    _helper._lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)


def serve() -> None:
    """In the process: answers what is asked on standard input, one line each, until it is closed.

    It ends itself when its time is up, since whoever asked may be gone by then.
    """
    import resource

    from snnplast.record.expected import Refused
    from snnplast.record.verify import check

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        wrong = ""
        stamp: Stamp | None = None
        path, limit = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, limit + 1)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            stamp = Stamp.of(fd)
            check(fd)
        except Refused as error:
            wrong = str(error)
        except OSError as error:
            wrong = f"cannot be read: {error.strerror or error}"
        except BaseException as error:
            wrong = f"is damaged: {type(error).__name__}"
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps({"wrong": wrong, "stamp": stamp or (0, 0, 0, 0)}) + "\n")
        answers.flush()
