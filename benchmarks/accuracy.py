"""Accuracy of every rule on a model: mean and spread over seeds, with the controls beside, from the default settings.

    python benchmarks/accuracy.py digits [--seeds 0 1 2] [--only e-prop frozen] [--set 'model.hidden=[60,30]']

last, last five: test accuracy after the last epoch, and its mean after the last five. CPU times are of training alone.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

SOURCE = "rules.ib-hebbian.third_factor"
IB = f"{SOURCE}.name"
RUNS = {
    "e-prop": ["rule=e-prop"],
    "e-prop, symmetric": ["rule=e-prop", "rules.e-prop.third_factor.feedback=symmetric"],
    "decolle": ["rule=decolle"],
    "decolle, filtered": ["rule=decolle", "rules.decolle.third_factor.tau=20 ms"],
    "bptt": ["rule=bptt"],
    "frozen": ["rule=frozen"],
    "ib-hebbian, hsic": ["rule=ib-hebbian", f"{IB}=hsic"],
    "ib-hebbian, reference": ["rule=ib-hebbian", f"{IB}=hsic", f"{SOURCE}.xi=reference"],
    "ib-hebbian, class-memory": ["rule=ib-hebbian", f"{IB}=class-memory"],
    "ib-hebbian, backprop": ["rule=ib-hebbian", f"{IB}=backprop"],
    "ib-hebbian, symmetric": ["rule=ib-hebbian", f"{IB}=readout-error", f"{SOURCE}.feedback=symmetric"],
    "ib-hebbian, reservoir": ["rule=ib-hebbian", f"{IB}=reservoir"],
    "reservoir, plain": ["rule=ib-hebbian", f"{IB}=reservoir", f"{SOURCE}.gating=none"],
    "reservoir, spiking": ["rule=ib-hebbian", f"{IB}=reservoir", f"{SOURCE}.dynamics=spiking"],
    "reservoir, spike-driven": [
        "rule=ib-hebbian",
        f"{IB}=reservoir",
        f"{SOURCE}.dynamics=spiking",
        f"{SOURCE}.drive=spikes",
    ],
    "reservoir, delta": ["rule=ib-hebbian", f"{IB}=reservoir", f"{SOURCE}.training=delta"],
    "reservoir, reward-hebbian": [
        "rule=ib-hebbian",
        f"{IB}=reservoir",
        f"{SOURCE}.training=reward-hebbian",
        f"{SOURCE}.passes=20",
    ],
    "ib-hebbian, random": ["rule=ib-hebbian", f"{IB}=random"],
    "ib-hebbian, zero": ["rule=ib-hebbian", f"{IB}=zero"],
}
COLUMNS = {
    "accuracy": 3, "last": 3, "last five": 3, "third_factor_correlation": 3, "spikes_per_trial": 0,
    "synaptic_operations": 0, "learning_operations": 0, "CPU s per epoch": 2, "CPU ms per sample": 2,
}  # fmt: skip
"""Columns of the table and their digits. accuracy: of training, in the last epoch; the next two of the test."""


def train(model: str, sets: list[str], seed: int) -> dict[str, float]:
    """One run: metrics of the last epoch, and the mean test accuracy of the last five."""
    experiment = Experiment.of(model, *sets, f"train.seed={seed}")
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, seed, experiment.engine)
    tested: list[float] = []
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=0, whole=lambda phase, index: False)
        trainer.iterations = (experiment.train.epochs or 1) * trainer.updates_per_epoch()
        rows: dict[str, list[float]] = defaultdict(list)
        seconds = 0.0
        while trainer.iteration < trainer.iterations:
            started = time.process_time()
            steps = trainer.advance(trainer.iterations - trainer.iteration)  # of one epoch
            seconds += time.process_time() - started
            for step in steps:
                for name, value in step.metrics.items():
                    rows[name].append(value)
            if trainer.iteration % trainer.updates_per_epoch() == 0:
                last, rows = rows, defaultdict(list)
                tested.append(float(np.mean([trainer.judged(record)["accuracy"] for record in trainer.evaluate()])))
    summary = {name: float(np.nanmean(values)) for name, values in last.items()}
    summary |= {"last": tested[-1], "last five": float(np.mean(tested[-5:]))}
    samples = len(tested) * (task.epoch or 1)
    return summary | {"CPU s per epoch": seconds / len(tested), "CPU ms per sample": 1e3 * seconds / samples}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting; repeatable")
    arguments = parser.parse_args()
    print(", ".join([arguments.model, *arguments.set, f"seeds {arguments.seeds}: mean +- standard deviation"]))
    print(f"| rule | {' | '.join(name.replace('_', ' ') for name in COLUMNS)} |\n|{'---|' * (1 + len(COLUMNS))}")
    for run in arguments.only:
        found = [train(arguments.model, [*RUNS[run], *arguments.set], seed) for seed in arguments.seeds]
        print(f"| {run} | {' | '.join(_cell([row[name] for row in found if name in row], name) for name in COLUMNS)} |")


def _cell(values: list[float], name: str) -> str:
    digits = COLUMNS[name]
    return f"{np.mean(values):,.{digits}f} +- {np.std(values):.{digits}f}" if values else ""


if __name__ == "__main__":
    main()
