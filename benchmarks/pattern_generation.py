"""Pattern generation over many iterations: normalised mean squared error per seed and kind of feedback.

    python benchmarks/pattern_generation.py [--iterations 2000] [--seeds 1 2 3] [--set key=value ...]

NMSE = sum_t (y - y*)^2 / sum_t (y* - mean y*)^2: 1 for a readout that knows nothing but the mean. "frozen" learns the
readout alone. A seed is that of the draws: weights, input noise and target. Given: the mean of the last 50 iterations.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

KINDS = {
    "random": ["rules.e-prop.third_factor.feedback=random"],
    "symmetric": ["rules.e-prop.third_factor.feedback=symmetric"],
    "adaptive": ["rules.e-prop.third_factor.feedback=adaptive"],
    "frozen": ["rule=frozen"],
}


def train(sets: list[str], iterations: int) -> tuple[np.ndarray, np.ndarray, float]:
    """NMSE and spikes per trial of every iteration, and CPU seconds."""
    experiment = Experiment.of("pattern-generation", *sets)
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed)
    started, found, spikes = time.process_time(), [], []
    with simulation.engine:
        for step in Trainer(simulation, task, iterations):
            target = step.trials[0].target("output")
            found.append(2 * step.metrics["loss"] / np.sum((target - target.mean()) ** 2))
            spikes.append(step.metrics["spikes_per_trial"])
    return np.array(found), np.array(spikes), time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds of the draws")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--set", dest="sets", nargs="+", default=[])
    arguments = parser.parse_args()
    shown = [k for k in (100, 500, 1000, 2000, 5000, 10000) if k <= arguments.iterations]
    print("feedback    draws  " + "".join(f"{k:>8}" for k in shown) + "  spikes  CPU s")
    for kind in arguments.kinds:
        for seed in arguments.seeds:
            sets = [*KINDS[kind], f"model.draws={seed}", *arguments.sets]
            nmse, spikes, seconds = train(sets, arguments.iterations)
            row = "".join(f"{nmse[max(0, k - 50) : k].mean():8.3f}" for k in shown)
            print(f"{kind:10}  {seed:5}  {row}  {spikes[-50:].mean():6.0f}  {seconds:5.0f}", flush=True)


if __name__ == "__main__":
    main()
