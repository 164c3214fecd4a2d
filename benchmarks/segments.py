"""A trial of many decisions: CPU time of 32,000 steps in one segment and in 3,200 segments of 10 steps.

    python benchmarks/segments.py [--repeats 5]

values: the task gives a source values, which are drawn as Poisson spikes; spikes: it gives spikes. Then closed loops:
4 numbers by tuning curves of 40 neurons, an action for every 5 steps, in an environment that costs nothing. The
smallest of `repeats` times; the trial is simulated, recorded and judged, nothing is learned.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from snnplast import (
    LIF,
    ActorCritic,
    ClosedLoop,
    LeakyReadout,
    Network,
    Normal,
    PoissonSource,
    PopulationCode,
    ReadoutChoice,
    Segment,
    Task,
)
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.task.objective import MeanSquaredError
from snnplast.training.pretrain import open_simulation

STEPS = 32_000


class Decisions(Task):
    """One trial of `STEPS` steps in segments of `length`."""

    objective = MeanSquaredError()
    seed = 0

    def __init__(self, length: int, given: str) -> None:
        rng = np.random.default_rng(0)
        self.values = rng.random((STEPS // length, 40))
        self.length, self.given = length, given
        self.spikes = [np.nonzero(rng.random((length, 40)) < 0.05) for _ in self.values]

    def trial(self, index: int) -> Iterator[Segment]:
        target = {"output.target": np.zeros(2)}
        for values, spikes in zip(self.values, self.spikes, strict=True):
            yield Segment(self.length, {"input": values if self.given == "values" else spikes}, target)


class Still:
    """An environment in which nothing happens."""

    def reset(self, *, seed=None):
        return np.full(4, 0.5), {}

    def step(self, action):
        return np.full(4, 0.5), 0.0, False, False, {}

    def close(self):
        pass


def network(readouts: int) -> Network:
    net = Network(dt="1 ms")
    net.add("input", PoissonSource(40, peak_rate="100 Hz"))
    net.add("hidden", LIF(50, tau_m="20 ms", v_threshold=0.6))
    net.add("output", LeakyReadout(readouts, tau_m="20 ms"))
    net.connect("input", "hidden", weights=Normal(gain=0.5), plastic=True)
    net.connect("hidden", "output", weights=0.0, plastic=True)
    return net


def fastest(simulation, task: Task, repeats: int) -> float:
    """CPU seconds of a trial."""
    times = []
    for k in range(repeats):
        trial, rng = task.trial(k), np.random.default_rng(k)
        began = time.process_time()
        simulate(simulation, trial, k, 0, rng)
        times.append(time.process_time() - began)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print("| given | segments | CPU ms |\n|---|---|---|")
    with (simulation := open_simulation(network(2), Decisions.objective, EProp(), 0)).engine:
        for given in ("values", "spikes"):
            for length in (STEPS, 10):
                seconds = fastest(simulation, Decisions(length, given), repeats)
                print(f"| {given} | {STEPS // length:,} of {length:,} steps | {1e3 * seconds:.0f} |")
    encoding = PopulationCode(low=(0.0,) * 4, high=(1.0,) * 4, coding="regular")
    loop = {"encoding": encoding, "choice": ReadoutChoice(actions=(0, 1)), "steps": 5, "objective": ActorCritic()}
    print("\n| closed loop, decisions | CPU us per decision |\n|---|---|")
    with (simulation := open_simulation(network(3), loop["objective"], EProp(), 0)).engine:
        for decisions in (100, 10_000):
            seconds = fastest(simulation, ClosedLoop(Still, **loop, longest=decisions), repeats)
            print(f"| {decisions:,} | {1e6 * seconds / decisions:.0f} |")


if __name__ == "__main__":
    main()
