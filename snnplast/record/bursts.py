"""How a run's file comes to be on disk, or in memory: burst by burst, each whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np

from snnplast.errors import UserError
from snnplast.record.claim import Claim
from snnplast.record.layout import RunLayout

Status = Literal["finished", "failed", "interrupted"]


class Bursts:
    """The file of one run, made with the first burst; one that fails leaves it as the last one did, and closes it.

    claim: on the file, None in memory. create: makes the file. tell: takes a sentence about where it had to go.
    layout: the file, None as long as there is none. begun: whether anything has been written. ended: whether it is
    closed. at: when the last burst was.
    """

    def __init__(self, claim: Claim | None, create: Callable[[], RunLayout], tell: Callable[[str], None]) -> None:
        self.claim, self._create, self._tell = claim, create, tell
        self.layout: RunLayout | None = None
        self.begun = self.ended = False
        self.at = -np.inf

    @property
    def path(self) -> Path | None:
        """Where the file is or is to be; None in memory."""
        claim = self.layout.disk.claim if self.layout else self.claim
        return claim.path if claim else None

    def reopen(self, cut: Callable[[RunLayout], None]) -> None:
        """Goes on with the file that is there. cut: takes away what does not stay."""
        try:
            self.layout = RunLayout(self.claim)
            cut(self.layout)
        except Exception as error:
            self._give_up(error)

    def burst(self, write: Callable[[RunLayout], None], status: Status | None = None) -> None:
        """One commit of what `write` writes; with a `status`, closes the file."""
        try:
            if self.layout is None:
                self.layout = self._create()
            write(self.layout)
            if status:
                self.layout.end(status)
            else:
                self.layout.commit()
        except Exception as error:
            self._give_up(error)
        if self.layout.disk.notice:
            self._tell(self.layout.disk.notice)
            self.layout.disk.notice = ""
        self.begun = True
        self.at = time.monotonic()

    def abandon(self) -> None:
        """Closes the file as it is."""
        if self.layout:
            self.layout.abandon()
        elif self.claim:
            self.claim.close()

    def _give_up(self, error: Exception) -> NoReturn:
        """Leaves the file as the last burst left it, and says why."""
        self.ended = True
        cause = error
        if self.layout:
            cause = self.layout.disk.failure or error
            self.layout.abandon()
        if self.claim:
            self.claim.close()
        if isinstance(cause, OSError):
            raise UserError(f"record.path: cannot write '{self.path}': {cause.strerror or cause}") from error
        raise error
