"""CPU time of a whole e-prop training iteration, beside a plain numpy loop and the same by hand in C++ in the same run.

One iteration: encode 100 Poisson inputs (5 % per step), simulate 1000 steps of n fully recurrent LIF neurons with one
readout, gradient of all three matrices, update. Compiled engine, factored face, float64.

    python benchmarks/eprop_iteration.py --n 100 [--iterations 20] [--json]
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from floor import Floor

from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.network.weights import Normal
from snnplast.rules.e_prop import EProp
from snnplast.task.objective import MeanSquaredError
from snnplast.task.stack import OneSegment
from snnplast.task.task import Task, Trial
from snnplast.task.trial import Segment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

INPUTS, STEPS, TAU, THRESHOLD = 100, 1000, 30.0, 0.03
ALPHA = np.exp(-1 / TAU)


class Pattern(OneSegment, Task):
    """Fresh Poisson input in every trial; the target is a sine over the trial."""

    def __init__(self) -> None:
        self.objective = MeanSquaredError()
        self.target = np.sin(np.linspace(0, 2 * np.pi, STEPS))[:, None]

    def trial(self, index: int) -> Trial:
        yield Segment(STEPS, {"input": np.ones(INPUTS)}, {"output.target": self.target})


def network(n: int) -> Network:
    """100 inputs at 50 Hz, n recurrent LIF neurons, one readout."""
    net = Network(dt="1 ms")
    net.add("input", PoissonSource(INPUTS, peak_rate="50 Hz"))
    net.add("hidden", LIF(n, tau_m=f"{TAU} ms", v_threshold=THRESHOLD, reset="subtract-next", normalise_input=True))
    net.add("output", LeakyReadout(1, tau_m=f"{TAU} ms"))
    net.connect("input", "hidden", weights=Normal(), plastic=True)
    net.connect("hidden", "hidden", weights=Normal(), plastic=True, self_connections=False)
    net.connect("hidden", "output", weights=Normal(), plastic=True)
    return net


def numpy_iteration(values: dict[str, np.ndarray], n: int, target: np.ndarray, rng: np.random.Generator) -> int:
    """The same iteration as a plain numpy loop with the factored gradient; returns the number of recurrent spikes."""
    w_in, w_out = values["input_to_hidden"].reshape(INPUTS, n), values["hidden_to_output"].reshape(n, 1)
    w_rec = np.zeros((n, n))
    w_rec[~np.eye(n, dtype=bool)] = values["hidden_to_hidden"]
    feedback = values["feedback_hidden"].reshape(1, n)
    x = rng.random((STEPS, INPUTS)) < 0.05
    v, z, y = np.zeros(n), np.zeros(n), np.zeros(1)
    psi, spikes, error = np.zeros((STEPS, n)), np.zeros((STEPS, n)), np.zeros((STEPS, 1))
    for t in range(STEPS):
        current = w_in[x[t]].sum(axis=0) + w_rec[z > 0].sum(axis=0)
        v = ALPHA * v + (1 - ALPHA) * current - THRESHOLD * z
        psi[t] = 0.3 / THRESHOLD * np.maximum(0, 1 - np.abs(v - THRESHOLD) / THRESHOLD)
        z = (v >= THRESHOLD).astype(float)
        y = ALPHA * y + (1 - ALPHA) * (z @ w_out)
        spikes[t], error[t] = z, y - target[t]
    adjoint, back = np.zeros((STEPS + 1, n)), np.zeros((STEPS + 1, 1))
    for t in range(STEPS - 1, -1, -1):
        back[t] = ALPHA * back[t + 1] + (1 - ALPHA) * error[t]
        adjoint[t] = ALPHA * adjoint[t + 1] + psi[t] * (back[t] @ feedback)
    g_in = (1 - ALPHA) * x.T.astype(float) @ adjoint[:-1]
    g_rec = (1 - ALPHA) * spikes[:-1].T @ adjoint[1:-1]
    g_out = spikes.T @ back[:-1]
    for w, g in ((w_in, g_in), (w_rec, g_rec), (w_out, g_out)):
        w -= 1e-4 * g
    return int(spikes.sum())


def floor_ms(values: dict[str, np.ndarray], n: int, target: np.ndarray, iterations: int) -> float:
    """CPU ms of the same iteration, encoding and regulariser too, in `floor.cpp`."""
    w_rec = np.zeros((n, n))
    w_rec[~np.eye(n, dtype=bool)] = values["hidden_to_hidden"]
    floor = Floor(
        {
            "steps": STEPS, "alpha": ALPHA, "threshold": THRESHOLD, "regulariser": 300.0, "rate": 0.01, "eta": 1e-2 / n,
            "w_in": values["input_to_hidden"].reshape(INPUTS, n), "w_rec": w_rec, "w_out": values["hidden_to_output"],
            "feedback": values["feedback_hidden"], "target": target.ravel(),
        },
        fresh=0.05,
    )  # fmt: skip
    floor.iterate()
    started = time.process_time()
    for _ in range(iterations):
        floor.iterate()
    return 1e3 * (time.process_time() - started) / iterations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100, help="recurrent neurons")
    parser.add_argument("--iterations", type=int, default=20, help="timed iterations")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()

    rule = EProp(
        third_factor={"name": "readout-error", "scale": arguments.n**-0.5},
        regularisers=({"name": "firing-rate"},),
        optimizer={"name": "sgd", "learning_rate": 1e-2 / arguments.n},
    )
    task = Pattern()
    simulation = open_simulation(network(arguments.n), task.objective, rule, seed=1)
    values = {name: array.copy() for name, array in simulation.values.items()}
    trainer = Trainer(simulation, task, iterations=10**9, whole=lambda phase, index: False)
    trainer.update()
    spikes = []
    cpu, wall = time.process_time(), time.perf_counter()
    while len(spikes) < arguments.iterations:
        spikes += [step.metrics["spikes_per_trial"] for step in trainer.advance(arguments.iterations - len(spikes))]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall

    floor = floor_ms(values, arguments.n, task.target, arguments.iterations)
    rng, repeats = np.random.default_rng(1), max(arguments.iterations // 5, 2)
    reference = time.process_time()
    for _ in range(repeats):
        numpy_iteration(values, arguments.n, task.target, rng)
    reference = time.process_time() - reference

    result = {
        "n": arguments.n,
        "cpu_ms": 1e3 * cpu / arguments.iterations,
        "wall_ms": 1e3 * wall / arguments.iterations,
        "spikes": float(np.mean(spikes)),
        "numpy_cpu_ms": 1e3 * reference / repeats,
        "floor_cpu_ms": floor,
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>14}  {value:.4g}")


if __name__ == "__main__":
    main()
