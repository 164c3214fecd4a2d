"""Whether a file can be written, asked before any work is done for it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from snnplast.errors import UserError


def check_writable(path: str | os.PathLike[str], place: str = "record.path") -> Path:
    """`path` as a Path, if a file can be written there; leaves nothing behind.

    Raises
    ------
    UserError
        No such directory, not a directory, is a directory, not writable; `place` names the key in the sentence.
    """
    target = Path(path)
    parent = target.parent
    if target.is_dir():
        raise UserError(f"{place}: '{target}' is a directory: the name of a file is needed")
    if not parent.exists():
        raise UserError(f"{place}: cannot write '{target}': there is no directory '{parent}'")
    if not parent.is_dir():
        raise UserError(f"{place}: cannot write '{target}': '{parent}' is not a directory")
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(None, "the file exists and is write-protected")
    except OSError as error:
        raise UserError(f"{place}: cannot write '{target}': {error.strerror or error}") from error
    return target
