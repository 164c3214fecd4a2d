"""Loading a library from its bytes: each load has globals of its own, and no file that anybody could exchange.

The dynamic linker gives each *file* its own globals, and takes a path that is still loaded for the same file. So each
load has a nameless file in memory, which stays open as long as the library is loaded; where the system has none or
does not execute it, the library is copied into a directory of this user alone, which goes as soon as it is mapped.
"""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from snnplast.native.scratch import working

_COPIES = itertools.count()


class SharedLibrary:
    """A loaded library. functions: all that it exports, by name."""

    def __init__(self, image: bytes, others: Sequence[Path] = ()) -> None:
        self._fd = -1
        self.functions = self._in_memory(image) or working(lambda place: _copied(image, place), *others)

    def _in_memory(self, image: bytes) -> ctypes.CDLL | None:
        try:
            self._fd = os.memfd_create("snnplast")
            with open(os.dup(self._fd), "wb") as file:
                file.write(image)
            return ctypes.CDLL(f"/proc/self/fd/{self._fd}", mode=ctypes.RTLD_LOCAL)
        except (AttributeError, OSError):
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1
            return None

    def unload(self) -> None:
        """Nothing of it may be used after that."""
        _ctypes.dlclose(self.functions._handle)
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)


def _copied(image: bytes, directory: Path) -> ctypes.CDLL:
    path = directory / f"{os.getpid()}-{next(_COPIES)}.so"
    path.write_bytes(image)
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_LOCAL)
