"""What took long to make, kept by what it was made from: compiled libraries, and what was learned before a run.

An entry is a directory named by its key, holding the content and a record with its checksum. It appears by one rename,
so that a reader sees all of it or nothing, and is verified byte by byte each time it is read: what does not match, or
may have been written by somebody else, is made again, never used. Trouble with the cache is said, and stops nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from snnplast.native.private_directory import PrivateDirectory, Untrusted
from snnplast.native.scratch import remove_abandoned, scratch
from snnplast.notices import notice

CONTENT = "content"
RECORD = "record.json"
BUILDING = ".build-"


def cache_directory() -> Path:
    """$SNNPLAST_CACHE_DIR, or "snnplast/engine" in the user's cache directory ($XDG_CACHE_HOME, ~/.cache)."""
    if chosen := os.environ.get("SNNPLAST_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snnplast" / "engine"


def cache_key(files: dict[str, str], fingerprint: str) -> str:
    """sha256 over paths, contents and everything else that shapes the outcome."""
    digest = hashlib.sha256(fingerprint.encode())
    for name in sorted(files):
        for part in (name, files[name]):
            digest.update(len(part).to_bytes(8, "little") + part.encode())
    return digest.hexdigest()


def cached(key: str, make: Callable[[], bytes], fit: Callable[[bytes], bool] = bool) -> bytes:
    """The content stored under `key`; if there is none to trust, or none that is `fit`, `make()` makes it.

    Any number of processes may ask for one key at once: one makes it, the others wait for it. Where the cache cannot be
    used or written, the content is made and not kept.
    """
    with contextlib.ExitStack() as stack:
        try:
            root = stack.enter_context(PrivateDirectory.at(cache_directory()))
        except OSError as error:
            notice(f"the cache '{cache_directory()}' is not used ({_reason(error)}): what it would hold is made anew")
            return make()
        remove_abandoned(root.path, BUILDING)
        if (content := _read(root, key, fit)) is not None:
            return content
        stack.enter_context(_locked(root, f"{key}.lock"))
        if (content := _read(root, key, fit)) is not None:
            return content
        content = make()
        try:
            _keep(root, key, content)
        except OSError as error:
            notice(f"the cache '{root.path}' cannot be written to ({_reason(error)}): what was made is not kept")
        return content


def _reason(error: OSError) -> str:
    return str(error) if isinstance(error, Untrusted) else error.strerror or str(error)


def _read(root: PrivateDirectory, key: str, fit: Callable[[bytes], bool]) -> bytes | None:
    """The content of an entry if it is ours, complete and fit, otherwise None."""
    try:
        with root.below(key) as entry:
            record, content = json.loads(entry.read(RECORD)), entry.read(CONTENT)
        expected = {"key": key, "sha256": hashlib.sha256(content).hexdigest()}
        why = "" if record == expected and fit(content) else "it is damaged"
    except FileNotFoundError as error:
        if error.filename == key:
            return None
        why = "it is not complete"
    except OSError as error:
        why = _reason(error)
    except ValueError:
        why = "it is damaged"
    if not why:
        return content
    notice(f"the entry '{root.path / key}' of the cache is not used ({why}): it is made anew")
    return None


def _keep(root: PrivateDirectory, key: str, content: bytes) -> None:
    with scratch(root.path, BUILDING) as directory:
        fresh = directory / "entry"
        fresh.mkdir(mode=0o700)
        for name, data in (
            (CONTENT, content),
            (RECORD, json.dumps({"key": key, "sha256": hashlib.sha256(content).hexdigest()}).encode()),
        ):
            with open(os.open(fresh / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
        # A directory cannot be renamed over a full one: what lies there was found unfit, so it makes room first.
        with contextlib.suppress(FileNotFoundError):
            os.rename(key, directory / "unfit", src_dir_fd=root.fd)
        os.rename(fresh, key, dst_dir_fd=root.fd)


@contextlib.contextmanager
def _locked(root: PrivateDirectory, name: str) -> Iterator[None]:
    """Hold a lock file. Where there can be none (some network file systems) go on: two that make it do no harm."""
    import fcntl

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            fd = root.open(name, os.O_RDWR | os.O_CREAT)
            stack.callback(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
