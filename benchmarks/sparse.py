"""Memory and time of sparse networks: describing and planning one, and one e-prop trial of another.

    python benchmarks/sparse.py plan [--neurons 100000] [--fan-in 100]
    python benchmarks/sparse.py trial [--neurons 100000] [--fan-in 100] [--steps 100]

plan: recurrent neurons with FixedInDegree, described and planned; what else a run needs is not made.
trial: the same in the compiled engine, one trial and its factored gradient. Peak RSS is that of the whole process.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np

from snnplast import LIF, FixedInDegree, LeakyReadout, Network, Normal, Segment, SpikeSource, Task
from snnplast.random_streams import TRAINING
from snnplast.rules.e_prop import EProp
from snnplast.simulation.design import design
from snnplast.task.objective import MeanSquaredError
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


class Once(Task):
    """Every tenth input neuron spikes once."""

    objective = MeanSquaredError()
    seed = 0

    def __init__(self, neurons: int, steps: int) -> None:
        self.indices = np.arange(0, neurons, 10)
        self.steps, self.times = steps, self.indices % steps

    def trial(self, index: int) -> Iterator[Segment]:
        yield Segment(self.steps, {"input": (self.times, self.indices)}, {"output.target": np.ones(2)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["plan", "trial"])
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--fan-in", type=int, default=100)
    parser.add_argument("--steps", type=int, default=100)
    chosen = parser.parse_args()
    n = chosen.neurons
    _report("imported")
    network = Network(dt="1 ms")
    network.add("input", SpikeSource(n))
    network.add("hidden", LIF(n, tau_m="20 ms", v_threshold=0.6))
    network.add("output", LeakyReadout(2, tau_m="20 ms"))
    sparse = {"connectivity": FixedInDegree(chosen.fan_in), "weights": Normal(gain=0.5), "plastic": True}
    network.connect("hidden", "hidden", self_connections=False, **sparse)
    if chosen.what == "trial":
        network.connect("input", "hidden", connectivity=FixedInDegree(1), weights=1.5)
    network.connect("hidden", "output", weights=Normal(gain=1.0), plastic=True)
    _report("described")
    if chosen.what == "plan":
        design(network, Once.objective, EProp(), 1)
        _report("planned")
        return
    task = Once(n, chosen.steps)
    with (simulation := open_simulation(network, task.objective, EProp(), 1)).engine:
        _report("opened")
        trainer = Trainer(simulation, task, 1)
        record = trainer.run(TRAINING, 0)
        _report("simulated")
        (plasticity,) = simulation.plasticities
        plasticity.gradient(record, task.objective)
        _report(f"gradient of {record.spikes['hidden'][0].size:,} spikes")


def _report(what: str) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {time.process_time():.1f} s CPU so far, peak RSS {peak:,.0f} MB", flush=True)


if __name__ == "__main__":
    main()
