"""CPU time of a training trial: by the loop over trials, in one call, and where a call spends it.

    python benchmarks/speed.py [--only NAME ...] [--repeats 7]

Medians over the repeats of batches (or of 64 updates in a row, where each trial is followed by one), with everything
that an update costs. The parts are medians over single trials, each stage called by itself, its clock included
(about 0.5 us).
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections import defaultdict
from statistics import median
from unittest.mock import patch

import numpy as np
from eprop_iteration import Pattern, network

from snnplast import Classification, EProp, Experiment
from snnplast.engine import COMPILED
from snnplast.simulation.stages import Program
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

LABELS = {
    "_Simulated": "encode, reset, steps",
    "_Responded": "response",
    "_JudgedTrials": "judge",
    "_Pull": "firing rates",
    "_Signals": "HSIC",
    "_SweptTrials": "gradient",
    "_Readout": "gradient",
    "_Homeostasis": "homeostasis",
    "_Tally": "counts",
    "_Updated": "update",
}
STAGE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)


def iteration(n):
    """W(n): 100 inputs, n recurrent neurons, one readout, 1000 steps, an update after every trial."""
    rule = EProp(
        third_factor={"name": "readout-error", "scale": n**-0.5},
        regularisers=("firing-rate",),
        optimizer={"name": "sgd", "learning_rate": 1e-2 / n},
    )
    return lambda: (network(n), Pattern(), rule)


def described(*sets):
    """An experiment by its settings."""

    def made():
        experiment = Experiment.of(*sets)
        return experiment.network, experiment.task(), experiment.rule

    return made


def images():
    """Digits stretched to the 784 inputs of Fashion-MNIST, at its mean intensity: 100 hidden neurons, batch 32."""
    experiment = Experiment.of("digits", "rules.e-prop.batch=32", "model.peak_rate=100 Hz")
    rng = np.random.default_rng(0)
    x = np.clip(rng.gamma(0.5, 0.572, size=(512, 784)), 0, 1)  # mean .286, as Fashion-MNIST has
    labels = rng.integers(10, size=512)
    task = Classification(x, labels, x[:1], labels[:1], steps=100)
    model = type(experiment.model)(peak_rate="100 Hz")
    return model.layers(inputs=784, classes=10), task, experiment.rule


CASES = {
    "W(100)": iteration(100),
    "W(400)": iteration(400),
    "W(1000)": iteration(1000),
    "digits, e-prop": described("digits", "rules.e-prop.batch=32"),
    "784 inputs, e-prop": images,
    "evidence accumulation": described("evidence-accumulation", "model.draws=fresh", "rules.e-prop.batch=64"),
    "digits, IB-Hebbian": described("digits", "rule=ib-hebbian", "rules.ib-hebbian.third_factor=hsic"),
    "xor, IB-Hebbian": described("xor"),
}


def trial_ms(trainer, repeats):
    """CPU time per trial of each repeat."""
    found = []
    for _ in range(repeats):
        began, trials = time.process_time(), 0
        while trials < 24:
            trials += sum(step.size for step in trainer.advance(64))
        found.append(1e3 * (time.process_time() - began) / trials)
    return found


def parts(trainer):
    """Wall time per trial of each part of a call, ms."""
    spent = defaultdict(list)

    def run(program, first, trials, budget):
        for place in range(first, first + trials):
            trial = defaultdict(float)
            for stage in program._stages:
                function, data = STAGE(stage.function), ctypes.addressof(stage.data)
                began = time.perf_counter()
                function(data, place)
                trial[LABELS[type(stage.data).__name__]] += 1e3 * (time.perf_counter() - began)
            for label, ms in trial.items():
                spent[label].append(ms)
        return trials

    with patch.object(Program, "run", run):
        while len(next(iter(spent.values()), ())) < 50:
            trainer.advance(64)
    return {label: median(each) for label, each in spent.items()}


def opened(made, whole):
    net, task, rule = made()
    simulation = open_simulation(net, task.objective, rule, 1, COMPILED)
    trainer = Trainer(simulation, task, iterations=10**6, whole=lambda phase, index: whole)
    for _ in range(300 if trainer.sequential else 3):  # until the window of HSIC is full
        trainer.update()
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="NAME")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print("| ms per trial | loop | one call | of it |\n|---|---|---|---|")
    for name in arguments.only:
        shown = []
        for whole in (True, False):
            trainer = opened(CASES[name], whole)
            shown.append(median(trial_ms(trainer, arguments.repeats)))
            if not whole:
                found = ", ".join(f"{label} {ms:.3g}" for label, ms in parts(trainer).items())
            trainer.close()
            trainer.simulation.engine.close()
        print(f"| {name} | {shown[0]:.3g} | {shown[1]:.3g} | {found} |", flush=True)


if __name__ == "__main__":
    main()
