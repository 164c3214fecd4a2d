"""One neuron learns when to spike, by SuperSpike: van Rossum distance over training, and when it spikes in the end.

    python benchmarks/spike_pattern.py [--seeds 0 1 2 ...] [--out benchmarks/spike_pattern.png]

The default settings of `snnplast run spike-pattern`. Distances are parts of that of a silent neuron. A seed draws the
input and the first weights.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np

import snnplast as snn
from snnplast.config.experiment import Experiment

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SHOWN = (1, 100, 400, 1000, 2000)


def run(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Distance of every iteration, spikes of the last trial and wanted ones (ms), CPU ms per trial."""
    experiment = Experiment.of("spike-pattern", f"train.seed={seed}")
    segment = next(experiment.task().trial(0))
    target = segment.series["filtered.target"][:, 0]
    silent = 0.5 * float(np.sum(target**2))
    rising = np.flatnonzero(np.diff(target, n=2, prepend=[0, 0]) > 0.5 * np.diff(target, n=2).max())
    with snn.open(experiment) as sim:
        distances, started = [], time.process_time()
        for _ in range(experiment.train.iterations):
            step = sim.update()
            distances.append(step.metrics["loss"] / silent)
        cpu = 1e3 * (time.process_time() - started) / len(distances)
        fired = step.trials[0].spikes["output"][0]
    return np.array(distances), 0.1 * fired, 0.1 * rising, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    columns = " | ".join(f"iteration {k}" for k in SHOWN)
    print(f"| seed | {columns} | spikes | largest error, ms | CPU ms per trial |\n|{'---|' * (len(SHOWN) + 4)}")
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    every = []
    for seed in arguments.seeds:
        distances, fired, wanted, cpu = run(seed)
        every.append(distances)
        axes.semilogy(np.arange(1, distances.size + 1), np.maximum(distances, 1e-6), linewidth=0.7)
        late = f"{np.abs(fired - wanted).max():.1f}" if fired.size == wanted.size else ""
        told = " | ".join(f"{distances[k - 1]:.2g}" for k in SHOWN)
        print(f"| {seed} | {told} | {fired.size} of {wanted.size} | {late} | {cpu:.2f} |", flush=True)
    told = " | ".join(f"{np.median([d[k - 1] for d in every]):.2g}" for k in SHOWN)
    print(f"| median | {told} | | | |")
    axes.set(xlabel="iteration", ylabel="van Rossum distance\n(silent: 1; 0 is drawn at 1e-6)")
    if arguments.out:
        figure.savefig(arguments.out, dpi=120)


if __name__ == "__main__":
    main()
