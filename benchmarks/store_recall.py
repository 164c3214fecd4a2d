"""Learning of store-recall: share of recalls answered right on fresh test trials over training, as a table.

python benchmarks/store_recall.py [--adaptive 0.5 0] [--feedback random] [--seeds 0 1 2]
    [--iterations 200] [--every 50] [--tests 512] [--workers 1] [--set key=value ...]
"""

from __future__ import annotations

import argparse
import time
from itertools import product

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


def train(sets: list[str], every: int) -> list[str]:
    """Cells of one run: recalls right (%) at every `every`-th iteration, spikes per trial, CPU time of training (s)."""
    experiment = Experiment.of("store-recall", *sets)
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed)
    with simulation.engine:
        trainer = Trainer(simulation, task, experiment.train.iterations or 0, workers=experiment.train.workers)
        right, spikes, seconds = [], [], 0.0
        for _ in range(trainer.iterations):
            started = time.process_time()
            spikes.append(trainer.update().metrics["spikes_per_trial"])
            seconds += time.process_time() - started
            if trainer.iteration % every == 0:
                tested = [trainer.measure(record)["accuracy"] for record in trainer.evaluate()]
                right.append(f"{100 * np.mean(tested):.1f}")
        trainer.close()
    return [*right, f"{np.mean(spikes[-every:]):.0f}", f"{seconds:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adaptive", type=float, nargs="+", default=[0.5, 0.0], help="share of adaptive neurons")
    parser.add_argument("--feedback", nargs="+", default=["random"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--every", type=int, default=50, help="iterations between tests")
    parser.add_argument("--tests", type=int, default=512)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--set", dest="sets", nargs="+", default=[])
    arguments = parser.parse_args()
    after = [str(k) for k in range(arguments.every, arguments.iterations + 1, arguments.every)]
    columns = ["adaptive", "feedback", "seed", *after, "spikes per trial", "CPU s"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for adaptive, feedback, seed in product(arguments.adaptive, arguments.feedback, arguments.seeds):
        sets = [
            f"model.adaptive={adaptive}",
            f"model.tests={arguments.tests}",
            f"rules.e-prop.third_factor.feedback={feedback}",
            f"train.iterations={arguments.iterations}",
            f"train.workers={arguments.workers}",
            f"train.seed={seed}",
        ]
        cells = [f"{adaptive:g}", feedback, str(seed), *train([*sets, *arguments.sets], arguments.every)]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
