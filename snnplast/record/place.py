"""Where a run's file may be written: nothing that stands there is lost unasked."""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path

from snnplast.errors import UserError
from snnplast.record.apart import Stamp
from snnplast.record.claim import Claim, Identity, Taken, check_free, numbered
from snnplast.record.reading import read_checkpoint
from snnplast.record.writable import check_writable

PLACE = "record.path"


def claim_new(path: Path, force: bool = False, free: bool = False) -> Claim:
    """The claim on a new file at `path`; nothing is changed there before its first commit.

    force: the file of another run may be replaced. free: the path is nobody's wish, so where something stands there,
    or is being made, the file gets a number.

    Raises
    ------
    UserError
        The path cannot be written; another process writes it; what stands there is not the file of a run, or is one
        and `force` is not given.
    """
    if force or not free:
        return _claimed(path, force)
    for place in numbered(path):
        if not os.path.lexists(place):
            with contextlib.suppress(Taken):
                return _claimed(place)
    raise AssertionError("numbers do not end")


def _claimed(path: Path, force: bool = False) -> Claim:
    check_writable(path)
    try:
        replaced = _replaceable(path, force)
        claim = Claim.new(path, replaced)
    except OSError as error:
        raise UserError(f"{PLACE}: cannot write '{path}': {error.strerror or error}") from error
    if replaced is None and os.path.lexists(path):  # it has come since
        claim.close()
        raise Taken(f"'{path}' has just been written by another process")
    return claim


def _replaceable(path: Path, force: bool) -> Identity | None:
    """The file of a run that may be replaced; None where there is nothing."""
    if not path.exists():
        return None
    found = check_free(path)
    try:
        run, attributes, _ = read_checkpoint(path)
    except UserError as error:
        raise UserError(f"{PLACE}: {error}; what stands there is left as it is") from error
    if force:
        return found
    if run.status in ("finished", "failed"):
        raise UserError(f"{PLACE}: '{path}' holds a {run.status} run; --force overwrites it")
    on = f"'snnplast resume {shlex.quote(str(path))}' goes on with it, " if attributes else ""
    raise UserError(f"{PLACE}: '{path}' holds a run that was cut off; {on}--force overwrites it")


def claim_existing(path: Path, stamp: Stamp | None = None) -> Claim:
    """The claim on the file of a run that is to go on. stamp: what it was when it was read.

    Raises
    ------
    UserError
        Another process writes or reads it; it has changed since it was read; it cannot be written.
    """
    check_writable(path)
    try:
        claim = Claim.existing(path)
    except OSError as error:
        raise UserError(f"{PLACE}: cannot write '{path}': {error.strerror or error}") from error
    if stamp is not None and Stamp.of(claim.fd) != stamp:
        claim.close()
        raise UserError(f"'{path}' has changed since it was read: another process has written it")
    return claim
