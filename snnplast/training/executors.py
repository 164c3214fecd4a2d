"""Any executor of `concurrent.futures` as what computes: local processes, Dask, MPI, a batch system.

What is called on it returns the same wherever it runs, so a call whose worker died is simply made once more.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import multiprocessing
import os
import signal
import sys
import traceback
from asyncio import CancelledError
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from typing import Any, NamedTuple, TypeVar

from snnplast.errors import UserError, nearest, short
from snnplast.training.interrupt import ignore

Item = TypeVar("Item")
Result = TypeVar("Result")
Factory = Callable[[], Executor]
NEEDED = "an executor of concurrent.futures"


class Processes(ProcessPoolExecutor):
    """Processes on this machine that only this one stops: neither a terminal's Ctrl-C nor a batch system's SIGTERM.

    count: their number, default one for each processor.
    """

    def __init__(self, count: int | None = None) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would share Brian2's state and loaded libraries
        count = count or os.cpu_count() or 1
        super().__init__(count, mp_context=spawn, initializer=_on_its_own)
        for _ in range(count):  # all start now: Python may not notice the death of one that starts amid other work
            self.submit(int)

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C for what is under way; it is heard by what listens to its parent (`told_by_parent`)."""
        for process in multiprocessing.active_children():
            if process.pid in (self._processes or ()):
                os.kill(process.pid or 0, number)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if self._broken:  # what is left of it heeds nothing else
            self.interrupt(signal.SIGKILL)
        super().shutdown(wait=wait, cancel_futures=cancel_futures)


def _on_its_own() -> None:
    os.setpgrp()
    ignore()


def factory_of(text: str) -> Factory:
    """The function of "module:function", which makes an executor; the module is found in the working directory, too.

    Raises `UserError` where there is no such function, and when called where it fails or makes something else.

    >>> factory_of("concurrent.futures:ThreadPoolExecutor")().submit(abs, -1).result()
    1
    """
    place = f"--executor {text}"
    module_name, colon, name = text.partition(":")
    if not (colon and name.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
        raise UserError(f"{place}: module:function is needed, such as cluster:processes for a function of cluster.py")
    with _from_here():
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
                raise UserError(f"{place}: there is no module {module_name!r}, neither here nor installed") from None
            raise UserError(f"{place}: importing {module_name!r} fails: {told(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UserError(f"{place}: {module_name!r} has no function {name!r}; {nearest(name, known)}")

    def made() -> Executor:
        try:
            with _from_here():
                found = function()
        except Exception as error:
            raise UserError(f"{place}: {name}() fails: {told(error)}") from error
        return checked(found, f"{place}: {name}() returns")

    return made


def checked(found: Any, place: str) -> Executor:
    """An executor, if it is one. `place` begins the sentence otherwise."""
    if not isinstance(found, Executor):
        raise UserError(f"{place} {short(found)}: {NEEDED} is needed")
    return found


class Crew:
    """The workers of an executor, with what happens where one of them dies.

    wanted: an executor, which stays open; or what makes one, which is closed with the crew, and asked for another where
    all workers are gone (`BrokenExecutor`, or nothing more is taken).
    """

    def __init__(self, wanted: Executor | Factory) -> None:
        self._wanted = wanted
        self._executor = wanted if isinstance(wanted, Executor) else wanted()
        self._broken = 0
        """Executors in a row that broke before they gave anything."""

    def each(
        self, function: Callable[[Item], Result], items: Iterable[Item], most: int | None = None
    ) -> Iterator[tuple[Item, Future[Result]]]:
        """Each item and what `function` makes of it, as it is done: a future with a result, or an error that it raises.

        function: importable by the workers. Items and results are pickled. most: items under way at a time, default
        all. An item whose worker died is given to another, once. Raises `UserError` where the executor breaks twice
        without a result.
        """
        numbered = enumerate(items)
        under_way: dict[Future[Any], tuple[int, Item, Executor]] = {}
        deaths: Counter[int] = Counter()

        def submit(number: int, item: Item) -> None:
            future = self._submit(function, item)
            under_way[future] = number, item, self._executor

        try:
            for number, item in itertools.islice(numbered, most):
                submit(number, item)
            while under_way:
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    number, item, executor = under_way.pop(future)
                    error = _death(future)
                    if isinstance(error, BrokenExecutor):  # nobody knows at which item, so none is blamed
                        if executor is self._executor:
                            self._renew(error)
                        submit(number, item)
                    elif error and not deaths[number]:
                        deaths[number] += 1
                        submit(number, item)
                    else:
                        self._broken = 0
                        for further in itertools.islice(numbered, 1):
                            submit(*further)
                        yield item, _outcome(future, error)
        finally:
            for future in under_way:
                future.cancel()

    def _submit(self, function: Callable[[Item], Result], item: Item) -> Future[Any]:
        while True:
            try:
                return self._executor.submit(_call, function, item)
            except Exception as error:
                self._renew(error)

    def _renew(self, error: Exception) -> None:
        """Another executor for one that has broken."""
        self._broken += 1
        if self._broken > 1 or isinstance(self._wanted, Executor):
            raise UserError(f"executor: its workers are gone, or take no work: {told(error)}") from error
        self._executor.shutdown()  # what still ends there is not begun again beside it
        self._executor = self._wanted()

    def interrupt(self) -> None:
        """Let runs under way on processes of our own end as after Ctrl-C; others end by themselves."""
        if isinstance(self._executor, Processes):
            self._executor.interrupt()

    def close(self, wait: bool = True) -> None:
        """Give up what was made here. wait: until nothing is under way."""
        if not isinstance(self._wanted, Executor):
            self._executor.shutdown(wait=wait)


class _Raised(NamedTuple):
    """What a function raised, as a result: a future that raises by itself has lost its worker."""

    error: Exception


def _call(function: Callable[[Item], Result], item: Item) -> Result | _Raised:
    try:
        return function(item)
    except Exception as error:
        error.add_note(traceback.format_exc())
        return _Raised(error)


def _death(future: Future[Any]) -> BaseException | None:
    """What a future raises: not Ctrl-C, but its worker's end, or that nothing could be sent there or back."""
    try:
        future.result()
    except (Exception, CancelledError) as error:
        return error
    return None


def _outcome(future: Future[Any], death: BaseException | None) -> Future[Any]:
    found: Future[Any] = Future()
    if death:
        found.set_exception(UserError(f"executor: a worker has ended at the same work twice: {told(death)}"))
    elif isinstance(raised := future.result(), _Raised):
        found.set_exception(raised.error)
    else:
        found.set_result(raised)
    return found


def told(error: BaseException) -> str:
    """An error in one line, with what it is."""
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no more is known'])[0]}"


@contextlib.contextmanager
def _from_here() -> Iterator[None]:
    """In its `with` block, modules are found in the working directory first, as by `python -m`."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
