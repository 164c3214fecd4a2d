"""An executor whose workers die as a test wants it."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Executor, Future


class Mortal(Executor):
    """Runs at once what it is given, but for what `death` says of the nth call: an error instead. broken: for good."""

    def __init__(self, death=lambda call, item: None):
        self.death, self.calls, self.broken, self.closed = death, 0, False, False

    def submit(self, function, *given):
        if self.broken:
            raise BrokenExecutor("no more work")
        self.calls += 1
        future, error = Future(), self.death(self.calls, given[-1])
        self.broken = isinstance(error, BrokenExecutor)
        if error:
            future.set_exception(error)
        else:
            future.set_result(function(*given))
        return future

    def shutdown(self, wait=True):
        self.closed = True
