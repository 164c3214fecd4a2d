"""Accuracy of every rule on a model: mean and spread over seeds, with the controls beside, from the default settings.

    python benchmarks/accuracy.py digits [--seeds 0 1 2] [--only e-prop frozen] [--set 'model.hidden=[60,30]']

The accuracy of a run is the mean test accuracy of its last epochs (five for e-prop, one for IB-Hebbian's short runs).
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np

from snnplast.assemble import assemble
from snnplast.config.resolution import resolve
from snnplast.train import Trainer

SOURCE = "rules.ib-hebbian.third_factor"
IB = f"{SOURCE}.name"
RUNS = {
    "e-prop": ["rule=e-prop"],
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


def train(model: str, sets: list[str], seed: int) -> dict[str, float]:
    """One run: metrics of the last epoch, and the mean test accuracy of the last five."""
    experiment = resolve(model, [*sets, f"train.seed={seed}"])
    task = experiment.task()
    assembly = assemble(
        experiment.network, task.objective, experiment.rule, seed, experiment.engine.name, experiment.engine.target
    )
    tested: list[float] = []
    with assembly.engine:
        trainer = Trainer(assembly, task, iterations=0)
        trainer.iterations = (experiment.train.epochs or 1) * trainer.updates_per_epoch()
        rows: dict[str, list[float]] = defaultdict(list)
        started = time.process_time()
        for step in trainer:
            for name, value in step.metrics.items():
                rows[name].append(value)
            if step.iteration % trainer.updates_per_epoch() == 0:
                last, rows = rows, defaultdict(list)
                tested.append(float(np.mean([trainer.measure(record)["accuracy"] for record in trainer.evaluate()])))
    summary = {name: float(np.nanmean(values)) for name, values in last.items()}
    cpu = time.process_time() - started
    return summary | {"last": tested[-1], "last five": float(np.mean(tested[-5:])), "cpu s": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting; repeatable")
    arguments = parser.parse_args()
    names = ("last", "last five", "third_factor_correlation", "spikes_per_trial", "synaptic_operations", "cpu s")
    print(", ".join([arguments.model, *arguments.set, f"seeds {arguments.seeds}: mean +- standard deviation"]))
    print(f"{'':27}" + "".join(f"{name.replace('third_factor_', '').replace('_', ' '):>22}" for name in names))
    for run in arguments.only:
        found = [train(arguments.model, [*RUNS[run], *arguments.set], seed) for seed in arguments.seeds]
        cells = []
        for name in names:
            values = [row[name] for row in found if name in row]
            digits = 3 if name in ("last", "last five", "third_factor_correlation") else 0
            cells.append(f"{np.mean(values):.{digits}f} +- {np.std(values):.{digits}f}" if values else "-")
        print(f"{run:27}" + "".join(f"{cell:>22}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
