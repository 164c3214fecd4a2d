"""Whether a reset to a value and a floor cut a trace, as they do here, or leave it, as if both were constant shifts.

    python benchmarks/reset_traces.py [--seeds 0 1 2]

Digits with LIF neurons: test accuracy after the last epoch (e-prop 10 epochs, IB-Hebbian with the exact factor 8) and
spikes per trial. AdEx: the largest gradient of a trial of 500 steps. The library cuts; `kept` gives LIF neurons the
short form that soft resets have, and the reset of AdEx neurons the derivative of a shift.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import sympy

from snnplast import LIF, AdEx, EProp, Experiment, LeakyReadout, Network, PoissonSource, Segment, Uniform, open, train
from snnplast.learning import derivation
from snnplast.random_streams import TRAINING
from snnplast.task import MeanSquaredError, Task


@contextmanager
def changed(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def digits(rule: str, seed: int, sets: list[str], reset: float | None, kept: bool) -> tuple[float, float]:
    epochs = 10 if rule == "e-prop" else 8
    experiment = Experiment.of("digits", f"rule={rule}", f"train.seed={seed}", f"train.epochs={epochs}", *sets)
    network = experiment.network.copy()
    if reset is not None:
        network.populations["hidden"] = network.populations["hidden"].model_copy(update={"reset": reset})
    task, length = experiment.task(), {"epochs": epochs, "seed": seed}
    short = property(lambda neurons: neurons.tau_m) if kept else LIF.exponential
    with changed(LIF, "exponential", short):
        run = train(Experiment(network, task, experiment.rule, **length), progress=False)
    return float(run.metrics["test_accuracy"][-1]), float(run.metrics["spikes_per_trial"][-1])


class Drive(Task):
    """Poisson input of a constant rate."""

    objective = MeanSquaredError()

    def trial(self, index: int):
        yield Segment(500, {"input": np.full(20, 0.2)}, {"output.target": np.zeros(1)})


def adex(kept: bool) -> tuple[float, float]:
    """Spikes per neuron, and the largest gradient."""
    derived = derivation._linearised

    def shifted(key: Any) -> Any:
        whole = derived(key)
        entries = {**whole.reset.entries, ("v", "v"): sympy.Integer(1)}
        return replace(whole, reset=replace(whole.reset, entries=entries))

    net = Network()
    net.add("input", PoissonSource(20))
    net.add("hidden", AdEx(20, synapses="conductance", refractory="2 ms"))
    net.add("output", LeakyReadout(1))
    net.connect("input", "hidden", plastic=True, weights=Uniform(low=0, high=20))
    net.connect("hidden", "output", plastic=True)
    experiment = Experiment(net, Drive(), EProp(), iterations=1)
    with changed(derivation, "_linearised", shifted if kept else derived), open(experiment) as sim:
        record = sim._trainer.run(TRAINING, 0)
        (plasticity,) = sim._simulation.plasticities
        gradient = plasticity.gradient(record, sim._simulation.objective)["input_to_hidden"]
        return float(record.counts("hidden").mean()), float(np.abs(gradient).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    for kept in (True, False):
        spikes, gradient = adex(kept)
        print(f"AdEx, {'kept' if kept else 'cut'}: {spikes:.1f} spikes per neuron, largest gradient {gradient:.3g}")
    print("| rule | neurons | kept | cut | spikes, kept | spikes, cut |\n|---|---|---|---|---|---|")
    cases = {"default: floor at -2, soft reset": ([], None), "floor at -0.2": (["model.v_min=-0.2"], None)}
    cases["reset to 0"] = ([], 0.0)
    for rule in ("e-prop", "ib-hebbian"):
        for name, (sets, reset) in cases.items():
            found = [np.array([digits(rule, seed, sets, reset, kept) for seed in seeds]) for kept in (True, False)]
            accuracy = [f"{rows[:, 0].mean():.3f} +- {rows[:, 0].std():.3f}" for rows in found]
            spikes = [f"{rows[:, 1].mean():,.0f}" for rows in found]
            print(f"| {rule} | {name} | {' | '.join([*accuracy, *spikes])} |", flush=True)


if __name__ == "__main__":
    main()
