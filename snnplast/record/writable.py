"""Whether a file can be written, asked before any work is done for it; and files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from snnplast.errors import UserError
from snnplast.files import usable

KINDS = {
    stat.S_IFDIR: "a directory: the name of a file is needed",
    stat.S_IFLNK: "a symbolic link: the name of the file itself is needed",
    stat.S_IFIFO: "a named pipe: a file is needed",
    stat.S_IFSOCK: "a socket: a file is needed",
    stat.S_IFCHR: "a device: a file is needed",
    stat.S_IFBLK: "a device: a file is needed",
}


def check_writable(path: str | os.PathLike[str], place: str = "record.path") -> Path:
    """`path` as a Path, if a file can be written there; leaves nothing behind.

    Raises
    ------
    UserError
        No such directory, not a directory, not writable; what stands there is no regular file. `place` names the key
        in the sentence.
    """
    target = usable(path, place)
    parent = target.parent
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            kind = stat.S_IFMT(os.lstat(target).st_mode)
            if kind != stat.S_IFREG:
                raise UserError(f"{place}: '{target}' is {KINDS.get(kind, 'no regular file')}")
        if not parent.exists():
            raise UserError(f"{place}: cannot write '{target}': there is no directory '{parent}'")
        if not parent.is_dir():
            raise UserError(f"{place}: cannot write '{target}': '{parent}' is not a directory")
        with tempfile.TemporaryFile(dir=parent):
            pass
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(None, "the file exists and is write-protected")
    except UserError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{place}: cannot write '{target}': {reason}") from error
    return target


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file whole, or leaves what was there. Raises `UserError`."""
    part = path.with_name(f".{path.name}.part")
    try:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()  # of a process that was killed
        with part.open("xb") as file:
            file.write(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise UserError(f"cannot write '{path}': {error.strerror or error}") from error
