"""Trials of a batch side by side, on clones of the engine in threads, handed back in trial order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from snnplast.simulation.simulation import Simulation

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """Runs a function of (simulation, item) for many items. The compiled engine computes outside Python's lock.

    Which worker takes which item is chance, so the function must give the same result on each; results come in the
    order of the items, so that sums over them do not depend on the number of workers.
    count: number of threads, each with an simulation of its own; 1 runs everything in the caller's thread.
    """

    def __init__(self, simulation: Simulation, count: int) -> None:
        self.first, self.count = simulation, count
        self.clones = [simulation.clone() for _ in range(count - 1)]  # one after another: loading is not thread-safe
        self._free: SimpleQueue[Simulation] = SimpleQueue()
        for each in (simulation, *self.clones):
            self._free.put(each)
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def synchronise(self) -> None:
        """Give all clones the parameters of the first simulation."""
        for clone in self.clones:
            for name, values in self.first.values.items():
                if clone.values[name] is not values:
                    clone.values[name][:] = values

    def map(self, function: Callable[[Simulation, Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results in the order of `items`; at most two per worker are under way or waiting."""
        if self._pool is None:
            yield from (function(self.first, item) for item in items)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                if len(waiting) == 2 * self.count:
                    yield waiting.popleft().result()
                waiting.append(self._pool.submit(self._run, function, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _run(self, function: Callable[[Simulation, Item], Result], item: Item) -> Result:
        simulation = self._free.get()
        try:
            return function(simulation, item)
        finally:
            self._free.put(simulation)

    def close(self) -> None:
        """Wait for what is under way and give up the clones."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for clone in self.clones:
            clone.engine.close()
