"""Brian2's own kinds of networks through `snnplast.compile`, beside Brian2's C++ standalone mode and its runtime.

For each network: whether everything that its monitors recorded is the same bit by bit as in standalone mode (same seed,
compiled without -ffast-math), how long it takes to build, and what one step costs. The runtime draws other random
numbers, so that networks with noise spike elsewhere there; its step includes what `Network.run` costs per call.

    python benchmarks/brian2_examples.py [names] [--target numpy|cython]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engine"))

from brian2_examples import EXAMPLES
from brian2_standalone import runtime, standalone

import snnplast

SEED = 42
OPTIMISE = "-O3 -march=native"


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def measure(name: str, target: str) -> str:
    make, duration = EXAMPLES[name]
    net, cold = timed(lambda: snnplast.compile(make, seed=SEED))
    net, warm = timed(lambda: snnplast.compile(make, seed=SEED))
    steps = round(float(duration) / net.dt)
    net.run(duration)
    ours = {variable: net[variable].copy() for variable in net.names}
    times = []
    for _ in range(5):
        net.reset(seed=SEED)
        times.append(timed(lambda: net.run(duration))[1])
    with tempfile.TemporaryDirectory() as directory:
        theirs, built, ran = standalone(make, duration, SEED, Path(directory), OPTIMISE)
    _, slow = runtime(make, duration, SEED, target)
    same = all(np.array_equal(ours[variable], theirs[variable]) for variable in theirs)
    step = [f"{1e6 * seconds / steps:>9.2f}" for seconds in (min(times), ran, slow)]
    spikes = len(theirs["spikes.i"])
    return f"{name:<22}{'yes' if same else 'NO':>6}{spikes:>8}{cold:>8.1f}{warm:>7.2f}{built:>11.1f}{''.join(step)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(EXAMPLES), help=f"of {', '.join(EXAMPLES)}")
    parser.add_argument("--target", default="cython", choices=("numpy", "cython"), help="of the runtime")
    options = parser.parse_args()
    if unknown := set(options.names) - set(EXAMPLES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print(f"{'':<22}{'':>14}{'build, seconds':>26}{'one step, microseconds':>27}")
    print(
        f"{'network':<22}{'same':>6}{'spikes':>8}{'cold':>8}{'warm':>7}{'standalone':>11}"
        f"{'compile':>9}{'standal.':>9}{options.target:>9}"
    )
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SNNPLAST_CACHE_DIR"] = cache
        for name in options.names:
            print(measure(name, options.target), flush=True)


if __name__ == "__main__":
    main()
