"""What class memories ask of a circuit, and what each demand is worth: test accuracy with and without it.

    python benchmarks/what_is_asked.py digits --set model.hidden=100 [--seeds 0 1 2]

IB-Hebbian with the model's settings. readout: accuracy of the network's own readout, which learns from its own error.
layer: accuracy of what the last hidden layer itself expects, the class with most evidence in its memory; no readout is
involved. chain: what happens to xi before the synapses: the Jacobian of the layer normalisation needs two averages over
the layer, gain control one over time, clipping nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.random_streams import TEST
from snnplast.rules.third_factors.class_memory import ClassMemory
from snnplast.simulation.plasticity import Source
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

CASES = {  # name -> memory, expectation, and what a synapse's neuron must hear beside its own activity
    "averages, readout": ("averages", "readout", "label opens a pool; C errors of the readout"),
    "averages, layer": ("averages", "layer", "label opens a pool; product of z and what is recalled; softmax of pools"),
    "residuals, layer": ("residuals", "layer", "a list of samples; products of samples; softmax"),
    "delta, layer": ("delta", "layer", "label; product of z and what is learned; softmax; the error is stored"),
    "averages, uniform": ("averages", "uniform", "label opens a pool: nothing else"),
}
CHAINS = {
    "all": ["layer-norm-jacobian", "gain-control", "clip"],
    "no Jacobian": ["gain-control", "clip"],
}


def train(experiment: Experiment, seed: int) -> tuple[float, float, float]:
    """Accuracy of the readout, accuracy of the last hidden layer's own expectation, and spikes per trial."""
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, seed, experiment.engine)
    spikes: list[float] = []
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=0, whole=lambda phase, index: phase == TEST)
        trainer.iterations = (experiment.train.epochs or 1) * trainer.updates_per_epoch()
        while trainer.iteration < trainer.iterations:
            spikes += [step.metrics["spikes_per_trial"] for step in trainer.advance(trainer.iterations)]
        source = simulation.plasticities[0].sources[0]
        found = np.array([(trainer.judged(r)["accuracy"], _own(source, r)) for r in trainer.evaluate()])
    return *found.mean(axis=0), float(np.mean(spikes[-trainer.updates_per_epoch() :]))


def _own(source: Source, record) -> float:
    """Whether the last layer that learns expects the right class."""
    factor, layer = source.factor, source.context.targets[-1]
    assert isinstance(factor, ClassMemory)
    kept = {key: source.state[f"{layer}.{key}"] for key in factor.remembers.init(1, 1)}
    known = factor.remembers.known(source.state["seen"], kept)
    evidence = factor.remembers.recall(record.representation(layer), known, kept).evidence
    answer = np.where(known, evidence, -np.inf).argmax()
    return float(answer == record.series[f"{source.context.readout}.target"][-1].argmax())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting; repeatable")
    arguments = parser.parse_args()
    print(
        "| memory, expectation | chain | readout | layer | spikes | asked of the circuit |\n|---|---|---|---|---|---|"
    )
    for name, (memory, expectation, asked) in CASES.items():
        for chain, transforms in CHAINS.items():
            factor = f"{{name='class-memory', remembers='{memory}', expectation='{expectation}', "
            factor += f"transforms={transforms}}}"
            sets = ["rule=ib-hebbian", f"rules.ib-hebbian.third_factor={factor}", *arguments.set]
            runs = [
                train(Experiment.of(arguments.model, *sets, f"train.seed={seed}"), seed) for seed in arguments.seeds
            ]
            print(f"| {name} | {chain} | {_cells(runs)} | {asked} |", flush=True)


def _cells(runs: Sequence[tuple[float, float, float]]) -> str:
    mean, spread = np.mean(runs, axis=0), np.std(runs, axis=0)
    cells = [f"{m:.3f} +- {s:.3f}" for m, s in zip(mean[:2], spread[:2], strict=True)]
    return " | ".join([*cells, f"{mean[2]:.0f} +- {spread[2]:.0f}"])


if __name__ == "__main__":
    main()
