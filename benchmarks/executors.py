"""One batch, and a sweep of 16 runs, on executors: wall time, what is sent, whether the bits are the same.

    python benchmarks/executors.py [--n 100 1000] [--batch 32] [--updates 7] [--sweep] [--mpi mpiexec]

Batch: the e-prop iteration of `eprop_iteration.py` with `--batch` trials per update, in chunks of 4. Wall ms per
update, median of all but the first two, in which workers build the network, and the fourth. MB out and back per update;
"bits" are the first letters of a digest of all weights and losses. In "one killed", a worker is killed amid the fourth
update.
Sweep: xor with four sizes and four seeds, one epoch each; "one killed": a worker, after the first run has ended.
MPI runs this script again, on one rank that trains and two that work.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from eprop_iteration import Pattern, network

import snnplast as snn
from snnplast.record.reading import read_run
from snnplast.training.executors import Factory, Processes
from snnplast.training.sweep import Axis, grid, run_all

FOURTH = 3
Where = tuple[Executor | Factory, Callable[[], int]]
"""An executor, or what makes one; and what gives the process of one of its workers."""


class Deadly(Pattern):
    """The tenth trial of the fourth update kills the process that runs it, where no file says that it has done so."""

    def __init__(self, done: str, batch: int) -> None:
        super().__init__()
        self.done, self.deadly = done, FOURTH * batch + 9

    def trial(self, index: int) -> Any:
        if index == self.deadly and not Path(self.done).exists():
            Path(self.done).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().trial(index)


class Counted(Executor):
    """Passes everything on, and counts bytes of arrays out and back."""

    def __init__(self, executor: Executor) -> None:
        self.executor, self.out, self.back = executor, 0, 0

    def submit(self, function: Callable, /, *given: Any, **named: Any) -> Future:
        asked = given[-1]
        self.out += len(asked.state) + len(asked.experiment or b"")
        future = self.executor.submit(function, *given, **named)
        future.add_done_callback(self._count)
        return future

    def _count(self, future: Future) -> None:
        with contextlib.suppress(BaseException):
            self.back += len(future.result() or b"")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.executor.shutdown(wait=wait)


@contextlib.contextmanager
def processes(count: int) -> Iterator[Where]:
    made: list[Processes] = []

    def factory() -> Executor:
        made.append(Processes(count))
        return made[-1]

    yield factory, lambda: next(iter(made[-1]._processes))


@contextlib.contextmanager
def dask(count: int) -> Iterator[Where]:
    from distributed import Client, LocalCluster  # pyright: ignore[reportMissingImports]

    settings = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        yield client.get_executor, lambda: next(iter(client.run(os.getpid).values()))


@contextlib.contextmanager
def mpi(count: int) -> Iterator[Where]:
    from mpi4py.futures import MPIPoolExecutor  # pyright: ignore[reportMissingImports]

    with MPIPoolExecutor(count) as pool:
        pool.bootup()
        yield pool, os.getpid


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:8]


def batch(n: int, size: int, updates: int, where: Any = None, killed: bool = False, workers: int = 1) -> dict[str, Any]:
    """One run of so many updates: ms of each, MB per update, digest."""
    rule = snn.EProp(
        batch=size,
        third_factor={"name": "readout-error", "scale": n**-0.5},
        regularisers=({"name": "firing-rate"},),
        optimizer={"name": "sgd", "learning_rate": 1e-2 / n},
    )
    with tempfile.TemporaryDirectory() as folder, where or contextlib.nullcontext((None, None)) as (factory, _):
        task = Deadly(f"{folder}/{'new' if killed else '.'}", size)
        experiment = snn.Experiment(network(n), task, rule, iterations=updates, workers=workers)
        counted: list[Counted] = []

        def counting() -> Executor:
            counted.append(Counted(factory if isinstance(factory, Executor) else factory()))
            return counted[-1]

        ticks = [time.perf_counter()]
        ticking = [lambda moment: ticks.append(time.perf_counter())]
        run = snn.train(experiment, callbacks=ticking, progress=False, executor=counting if factory else None)
    ms = 1e3 * np.diff(ticks)
    return {
        "ms": float(np.median(np.delete(ms, FOURTH)[2:])),
        "fourth": float(ms[FOURTH]),
        "out": sum(each.out for each in counted) / updates / 1e6,
        "back": sum(each.back for each in counted) / updates / 1e6,
        "bits": digest(*run.weights.values(), run.metrics["loss"]),
    }


def sweep(where: Any, killed: bool = False) -> dict[str, Any]:
    """16 runs: wall seconds and the digest of all that they learned."""
    with tempfile.TemporaryDirectory() as folder, where as (factory, worker):
        axes = [Axis("model.hidden", ("8", "12", "16", "20"))]
        points = grid("xor", ["train.epochs=1"], axes, [0, 1, 2, 3], Path(folder))
        started, wrong = time.perf_counter(), list[str]()
        for done, (_, sentence) in enumerate(run_all(points, factory)):
            wrong += [sentence] * bool(sentence)
            if killed and not done:
                os.kill(worker(), signal.SIGKILL)
        seconds = time.perf_counter() - started
        assert not wrong, wrong
        runs = [read_run(point.path) for point in points]
        return {"s": seconds, "bits": digest(*(values for run in runs for values in run.weights.values()))}


def by_mpi(arguments: argparse.Namespace, what: str, *words: str) -> dict[str, Any]:
    """The same in a process of its own, under MPI."""
    script = [sys.executable, "-m", "mpi4py.futures", __file__, "--json", what, *words]
    command = [arguments.mpi, "-n", "3", *script]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def show_batches(arguments: argparse.Namespace) -> None:
    size, updates = arguments.batch, arguments.updates
    print("| n | where | ms per update | fourth update, ms | MB out | MB back | bits |\n|---|---|---|---|---|---|---|")
    for n in arguments.n:
        found: dict[str, Callable[[], dict[str, Any]]] = {
            "here": partial(batch, n, size, updates),
            "here, 2 threads": partial(batch, n, size, updates, workers=2),
        }
        for count in (1, 2, 8):
            found[f"{count} process{'es' * (count > 1)}"] = partial(batch, n, size, updates, processes(count))
        found["2 processes, one killed"] = partial(batch, n, size, updates, processes(2), killed=True)
        if not arguments.no_dask:
            found["Dask, 2 workers"] = partial(batch, n, size, updates, dask(2))
            found["Dask, 2 workers, one killed"] = partial(batch, n, size, updates, dask(2), killed=True)
        if arguments.mpi:
            numbers = ["--n", str(n), "--batch", str(size), "--updates", str(updates)]
            found["MPI, 2 ranks"] = partial(by_mpi, arguments, "batch", *numbers)
        for name, measure in found.items():
            row = measure()
            times = f"{row['ms']:.0f} | {row['fourth']:.0f} | {row['out']:.1f} | {row['back']:.1f}"
            print(f"| {n} | {name} | {times} | {row['bits']} |", flush=True)


def show_sweeps(arguments: argparse.Namespace) -> None:
    print("\n| where | s for 16 runs | bits |\n|---|---|---|")
    found = {f"{k} process{'es' * (k > 1)}": partial(sweep, processes(k)) for k in (1, 2)}
    found["2 processes, one killed"] = partial(sweep, processes(2), killed=True)
    if not arguments.no_dask:
        found["Dask, 2 workers"] = partial(sweep, dask(2))
        found["Dask, 2 workers, one killed"] = partial(sweep, dask(2), killed=True)
    if arguments.mpi:
        found["MPI, 2 ranks"] = partial(by_mpi, arguments, "sweep")
    for name, measure in found.items():
        row = measure()
        print(f"| {name} | {row['s']:.1f} | {row['bits']} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[100, 1000], help="recurrent neurons")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--updates", type=int, default=7, help="at least 4")
    parser.add_argument("--sweep", action="store_true", help="the sweep alone")
    parser.add_argument("--mpi", metavar="MPIEXEC", help="what starts MPI programs, default: MPI is left out")
    parser.add_argument("--no-dask", action="store_true")
    parser.add_argument("--json", choices=["batch", "sweep"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.json == "batch":
        print(json.dumps(batch(arguments.n[0], arguments.batch, arguments.updates, mpi(2))))
    elif arguments.json == "sweep":
        print(json.dumps(sweep(mpi(2))))
    else:
        if not arguments.sweep:
            show_batches(arguments)
        show_sweeps(arguments)


if __name__ == "__main__":
    main()
