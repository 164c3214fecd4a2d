"""Spikes and synaptic operations of a training trial: forward, and for learning online and factored.

    python benchmarks/energy.py [--trials 20] [--set key=value ...]

Forward: each spike visits the synapses of its neuron (spikes x fan-out). Learning online: every plastic synapse updates
its traces at every step. Learning factored: each spike once more visits the plastic synapses of its neuron.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

TASKS = {
    "pattern-generation": ("pattern-generation", []),
    "evidence-accumulation": ("evidence-accumulation", ["model.draws=fresh"]),
    "digits, e-prop": ("digits", []),
    "digits, ib-hebbian": ("digits", ["rule=ib-hebbian", "rules.ib-hebbian.third_factor=hsic"]),
}
NAMES = ("spikes_per_trial", "synaptic_operations", "learning_operations")


def measure(target: str, sets: Iterable[str], trials: int) -> list[float]:
    """Means over the first trials of training."""
    experiment = Experiment.of(target, *sets)
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed)
    with simulation.engine:
        trainer = Trainer(simulation, task, 10**6)
        steps = [trainer.update().metrics for _ in range(max(1, trials // trainer.batch))]
    return [float(np.mean([metrics[name] for metrics in steps])) for name in NAMES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--set", dest="sets", nargs="+", default=[])
    arguments = parser.parse_args()
    print("| task | spikes of neurons | forward | learning, factored | learning, online | online / factored |")
    print("|---|---|---|---|---|---|")
    for title, (target, sets) in TASKS.items():
        rule = "ib-hebbian" if "ib-hebbian" in title else "e-prop"
        found = {
            face: measure(target, [*sets, f"rules.{rule}.evaluation={face}", *arguments.sets], arguments.trials)
            for face in ("factored", "online")
        }
        spikes, forward, factored = found["factored"]
        online = found["online"][2]
        print(
            f"| {title} | {spikes:,.0f} | {forward:,.0f} | {factored:,.0f} | {online:,.0f} | {online / factored:,.0f} |"
        )


if __name__ == "__main__":
    main()
