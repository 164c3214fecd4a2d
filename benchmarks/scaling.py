"""Time and memory against neurons, synapses and spikes: sparse recurrent networks of which every synapse is plastic.

    python benchmarks/scaling.py [--neurons 1000 10000 100000] [--fan-in 100 1000] [--rates 1 5 10 20] [--steps 1000]

LIF neurons with FixedInDegree synapses onto each other; each has an input of its own that makes it spike as often as it
is asked to, and a readout of two neurons. One trial of 1 ms steps: simulated only (learning "off"), or simulated and
learned from by e-prop with SGD ("on"). CPU time per simulated second, the smallest of the repeats. Bytes per synapse:
what the process holds more than after the imports when the network is open, and at its peak, with the highest rate and
all histories. Each row is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from snnplast import LIF, SGD, FixedInDegree, LeakyReadout, Network, Normal, OneToOne, Segment, SpikeSource, Task
from snnplast.random_streams import TEST
from snnplast.rules.e_prop import EProp
from snnplast.rules.frozen import Frozen
from snnplast.task.objective import MeanSquaredError
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

SECOND = 1000
"""Steps."""


class AtRate(Task):
    """Input neurons that spike at random steps, `rate` times a second each in the mean."""

    objective = MeanSquaredError()
    seed = 0

    def __init__(self, neurons: int, steps: int, rate: float) -> None:
        rng = np.random.default_rng(0)
        count = round(rate * neurons * steps / SECOND)
        events = np.unique(rng.integers(neurons * steps, size=count))
        self.count, self.events = steps, np.divmod(events, neurons)

    def trial(self, index: int) -> Iterator[Segment]:
        yield Segment(self.count, {"input": self.events}, {"output.target": np.ones(2)})

    test = trial


def network(neurons: int, fan_in: int) -> Network:
    """As it is described above."""
    net = Network(dt="1 ms")
    net.add("input", SpikeSource(neurons))
    net.add("hidden", LIF(neurons, tau_m="20 ms"))
    net.add("output", LeakyReadout(2, tau_m="20 ms"))
    net.connect("input", "hidden", connectivity=OneToOne(), weights=1.5)
    net.connect("hidden", "hidden", connectivity=FixedInDegree(fan_in), weights=Normal(gain=0.02), plastic=True)
    net.connect("hidden", "output", weights=Normal(gain=0.01), plastic=True)
    return net


def measure(neurons: int, fan_in: int, learning: bool, rates: list[float], steps: int, repeats: int) -> dict:
    """One row: seconds per simulated second at each rate, spikes of neurons, and memory."""
    imported, synapses = _held(), neurons * fan_in
    began = time.process_time()
    rule = (EProp if learning else Frozen)(optimizer=SGD(learning_rate=1e-9))
    found: dict = {"seconds": [], "spikes": []}
    with (simulation := open_simulation(network(neurons, fan_in), AtRate.objective, rule, 1)).engine:
        found["open"] = time.process_time() - began
        found["opened"] = (_held() - imported) / synapses
        for rate in rates:
            trainer = Trainer(simulation, AtRate(neurons, steps, rate), 10**6)
            taken = []
            for _ in range(repeats):
                began = time.process_time()
                record = trainer.update().trials[0] if learning else trainer.run(TEST, 0)
                taken.append(time.process_time() - began)
            found["seconds"].append(min(taken) * SECOND / steps)
            found["spikes"].append(int(record.spikes["hidden"][0].size))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found | {"peak": peak, "at peak": (peak - imported) / synapses}


def _held() -> int:
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--fan-in", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 5, 10, 20], help="Hz")
    parser.add_argument("--steps", type=int, default=SECOND)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--learning", choices=["off", "on"], nargs="+", default=["off", "on"])
    parser.add_argument("--here", action="store_true", help="one row, in this process, as JSON")
    chosen = parser.parse_args()
    if chosen.here:
        (neurons,), (fan_in,), (learning,) = chosen.neurons, chosen.fan_in, chosen.learning
        print(json.dumps(measure(neurons, fan_in, learning == "on", chosen.rates, chosen.steps, chosen.repeats)))
        return
    rates = " | ".join(f"{rate:g} Hz" for rate in chosen.rates)
    print(f"| neurons x fan-in | learning | open, s | {rates} | bytes per synapse, open | at the peak | peak RSS, MB |")
    print("|" + "---|" * (6 + len(chosen.rates)))
    for neurons in chosen.neurons:
        for fan_in in chosen.fan_in:
            for learning in chosen.learning:
                found = _elsewhere(neurons, fan_in, learning, chosen)
                seconds = " | ".join(f"{s:.3g}" for s in found["seconds"])
                print(
                    f"| {neurons:,} x {fan_in:,} | {learning} | {found['open']:.2g} | {seconds} | "
                    f"{found['opened']:.0f} | {found['at peak']:.0f} | {found['peak'] / 2**20:,.0f} |",
                    flush=True,
                )


def _elsewhere(neurons: int, fan_in: int, learning: str, chosen: argparse.Namespace) -> dict:
    row = ["--neurons", neurons, "--fan-in", fan_in, "--learning", learning, "--rates", *chosen.rates]
    row += ["--steps", chosen.steps, "--repeats", chosen.repeats, "--here"]
    done = subprocess.run([sys.executable, __file__, *map(str, row)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
