"""Functions of this package that are written in C++."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from snnplast.native.cache import cache_directory, cache_key, cached
from snnplast.native.compiler import compiled, fingerprint
from snnplast.native.shared_library import SharedLibrary


def functions(files: Mapping[str, str], main: str) -> ctypes.CDLL:
    """What `main` exports, compiled once per machine and kept in the build cache.

    files: sources and headers by the path under which they include each other; `main` is one of them.
    """
    key = cache_key(dict(files), fingerprint())
    image = cached(key, lambda: compiled(dict(files), main, cache_directory()))
    return SharedLibrary(image, [cache_directory()]).functions
