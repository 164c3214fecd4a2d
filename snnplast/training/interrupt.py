"""Ctrl-C, SIGTERM and SIGHUP, heard at a moment at which nothing is half done."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any, Self

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a run: Ctrl-C, a batch system whose time is up, a terminal that is closed."""


class Interrupted(KeyboardInterrupt):
    """One of these signals; its number and what it leaves, in words."""

    def __init__(self, number: int = signal.SIGINT, remains: str = "") -> None:
        super().__init__(number, remains)
        self.number, self.remains = number, remains

    def __str__(self) -> str:
        by = "" if self.number == signal.SIGINT else f" by {signal.Signals(self.number).name}"
        return f"interrupted{by}{self.remains}"


class Stopped(Interrupted):
    """The signal, heard where nothing is half done."""


def number_of(interrupt: KeyboardInterrupt) -> int:
    """Of the signal behind it."""
    return interrupt.number if isinstance(interrupt, Interrupted) else signal.SIGINT


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """In its `with` block all of these signals raise, as Ctrl-C does, unless they are ignored or handled already."""
    usual: dict[int, Any] = {}
    if current_thread() is main_thread():
        for number in HEARD:
            if (before := signal.getsignal(number)) in (signal.SIG_DFL, signal.default_int_handler):
                usual[number] = before
                signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def ignore() -> None:
    """All of these signals."""
    for number in HEARD:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def told_by_parent() -> Iterator[None]:
    """In its `with` block SIGINT raises, where it is ignored around it; all that a parent gets, too, stays ignored.

    Of SIGTERM to all processes and what the parent passes on, the second would end the run amid its last checkpoint.
    """
    if current_thread() is not main_thread() or signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


class Interrupts:
    """Takes note of the first signal inside its `with` block; the second one interrupts at once, as usual.

    wanted: the number of the signal, 0 while there was none. notify: called then, from the signal handler.
    Outside the main thread it does nothing, nor about signals that are ignored.
    """

    def __init__(self, notify: Callable[[], None] = lambda: None) -> None:
        self.wanted = 0
        self._notify = notify
        self._usual: dict[int, Any] = {}

    def check(self) -> None:
        """Raises `Stopped` if there was a signal."""
        if self.wanted:
            raise Stopped(self.wanted)

    def __enter__(self) -> Self:
        if current_thread() is main_thread():
            for number in HEARD:
                usual = signal.getsignal(number)
                if callable(usual) or (usual == signal.SIG_DFL and number != signal.SIGINT):
                    self._usual[number] = usual
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, usual in self._usual.items():
            signal.signal(number, usual)
        self._usual = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.wanted:
            self.wanted = number
            self._notify()
        elif callable(usual := self._usual.get(number)):
            usual(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
