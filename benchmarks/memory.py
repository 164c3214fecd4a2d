"""Growth of peak memory during a long run that records spikes, a state variable and metrics.

python benchmarks/memory.py [--first 500] [--last 5000]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

from snnplast import Experiment, train
from snnplast.training.callbacks import Moment


class Watch:
    """Keeps the peak RSS (MB) after the updates asked for."""

    def __init__(self, iterations: list[int]) -> None:
        self.iterations = iterations
        self.peak: dict[int, float] = {}

    def on_update(self, moment: Moment) -> None:
        if moment.iteration in self.iterations:
            self.peak[moment.iteration] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"iteration {moment.iteration:6}: peak RSS {self.peak[moment.iteration]:.1f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=500)
    parser.add_argument("--last", type=int, default=5000)
    arguments = parser.parse_args()
    watch = Watch([arguments.first, arguments.last])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.h5"
        sets = [f"train.iterations={arguments.last}", "record.every=1", f"record.path={path}"]
        train(Experiment.of("pattern-generation", *sets), callbacks=[watch], progress=False)
        size = path.stat().st_size / 2**20
    growth = watch.peak[arguments.last] - watch.peak[arguments.first]
    print(f"growth: {growth:.1f} MB while the file grew to {size:.0f} MB")


if __name__ == "__main__":
    main()
