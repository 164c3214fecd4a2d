"""A run without trials, with STDP and a file: time and peak memory against its length.

    python benchmarks/free_run.py [--lengths 60 600 3600]

1,000 Poisson sources at 20 Hz onto 10 LIF neurons, steps of 1 ms, pieces of 10 s, all spikes recorded, a checkpoint
whenever one is due. Each length in a process of its own; peak RSS is that of the process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure(seconds: int) -> None:
    import snnplast as snn

    net = snn.Network()
    net.add("input", snn.PoissonSource(1000, peak_rate="20 Hz"))
    net.add("hidden", snn.LIF(10, tau_m="20 ms", refractory="5 ms"))
    net.connect("input", "hidden", weights=snn.Uniform(low=0, high=0.005), bounds=(0, 0.005), plastic=True)
    task = snn.FreeRun(f"{seconds} s", piece="10 s", inputs={"input": [1.0] * 1000})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.h5"
        record = snn.Recording(path=str(path), spikes=["input", "hidden"], first=0)
        experiment = snn.Experiment(net, task, snn.STDP(), epochs=1, record=record)
        started = time.perf_counter()
        run = snn.train(experiment, progress=False)
        took = time.perf_counter() - started
        size = path.stat().st_size / 1e6
    rate = run.metrics["spikes_per_trial"][-1] / 10 / 10
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:6} s: {took:7.1f} s, {rss:6.0f} MB at its peak, file of {size:7.1f} MB, {rate:.1f} Hz", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[60, 600, 3600])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        measure(given.one)
        return
    for length in given.lengths:
        subprocess.run([sys.executable, __file__, "--one", str(length)], check=True)


if __name__ == "__main__":
    main()
