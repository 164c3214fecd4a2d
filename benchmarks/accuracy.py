"""Accuracy of every rule on a model: mean and spread over seeds, with the controls beside, from the default settings.

    python benchmarks/accuracy.py digits [--seeds 0 1 2] [--only e-prop frozen] [--set 'model.hidden=[60,30]']

last, last five: test accuracy after the last epoch, and its mean after the last five. CPU times are of training alone.
variance, dimension: of what the last hidden layer makes of the tests, z. Variance within classes, mean over classes and
neurons; participation ratio of z's covariance, (sum of eigenvalues)^2 / sum of their squares.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


def factor(name: str, **settings: object) -> list[str]:
    """IB-Hebbian with a third factor."""
    table = ", ".join(f"{key}={value!r}" for key, value in {"name": name, **settings}.items())
    return ["rule=ib-hebbian", f"rules.ib-hebbian.third_factor={{{table}}}"]


def memory(remembers: str, expectation: str) -> list[str]:
    return factor("class-memory", remembers=remembers, expectation=expectation)


SAME = ["readout=rate", "v_threshold=1.0", "refractory=0 ms", "reset=subtract", "gain=1.5"]
"""The model's settings with IB-Hebbian, whatever the rule."""

RUNS = {
    "e-prop": ["rule=e-prop"],
    "e-prop, symmetric": ["rule=e-prop", "rules.e-prop.third_factor.feedback=symmetric"],
    "e-prop, same network": ["rule=e-prop", *(f"model.{one}" for one in SAME)],
    "decolle": ["rule=decolle"],
    "decolle, filtered": ["rule=decolle", "rules.decolle.third_factor.tau=20 ms"],
    "bptt": ["rule=bptt"],
    "bptt, same network": ["rule=bptt", *(f"model.{one}" for one in SAME)],
    "frozen": ["rule=frozen"],
    "hsic": factor("hsic"),
    "reference": factor("hsic", xi="reference"),
    "averages, readout": memory("averages", "readout"),
    "averages, layer": memory("averages", "layer"),
    "averages, uniform": memory("averages", "uniform"),
    "residuals, layer": memory("residuals", "layer"),
    "delta, layer": memory("delta", "layer"),
    "whitened, layer": memory("whitened", "layer"),
    "neighbours, layer": memory("neighbours", "layer"),
    "backprop": factor("backprop"),
    "symmetric": factor("readout-error", feedback="symmetric"),
    "reservoir": factor("reservoir"),
    "reservoir, plain": factor("reservoir", gating="none", teacher="hsic"),
    "reservoir, spiking": factor("reservoir", dynamics="spiking"),
    "reservoir, spike-driven": factor("reservoir", dynamics="spiking", drive="spikes"),
    "reservoir, delta": factor("reservoir", training="delta"),
    "reservoir, reward-hebbian": factor("reservoir", training="reward-hebbian", passes=20),
    "random": factor("random"),
    "zero": factor("zero"),
}
"""Rules and their settings; from hsic on: third factors of IB-Hebbian."""

COLUMNS = {
    "accuracy": 3, "last": 3, "last five": 3, "third_factor_correlation": 3, "variance": 2, "dimension": 1,
    "spikes_per_trial": 0, "synaptic_operations": 0, "learning_operations": 0, "CPU s per epoch": 2,
    "CPU ms per sample": 2,
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
        spread = _spread(trainer)
    summary = {name: float(np.nanmean(values)) for name, values in last.items()}
    summary |= {"last": tested[-1], "last five": float(np.mean(tested[-5:]))} | spread
    samples = len(tested) * (task.epoch or 1)
    return summary | {"CPU s per epoch": seconds / len(tested), "CPU ms per sample": 1e3 * seconds / samples}


def _spread(trainer: Trainer) -> dict[str, float]:
    """Variance within classes and dimension of the last layer that has a representation; nothing where none has."""
    populations = trainer.simulation.network.populations
    layers = [name for name in populations if populations[name].rate_representation is not None]
    if not layers:
        return {}
    trainer.whole = lambda phase, index: True
    shown = [(record.representation(layers[-1]), record.judgement) for record in trainer.evaluate()]
    z, labels = np.array([z for z, _ in shown]), np.array([judgement.wanted[-1] for _, judgement in shown])
    within = [z[labels == label].var(axis=0).mean() for label in np.unique(labels)]
    spectrum = np.linalg.eigvalsh(np.cov(z.T))
    return {"variance": float(np.mean(within)), "dimension": float(spectrum.sum() ** 2 / (spectrum**2).sum())}


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
