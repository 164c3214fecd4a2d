"""Compiled libraries, kept by what they were compiled from.

An entry is a directory named by its key, holding the library and a record with the library's
checksum. It appears by one rename, so that a reader sees all of it or nothing, and is
verified byte by byte each time it is read: what does not match is built again, never loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

LIBRARY = "library.so"
RECORD = "record.json"


def cache_directory() -> Path:
    """$SNNPLAST_CACHE_DIR, or "snnplast/engine" in the user's cache directory ($XDG_CACHE_HOME, ~/.cache)."""
    if chosen := os.environ.get("SNNPLAST_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snnplast" / "engine"


def cache_key(files: dict[str, str], fingerprint: str) -> str:
    """sha256 over paths, contents and everything else that shapes the library."""
    digest = hashlib.sha256(fingerprint.encode())
    for name in sorted(files):
        for part in (name, files[name]):
            digest.update(len(part).to_bytes(8, "little") + part.encode())
    return digest.hexdigest()


def cached(key: str, build: Callable[[Path], Path]) -> bytes:
    """The library stored under `key`; if there is none to trust, `build(directory)` makes it.

    Any number of processes may ask for one key at once: one builds, the others wait for it.
    Where the cache cannot be written, the library is built and not kept.
    """
    root = cache_directory()
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        writable = os.access(root, os.W_OK)
    except OSError:
        writable = False
    entry = root / key
    if (image := _read(entry, key)) is not None:
        return image
    if not writable:
        with tempfile.TemporaryDirectory(prefix="snnplast-") as scratch:
            return build(Path(scratch)).read_bytes()
    with _locked(root / f"{key}.lock"):
        if (image := _read(entry, key)) is not None:
            return image
        with tempfile.TemporaryDirectory(prefix=".build-", dir=root) as scratch:
            image = build(Path(scratch)).read_bytes()
            _store(entry, key, image, Path(scratch))
        return image


def _read(entry: Path, key: str) -> bytes | None:
    """The library of `entry` if it is ours and complete, otherwise None."""
    try:
        if not all(_ours(path) for path in (entry, entry / LIBRARY, entry / RECORD)):
            return None
        record = json.loads((entry / RECORD).read_text())
        image = (entry / LIBRARY).read_bytes()
    except (OSError, ValueError):
        return None
    expected = {"key": key, "sha256": hashlib.sha256(image).hexdigest()}
    return image if record == expected else None


def _ours(path: Path) -> bool:
    """Whether nobody but this user can have written `path`: a library is code that will run as this user."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & stat.S_IWOTH)


def _store(entry: Path, key: str, image: bytes, scratch: Path) -> None:
    fresh = scratch / "entry"
    fresh.mkdir(mode=0o700)
    (fresh / LIBRARY).write_bytes(image)
    (fresh / RECORD).write_text(json.dumps({"key": key, "sha256": hashlib.sha256(image).hexdigest()}))
    # A directory cannot be renamed over a full one: what lies there was found unfit, so it makes room first.
    if entry.exists() or entry.is_symlink():
        with contextlib.suppress(OSError):
            os.rename(entry, scratch / "unfit")
    with contextlib.suppress(OSError):  # another process was faster, or the disk is full: the image is at hand anyway
        os.rename(fresh, entry)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file; without file locks (some network file systems) go on: two builds do no harm."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(path, "w") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def clear_cache() -> None:
    """Remove everything the cache holds."""
    shutil.rmtree(cache_directory(), ignore_errors=True)
