"""Ctrl-C that waits for a moment at which nothing is half done."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any, Self


class Stopped(KeyboardInterrupt):
    """Ctrl-C, heard where nothing is half done."""


class Interrupts:
    """Takes note of the first Ctrl-C inside its `with` block; the second one interrupts at once, as usual.

    wanted: whether there was one. notify: called then, from the signal handler.
    Outside the main thread, and where Ctrl-C is ignored, it does nothing.
    """

    def __init__(self, notify: Callable[[], None] = lambda: None) -> None:
        self.wanted = False
        self._notify = notify
        self._usual: Callable[[int, FrameType | None], Any] | None = None

    def check(self) -> None:
        """Raises `Stopped` if there was a Ctrl-C."""
        if self.wanted:
            raise Stopped

    def __enter__(self) -> Self:
        usual = signal.getsignal(signal.SIGINT)
        if callable(usual) and current_thread() is main_thread():
            self._usual = usual
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._usual is not None:
            signal.signal(signal.SIGINT, self._usual)
            self._usual = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.wanted and self._usual is not None:
            self._usual(number, frame)
            return
        self.wanted = True
        self._notify()
