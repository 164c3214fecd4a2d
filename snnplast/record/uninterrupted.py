"""Work that Ctrl-C must not cut in two."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread


def uninterrupted(work: Callable[[], None]) -> None:
    """Does `work` to its end, then lets a KeyboardInterrupt through.

    Python raises KeyboardInterrupt in the main thread only, so that it never strikes amid HDF5's calls in this thread.
    """
    failures: list[BaseException] = []
    begun, done = Event(), Event()

    def guarded() -> None:
        begun.set()
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    interrupt = None
    try:
        Thread(target=guarded, name="snnplast-record").start()
        done.wait()
    except KeyboardInterrupt as error:
        interrupt = error
        while not done.is_set():
            with suppress(KeyboardInterrupt):
                if not begun.wait(1):  # interrupted before the thread could start: nothing was written
                    break
                done.wait()
    for failure in failures:
        raise failure
    if interrupt:
        raise interrupt
