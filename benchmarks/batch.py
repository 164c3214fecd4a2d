"""Evidence accumulation, a batch of 64 trials on 1 and 2 threads: time per trial.

    python benchmarks/batch.py [--batch 64] [--workers 1 2] [--iterations 20] [--repeats 3]

Fresh trials of 2250 steps, 100 neurons, factored gradient, Adam. Wall and CPU time of whole iterations, least of the
repeats; one warm-up iteration before. Weights after the run are compared bit by bit between the numbers of threads.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


def measure(batch: int, workers: int, iterations: int, repeats: int) -> tuple[float, float, float, np.ndarray]:
    """Wall and CPU ms per trial, spikes per trial, and the recurrent weights at the end."""
    experiment = Experiment.of("evidence-accumulation", "model.draws=fresh", f"rules.e-prop.batch={batch}")
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed)
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=10**6, workers=workers, whole=lambda phase, index: False)
        trainer.update()
        wall, cpu, spikes = [], [], []
        for _ in range(repeats):
            started = time.perf_counter(), time.process_time()
            spikes += [trainer.update().metrics["spikes_per_trial"] for _ in range(iterations)]
            wall.append(time.perf_counter() - started[0])
            cpu.append(time.process_time() - started[1])
        trainer.close()
        per_trial = 1e3 / (iterations * batch)
        weights = simulation.values["hidden_to_hidden"].copy()
    return min(wall) * per_trial, min(cpu) * per_trial, float(np.mean(spikes)), weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print("| threads | wall ms per trial | CPU ms per trial | spikes per trial | weights |\n|---|---|---|---|---|")
    first = None
    for workers in arguments.workers:
        wall, cpu, spikes, weights = measure(arguments.batch, workers, arguments.iterations, arguments.repeats)
        first = weights if first is None else first
        same = "bitwise the same" if np.array_equal(first, weights) else "DIFFERENT"
        print(f"| {workers} | {wall:.2f} | {cpu:.2f} | {spikes:,.0f} | {same} |", flush=True)


if __name__ == "__main__":
    main()
