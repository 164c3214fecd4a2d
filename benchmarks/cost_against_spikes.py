"""What one e-prop training trial costs, against its spikes and against its synapses; online and factored.

    python benchmarks/cost_against_spikes.py [--trials 10] [--output benchmarks/cost_against_spikes.png]

Recurrent LIF networks, all to all, trials of 1000 steps, one readout; CPU time of simulation, gradient and update on
one core, compiled engine, float64, the least of five repetitions. Left: 200 neurons, the input varies the spikes.
Right: the number of neurons varies the synapses while the spikes stay about the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.network.weights import Normal
from snnplast.rules.e_prop import EProp
from snnplast.task.objective import MeanSquaredError
from snnplast.task.task import Task, Trial
from snnplast.task.trial import Segment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

INPUTS, STEPS = 100, 1000
RATES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the input's peak rate
SIZES = {50: 0.45, 100: 0.35, 200: 0.21, 400: 0.115, 800: 0.068}  # neurons: rate
COLOURS = {"online": "#d1602b", "factored": "#1f5fa8"}


class Noise(Task):
    """Fresh Poisson input in every trial; the target is a sine."""

    objective = MeanSquaredError()

    def __init__(self, rate: float) -> None:
        self.rate, self.target = rate, np.sin(np.linspace(0, 2 * np.pi, STEPS))[:, None]

    def trial(self, index: int) -> Trial:
        yield Segment(STEPS, {"input": np.full(INPUTS, self.rate)}, {"output.target": self.target})


def network(n: int) -> Network:
    net = Network(dt="1 ms")
    net.add("input", PoissonSource(INPUTS, peak_rate="100 Hz"))
    net.add("hidden", LIF(n, v_threshold=1.0, reset="subtract-next"))
    net.add("output", LeakyReadout(1))
    net.connect("input", "hidden", weights=Normal(gain=3.0), plastic=True)
    net.connect("hidden", "hidden", weights=Normal(gain=0.3), plastic=True, self_connections=False)
    net.connect("hidden", "output", weights=Normal(), plastic=True)
    return net


def measure(n: int, rate: float, evaluation: str, trials: int) -> dict[str, float]:
    """CPU ms, spikes of sources and neurons, and synaptic operations, each per trial."""
    rule = EProp(evaluation=evaluation, optimizer={"name": "sgd", "learning_rate": 1e-9})
    task = Noise(rate)
    simulation = open_simulation(network(n), task.objective, rule, seed=1)
    times, metrics = [], {}
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=10**9)
        trainer.update()
        for _ in range(5):
            started = time.process_time()
            for _ in range(trials):
                step = trainer.update()
            times.append(1e3 * (time.process_time() - started) / trials)
        metrics = step.metrics
        spikes = sum(step.trials[0].spikes[name][0].size for name in ("input", "hidden"))
        synapses = sum(simulation.plan.wiring[name].pre.size for name in trainer.states if "feedback" not in name)
    return {
        "neurons": n,
        "synapses": synapses,
        "spikes": spikes,
        "forward": metrics["synaptic_operations"],
        "learning": metrics["learning_operations"],
        "ms": min(times),
    }


def table(rows: Iterable[tuple[int, float]], trials: int) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {"online": [], "factored": []}
    print("evaluation  neurons  synapses  spikes  operations: forward    learning   CPU ms")
    for n, rate in rows:
        for evaluation, kept in found.items():
            m = measure(n, rate, evaluation, trials)
            kept.append(m)
            print(
                f"{evaluation:10} {m['neurons']:8} {m['synapses']:9} {m['spikes']:7} {m['forward']:19,.0f} "
                f"{m['learning']:11,.0f} {m['ms']:8.2f}",
                flush=True,
            )
    return found


def draw(by_rate: dict[str, list[dict[str, float]]], by_size: dict[str, list[dict[str, float]]], path: str) -> None:
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, found, key in ((left, by_rate, "spikes"), (right, by_size, "synapses")):
        for evaluation, rows in found.items():
            x, y = [m[key] for m in rows], [m["ms"] for m in rows]
            axis.plot(x, y, marker="o", markersize=4, color=COLOURS[evaluation], label=evaluation)
        axis.set(xscale="log", yscale="log", xlabel=f"{key} per trial" if key == "spikes" else key)
        axis.spines[["top", "right"]].set_visible(False)
    left.set_ylabel("CPU time of a training trial (ms)")
    left.set_title("200 neurons", loc="left", fontsize=10)
    right.set_title("about 10,000 spikes", loc="left", fontsize=10)
    left.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--output", default="benchmarks/cost_against_spikes.png")
    arguments = parser.parse_args()
    by_rate = table(((200, rate) for rate in RATES), arguments.trials)
    by_size = table(SIZES.items(), arguments.trials)
    draw(by_rate, by_size, arguments.output)


if __name__ == "__main__":
    main()
