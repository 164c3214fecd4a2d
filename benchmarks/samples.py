"""CPU time of a training sample, its share of the update included: trials one by one in Python, and in one call.

    python benchmarks/samples.py [--samples 2000] [--repeats 5]

loop: each trial is simulated, judged and learned from by Python, which defines what the others give, bit for bit. one
call: batches of compiled code; of IB-Hebbian, whose every sample changes weights, 64 samples and their updates at once.
The settings of the models' files. Least of the repeats, after enough samples to fill IB-Hebbian's window.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

CASES = [("xor", "ib-hebbian"), ("digits", "ib-hebbian"), ("xor", "e-prop"), ("digits", "e-prop")]


@contextmanager
def training(model: str, rule: str, whole: bool) -> Iterator[Trainer]:
    """A trainer of a model as its file describes it. whole: whether trials leave everything, which takes the loop."""
    experiment = Experiment.of(model, f"rule={rule}")
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed)
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=10**6, whole=lambda phase, index: whole)
        yield trainer
        trainer.close()


def run(trainer: Trainer, samples: int) -> int:
    """Learn from at least so many samples; returns how many there were."""
    done = 0
    while done < samples:
        done += sum(step.size for step in trainer.advance(samples - done))
    return done


def fastest(model: str, rule: str, whole: bool, samples: int, repeats: int) -> float:
    """CPU ms of a sample."""
    with training(model, rule, whole) as trainer:
        run(trainer, 300)
        times = []
        for _ in range(repeats):
            began = time.process_time()
            done = run(trainer, samples)
            times.append((time.process_time() - began) / done)
    return 1e3 * min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    print("| model | rule | loop | one call |\n|---|---|---|---|")
    for model, rule in CASES:
        loop, call = (fastest(model, rule, whole, asked.samples, asked.repeats) for whole in (True, False))
        print(f"| {model} | {rule} | {loop:.3f} ms | {call:.4f} ms |", flush=True)


if __name__ == "__main__":
    main()
