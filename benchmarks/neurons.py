"""What derived traces cost: CPU milliseconds per trial of LIF, CUBA, COBA and AdEx, forward and with learning.

    python benchmarks/neurons.py [--neurons 100] [--steps 1000] [--trials 20]

100 Poisson inputs at 20 Hz, n hidden neurons all to all from the inputs and among themselves, one readout; the weights
of each kind are scaled until it fires at the rate of the LIF neurons (+- 10 %). Compiled engine; e-prop in both faces,
beside the same trials with nothing learned from them. Minimum over repetitions, in turn.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from snnplast import LIF, CustomNeurons, EProp, Experiment, LeakyReadout, Network, PoissonSource, Segment, Uniform
from snnplast.random_streams import TRAINING
from snnplast.task import MeanSquaredError, Task
from snnplast.training.opened import Opened

EXPONENTIAL = "dge/dt = -ge/(5*ms) : {unit}"
KINDS: dict[str, dict[str, Any]] = {
    "LIF": {},
    "CUBA": {
        "equations": "dv/dt = (ge - v)/(20*ms) : 1\n" + EXPONENTIAL.format(unit=1),
        "threshold": "v >= 1", "reset": "v = v - 1",
    },
    "COBA": {
        "equations": "dv/dt = (-v + ge*(4 - v))/(20*ms) : 1 (unless refractory)\n" + EXPONENTIAL.format(unit=1),
        "threshold": "v >= 1", "reset": "v = 0", "method": "exponential_euler", "refractory": "2 ms",
    },
    "AdEx": {
        "equations": """
            dv/dt = (gL*(EL - v) + gL*DeltaT*exp((v - VT)/DeltaT) + ge*(0*mV - v) - w)/C : volt (unless refractory)
            dw/dt = (a*(v - EL) - w)/(144*ms) : amp
            """ + EXPONENTIAL.format(unit="siemens"),
        "constants": {
            "C": "281 pF", "gL": "30 nS", "EL": "-70.6 mV", "VT": "-50.4 mV", "DeltaT": "2 mV", "a": "4 nS",
            "b": "0.08 nA",
        },
        "threshold": "v > VT + 5*DeltaT", "reset": "v = EL; w += b", "method": "euler", "refractory": "2 ms",
        "initial": {"v": "EL"},
    },
}  # fmt: skip


class Spikes(Task):
    """The same Poisson input of constant rate for all, and a target of 0."""

    objective = MeanSquaredError()

    def __init__(self, steps: int) -> None:
        self.length = steps

    def trial(self, index: int):
        yield Segment(self.length, {"input": np.full(100, 0.1)}, {"output.target": np.zeros(1)})


def opened(kind: str, scale: float, n: int, steps: int, evaluation: str) -> Opened:
    net = Network()
    net.add("input", PoissonSource(100))
    own = {**KINDS[kind], "into": "ge"} if kind != "LIF" else {}
    net.add("hidden", CustomNeurons(n, **own) if own else LIF(n))
    net.add("output", LeakyReadout(1))
    unit = "nS" if kind == "AdEx" else None
    net.connect("input", "hidden", weights=Uniform(low=0, high=scale), plastic=True, unit=unit)
    net.connect("hidden", "hidden", weights=Uniform(low=0, high=0.05 * scale), plastic=True, unit=unit)
    net.connect("hidden", "output", plastic=True)
    return Opened(Experiment(net, Spikes(steps), EProp(evaluation=evaluation), iterations=1, engine="compiled"))


def rate(kind: str, scale: float, n: int, steps: int) -> float:
    with opened(kind, scale, n, steps, "factored") as sim:
        return float(sim.trial(0).rates("hidden").mean())


def scale_for(kind: str, wanted: float, n: int, steps: int) -> float:
    """The weights with which neurons fire at a rate, by bisection."""
    low, high = 0.0, 1.0
    while rate(kind, high, n, steps) < wanted:
        high *= 2
    for _ in range(12):
        middle = (low + high) / 2
        found = rate(kind, middle, n, steps)
        if abs(found / wanted - 1) < 0.1:
            break
        low, high = (middle, high) if found < wanted else (low, middle)
    return middle


def cpu_ms(sim: Opened, learn: bool, trials: int) -> float:
    simulation, began = sim._simulation, time.process_time()
    for index in range(trials):
        record = sim._trainer.run(TRAINING, index)
        if learn:
            for plasticity in simulation.plasticities:
                plasticity.gradient(record, simulation.objective)
    return 1e3 * (time.process_time() - began) / trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=5)
    given = parser.parse_args()
    size = given.neurons, given.steps
    wanted = rate("LIF", 0.12, *size)
    scales = {kind: 0.12 if kind == "LIF" else scale_for(kind, wanted, *size) for kind in KINDS}
    runs = {(kind, face): opened(kind, scales[kind], *size, face) for kind in KINDS for face in ("factored", "online")}
    took: dict[tuple[str, str, bool], list[float]] = {}
    for _ in range(given.repetitions):
        for (kind, face), sim in runs.items():
            for learn in (False, True) if face == "factored" else (True,):
                took.setdefault((kind, face, learn), []).append(cpu_ms(sim, learn, given.trials))
    print(f"| {given.neurons} neurons, {given.steps} steps | Hz | forward, ms | factored, ms | online, ms |")
    print("|---|---|---|---|---|")
    for kind in KINDS:
        hz = runs[kind, "factored"].trial(0).rates("hidden").mean()
        shown = (("factored", False), ("factored", True), ("online", True))
        times = [min(took[kind, face, learn]) for face, learn in shown]
        print(f"| {kind} | {hz:.1f} | " + " | ".join(f"{t:.2f}" for t in times) + " |")
    for sim in runs.values():
        sim.close()


if __name__ == "__main__":
    main()
