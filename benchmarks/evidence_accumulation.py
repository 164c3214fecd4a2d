"""Learning of evidence accumulation: error on fresh test trials over training, per seed and feedback.

    python benchmarks/evidence_accumulation.py [--feedback random symmetric] [--seeds 0 1 2] [--iterations 500]
        [--every 50] [--until 7] [--adaptive 0.5] [--batch 64] [--workers 2] [--set key=value ...]

With --until, a run goes on after 500 iterations until a test finds that error (%) or less, up to --iterations.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


def train(sets: list[str], every: int, until: float, title: str) -> None:
    """One run; prints error, loss and time at every `every`-th iteration."""
    experiment = Experiment.of("evidence-accumulation", *sets)
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed)
    with simulation.engine:
        trainer = Trainer(simulation, task, experiment.train.iterations or 0, workers=experiment.train.workers)
        started, losses, spikes = time.process_time(), [], []
        for step in trainer:
            losses.append(step.metrics["loss"])
            spikes.append(step.metrics["spikes_per_trial"])
            if step.iteration % every == 0:
                seconds = time.process_time() - started
                error = 1 - np.mean([trainer.measure(record)["accuracy"] for record in trainer.evaluate()])
                print(
                    f"{title}  iteration {step.iteration:4}  test error {100 * error:5.1f} %  "
                    f"loss {np.mean(losses[-20:]):.3f}  spikes/trial {np.mean(spikes[-20:]):.0f}  {seconds:.0f} s CPU",
                    flush=True,
                )
                if step.iteration >= 500 and 100 * error <= until:
                    break
        trainer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feedback", nargs="+", default=["random", "symmetric"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument(
        "--until", type=float, default=0, help="error (%%) at which a run may stop after 500 iterations"
    )
    parser.add_argument("--every", type=int, default=100, help="iterations between tests")
    parser.add_argument("--tests", type=int, default=512)
    parser.add_argument("--adaptive", type=float, default=0.5, help="share of neurons with adaptive thresholds")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--set", dest="sets", nargs="+", default=[])
    arguments = parser.parse_args()
    for feedback in arguments.feedback:
        for seed in arguments.seeds:
            sets = [
                "model.draws=fresh",
                f"model.tests={arguments.tests}",
                f"model.adaptive={arguments.adaptive}",
                f"rules.e-prop.batch={arguments.batch}",
                f"rules.e-prop.third_factor.feedback={feedback}",
                f"train.iterations={arguments.iterations}",
                f"train.workers={arguments.workers}",
                f"train.seed={seed}",
            ]
            title = f"{feedback}, adaptive {arguments.adaptive}, seed {seed}"
            train([*sets, *arguments.sets], arguments.every, arguments.until, title)


if __name__ == "__main__":
    main()
