"""README's picture, from two run files: what two rules learn on digits, and the spikes of one test digit.

snnplast run digits --set record.path=e-prop.h5
snnplast run digits --set rule=ib-hebbian --set record.path=ib-hebbian.h5
python benchmarks/readme_figure.py e-prop.h5 ib-hebbian.h5 docs/digits.png
"""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from snnplast.record.reading import read_run
from snnplast.record.results import Run

COLOURS = {"e-prop": "#1f5fa8", "ib-hebbian": "#d1602b"}


def rows_by_rate(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of the last recorded trial: times (ms) and neurons, numbered by how often they fire."""
    steps, neurons = run.trial_spikes("hidden", row=-1)
    rank = np.argsort(np.argsort(np.bincount(neurons, minlength=run.populations["hidden"])))
    return steps * 1e3 * run.dt, rank[neurons]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("e_prop")
    parser.add_argument("ib_hebbian")
    parser.add_argument("picture")
    arguments = parser.parse_args()
    runs = {"e-prop": read_run(arguments.e_prop), "ib-hebbian": read_run(arguments.ib_hebbian)}

    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), width_ratios=(1.2, 1, 1), layout="constrained")
    for name, run in runs.items():
        accuracy, hidden = run.metrics["test_accuracy"], run.populations["hidden"]
        label = f"{name}, {hidden} hidden neurons"
        axes[0].plot(np.arange(1, accuracy.size + 1), 100 * accuracy, color=COLOURS[name], label=label)
    axes[0].set(xlabel="epoch", ylabel="test accuracy (%)", title="handwritten digits", ylim=(60, 100))
    axes[0].legend(frameon=False, loc="lower right")
    for axis, (name, run) in zip(axes[1:], runs.items(), strict=True):
        times, neurons = rows_by_rate(run)
        axis.scatter(times, neurons, marker="|", s=14, linewidths=0.8, color=COLOURS[name])
        title = f"{name}: one digit, {times.size} spikes"
        axis.set(xlabel="time (ms)", ylabel="hidden neuron, by rate", title=title, xlim=(0, 100))
    figure.savefig(arguments.picture, dpi=150)


if __name__ == "__main__":
    main()
