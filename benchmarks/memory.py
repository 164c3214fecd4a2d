"""Growth of peak memory during a long run that records spikes, a state variable and metrics.

python benchmarks/memory.py [--first 500] [--last 5000]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

from snnplast.config.experiment import Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.session import Session


class Watch:
    """Stands where the progress display does; keeps the peak RSS (MB) of every iteration asked for."""

    def __init__(self, iterations: list[int]) -> None:
        self.iterations = iterations
        self.peak: dict[int, float] = {}

    def update(self, iteration: int, metrics: dict[str, float]) -> None:
        if iteration in self.iterations:
            self.peak[iteration] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"iteration {iteration:6}: peak RSS {self.peak[iteration]:.1f} MB", flush=True)

    def row(self, iteration: int, metrics: dict[str, float]) -> None:
        pass

    def testing(self) -> None:
        pass

    def stopping(self) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=500)
    parser.add_argument("--last", type=int, default=5000)
    arguments = parser.parse_args()
    experiment = Experiment.of("pattern-generation", f"train.iterations={arguments.last}", "record.every=1")
    task = experiment.task()
    simulation = open_simulation(
        experiment.network, task.objective, experiment.rule, 1, "compiled", recorded=experiment.record.variables
    )
    watch = Watch([arguments.first, arguments.last])
    with tempfile.TemporaryDirectory() as folder, simulation.engine:
        session = Session.of(experiment, simulation, task)
        path = Path(folder) / "run.h5"
        with session.open(path) as file:
            session.train(file, watch)  # type: ignore[arg-type]
        size = path.stat().st_size / 2**20
    growth = watch.peak[arguments.last] - watch.peak[arguments.first]
    print(f"growth: {growth:.1f} MB while the file grew to {size:.0f} MB")


if __name__ == "__main__":
    main()
