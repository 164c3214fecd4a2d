"""The firing patterns of AdEx neurons (Naud et al., 2008): one population, one neuron for each pattern.

    python benchmarks/firing_patterns.py [--output benchmarks/firing_patterns.png]

A step of current from 0 to 400 ms; Euler steps of 0.05 ms, spikes cut off at 0 mV, as the tests compare them with a
numpy transcription of the equations.
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib.figure import Figure

from snnplast import AdEx, Network
from snnplast.engine import NUMPY, open_engine
from snnplast.simulation.build import construct
from snnplast.simulation.plan import plan

STEPS, DT = 8000, 0.05


def simulate() -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Membranes (steps, patterns) in mV, and spikes (steps, neurons)."""
    patterns = list(AdEx.patterns.values())
    values = {field: [pattern[field] for pattern in patterns] for field in patterns[0]}
    net = Network(dt=f"{DT} ms")
    net.add("neurons", AdEx(len(patterns), V_cut="0 mV", **values))
    with open_engine(construct(plan(net.freeze(), {}, ["neurons.v"], 0)), NUMPY) as engine:
        engine.steps(STEPS)
        return np.array(engine.history["neurons.v"]) * 1e3, engine.spikes("neurons")


def draw(output: str) -> None:
    membranes, (steps, neurons) = simulate()
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots(4, 2, sharex=True, sharey=True)
    time = np.arange(STEPS) * DT
    for k, (name, axis) in enumerate(zip(AdEx.patterns, axes.flat, strict=True)):
        v = membranes[:, k].copy()
        v[steps[neurons == k]] = 20  # what the reset has taken away
        axis.plot(time, v, color="#204a87", linewidth=0.8)
        axis.set_title(f"{name}, {AdEx.patterns[name]['I_ext']}", fontsize=9, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("time (ms)")
    for axis in axes[:, 0]:
        axis.set_ylabel("v (mV)")
    figure.savefig(output, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="benchmarks/firing_patterns.png")
    draw(parser.parse_args().output)


if __name__ == "__main__":
    main()
