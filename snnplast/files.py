"""Paths as users write them, and text files as editors leave them."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from snnplast.errors import UserError, short

LARGEST = 1 << 24
"""Bytes of a text file of settings, at most."""
LONGEST = 255
"""Bytes of one name in a path, at most, as nearly all file systems have it."""


def located(text: str, directory: Path | None = None) -> Path:
    """The path that a text names, absolute: ~ is the home directory, a relative path starts at `directory`.

    directory: default the working directory. Raises `UserError` for what no file can be called.
    """
    return Path(os.path.abspath(Path(directory or Path.cwd(), usable(text))))


def usable(text: str | os.PathLike[str], place: str = "") -> Path:
    """The path as it is given, but for ~, if a file can be called so. `place` begins the sentence otherwise."""
    text = os.fspath(text)
    shown = f"{place}: {short(text)}" if place else short(text)
    if "\0" in text:
        raise UserError(f"{shown}: a path has no NUL in it")
    try:
        path = Path(text).expanduser()
        names = [len(os.fsencode(name)) for name in path.parts]
    except RuntimeError:
        raise UserError(f"{shown}: there is no such user, whose home directory ~ could be") from None
    except UnicodeEncodeError:
        raise UserError(f"{shown}: a path is needed that can be written in {sys.getfilesystemencoding()}") from None
    if max(names, default=0) > LONGEST or sum(names) + len(names) > 4000:
        raise UserError(f"{shown}: a path has at most {LONGEST} bytes per name and 4000 in all")
    return path


def _absolute(text: str) -> str:
    return str(located(text)) if text else text


def _text(given: object) -> object:
    return os.fspath(given) if isinstance(given, os.PathLike) else given


LOCATED = AfterValidator(_absolute)
DataPath = Annotated[str, BeforeValidator(_text), LOCATED]
"""A field of a model: the path of data, or its text; in a config, relative to the file that says so; kept absolute."""


def read_text(path: Path, shown: str) -> str:
    """A text file in UTF-8, with or without a mark that says so. Raises `UserError`."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{shown}: cannot be read: it is no file")
        if status.st_size > LARGEST:
            raise UserError(f"{shown}: {status.st_size} bytes are no settings; at most {LARGEST} are read")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{shown}: no valid TOML: byte {error.start} is not UTF-8") from None
    except OSError as error:
        raise UserError(f"{shown}: cannot be read: {error.strerror}") from None
