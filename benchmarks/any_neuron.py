"""Learning with derived traces: digits and pattern generation on COBA and AdEx neurons, e-prop beside frozen layers.

    python benchmarks/any_neuron.py [--task digits pattern] [--seeds 0 1 2] [--epochs 10] [--iterations 300]

digits: 64 Poisson inputs onto 100 hidden neurons by excitatory and inhibitory conductances (weights >= 0 each), 100 ms
a sample, leaky readout; Adam, learning rate as the weights are large. pattern: 100 inputs at 50 Hz, 100 recurrent
neurons, one readout that learns four sines over 1 s; the loss of the last iteration. `frozen` learns the readout alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from typing import Any

import numpy as np

from snnplast import (
    Adam,
    CustomNeurons,
    Delta,
    EProp,
    Experiment,
    LeakyReadout,
    Network,
    PoissonSource,
    Segment,
    SpikeSource,
    Uniform,
    train,
)  # fmt: skip
from snnplast.task import MeanSquaredError, Task

SYNAPSES = "dge/dt = -ge/(5*ms) : {u}\ndgi/dt = -gi/(10*ms) : {u}"
COBA = {
    "equations": "dv/dt = (-v + ge*(4 - v) + gi*(-1 - v))/(20*ms) : 1 (unless refractory)\n" + SYNAPSES.format(u=1),
    "threshold": "v >= 1", "reset": "v = 0", "method": "exponential_euler", "refractory": "2 ms", "into": "ge",
}  # fmt: skip
ADEX = {
    "equations": """
        dv/dt = (gL*(EL - v) + gL*DeltaT*exp((v - VT)/DeltaT) + synaptic - w)/C : volt (unless refractory)
        synaptic = ge*(0*mV - v) + gi*(EI - v) : amp
        dw/dt = (a*(v - EL) - w)/(144*ms) : amp
        """ + SYNAPSES.format(u="siemens"),
    "constants": {
        "C": "281 pF", "gL": "30 nS", "EL": "-70.6 mV", "VT": "-50.4 mV", "DeltaT": "2 mV", "a": "4 nS", "b": "0.08 nA",
        "EI": "-80 mV",
    },
    "threshold": "v > VT + 5*DeltaT", "reset": "v = EL; w += b", "method": "euler", "refractory": "2 ms",
    "initial": {"v": "EL"}, "into": "ge", "distance": "v - VT", "threshold_scale": "20 mV",
}  # fmt: skip
KINDS: dict[str, tuple[dict[str, Any], float, float, str | None, float]] = {
    "COBA": (COBA, 0.16, 0.1, None, 4e-3),
    "AdEx": (ADEX, 12.0, 8.0, "nS", 0.2),
}
"""Neurons, largest excitatory and inhibitory weight at the start, their unit, and the learning rate."""


def network(kind: str, source: Any, outputs: int, recurrent: bool) -> Network:
    own, excite, inhibit, unit, _ = KINDS[kind]
    if recurrent:  # inputs that fire more often, and for longer
        excite, inhibit = 0.3 * excite, 0.3 * inhibit
    net = Network()
    net.add("input", source)
    net.add("hidden", CustomNeurons(100, **own))
    net.add("output", LeakyReadout(outputs))
    given = {"plastic": True, "unit": unit, "bounds": (0, None)}
    net.connect("input", "hidden", name="excite", weights=Uniform(low=0, high=excite), **given)
    net.connect("input", "hidden", name="inhibit", weights=Uniform(low=0, high=inhibit), into="gi", **given)
    if recurrent:
        net.connect("hidden", "hidden", name="recur", weights=Uniform(low=0, high=0.2 * excite), **given)
        net.connect("hidden", "hidden", name="curb", weights=Uniform(low=0, high=0.4 * inhibit), into="gi", **given)
    net.connect("hidden", "output", plastic=True)
    return net


class Pattern(Task):
    """Frozen noise at 50 Hz, and four sines as the target of one readout."""

    objective = MeanSquaredError()

    def __init__(self, seed: int, steps: int = 1000) -> None:
        rng = np.random.default_rng(seed)
        spikes = np.nonzero(rng.random((steps, 100)) < 0.05)
        t = np.arange(steps)[:, None]
        waves = [rng.uniform(0.5, 2) * np.sin(2 * np.pi * (k * t / 1000 + rng.random())) for k in (1, 2, 3, 5)]
        target = np.sum(waves, axis=0)
        self.segment = Segment(steps, {"input": spikes}, {"output.target": target / np.abs(target).max()})

    def trial(self, index: int):
        yield self.segment


def rules(kind: str, batch: int, steps: int) -> dict[str, Any]:
    readout = Adam(learning_rate=1e-2, schedule="linear")
    rate = Adam(learning_rate=KINDS[kind][-1], schedule="linear")
    hidden = dict.fromkeys(("excite", "inhibit", "recur", "curb"), rate)
    return {
        "e-prop": lambda net: EProp(
            batch=batch, average_gradient=steps, optimizer=readout,
            optimizers={name: o for name, o in hidden.items() if name in net.projections},
        ),
        "frozen": lambda net: Delta(optimizer=readout, **({"batch": batch} if batch > 1 else {})),
    }  # fmt: skip


def quietly(experiment: Experiment) -> Any:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        return train(experiment)


def digits(kind: str, rule: str, seed: int, epochs: int) -> dict[str, float]:

    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    from snnplast.task import Classification

    pixels, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(pixels / 16, labels, test_size=360, stratify=labels, random_state=seed)
    task = Classification(x, y, x_test, y_test, steps=100, seed=seed)
    net = network(kind, PoissonSource(64), 10, recurrent=False)
    run = quietly(Experiment(net, task, rules(kind, 32, 100)[rule](net), epochs=epochs, seed=seed))
    return {name: float(run.metrics[name][-1]) for name in ("test_accuracy", "spikes_per_trial", "synaptic_operations")}


def pattern(kind: str, rule: str, seed: int, iterations: int) -> dict[str, float]:
    net = network(kind, SpikeSource(100), 1, recurrent=True)
    run = quietly(Experiment(net, Pattern(seed), rules(kind, 1, 1000)[rule](net), iterations=iterations, seed=seed))
    first = float(run.metrics["loss"][0])
    return {
        "first loss": first, "loss": float(run.metrics["loss"][-1]),
        "spikes_per_trial": float(run.metrics["spikes_per_trial"][-1]),
        "synaptic_operations": float(run.metrics["synaptic_operations"][-1]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", nargs="+", choices=["digits", "pattern"], default=["digits", "pattern"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=300)
    given = parser.parse_args()
    for task in given.task:
        for kind in KINDS:
            for rule in ("e-prop", "frozen"):
                made = (digits, given.epochs) if task == "digits" else (pattern, given.iterations)
                rows = [made[0](kind, rule, seed, made[1]) for seed in given.seeds]
                cells = [
                    f"{k} {np.mean([r[k] for r in rows]):.4g} +- {np.std([r[k] for r in rows]):.2g}" for k in rows[0]
                ]
                print(f"| {task} | {kind} | {rule} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
