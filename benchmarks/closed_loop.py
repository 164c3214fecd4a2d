"""Closed loops learnt by reward-based e-prop: return of fresh episodes, with controls, and the learning curves.

    python benchmarks/closed_loop.py t-maze cartpole [--seeds 1 2 3] [--only e-prop] [--set train.epochs=5]
    python benchmarks/closed_loop.py pong --seeds 1

Default settings of each model. Tests of the run choose its best round; its weights are then tried in 100 (of pong, 10)
fresh episodes, those of another seed. CPU minutes are of the whole run with its tests, on one thread.
Draws benchmarks/<model>_curves.png: every test of the run, one line per seed, over training episodes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import snnplast as snn
from snnplast.record import Run
from snnplast.report.figures import COLOURS, bare, blank_figure, image

VARIANTS = {
    "t-maze": {"e-prop": [], "no adaptive thresholds": ["model.adaptive=0"], "frozen": ["rule=frozen"]},
    "cartpole": {"e-prop": [], "frozen": ["rule=frozen"]},
    "pong": {"e-prop": []},
}
FRESH = {"pong": 10}
"""Fresh episodes, where not 100."""
SHOWN = {"t-maze": "test_accuracy"}
"""The metric of a figure, where not test_return."""


def learnt(model: str, sets: list[str], seed: int) -> tuple[Run, dict[str, float]]:
    """A run, and what its best weights do in fresh episodes, with its CPU minutes and the episodes it took."""
    with TemporaryDirectory() as folder:
        kept = [f"record.path={Path(folder) / 'run.h5'}", "record.spikes=[]", "record.variables=[]"]
        began = time.process_time()
        run = snn.train(snn.Experiment.of(model, *sets, *kept, f"train.seed={seed}"))
        minutes = (time.process_time() - began) / 60
        fresh = snn.Experiment.of(model, *sets, f"train.seed={seed + 1000}", f"model.tests={FRESH.get(model, 100)}")
        found = snn.evaluate(fresh, weights=run.weights_at("best"))
        decisions = float(run.metrics["decisions"].mean())
    return run, {**found, "CPU min": minutes, "decisions per episode": decisions}


def row(name: str, found: list[dict[str, float]]) -> str:
    """A line of the table."""
    cells = [name]
    for metric, digits in (("return", 2), ("accuracy", 3), ("spikes_per_trial", 0), ("CPU min", 2)):
        values = [each[metric] for each in found if metric in each]
        each = ", ".join(f"{value:.{digits}f}" for value in values)
        cells.append(f"{np.mean(values):.{digits}f} +- {np.std(values):.{digits}f} ({each})" if values else "")
    return "| " + " | ".join(cells) + " |"


def draw(model: str, runs: dict[str, list[Run]], episodes: int) -> None:
    """The tests of all runs over training episodes."""
    metric = SHOWN.get(model, "test_return")
    figure = blank_figure(3.2)
    axis = bare(figure.subplots())
    for colour, (name, each) in zip(COLOURS, runs.items(), strict=False):
        for run in each:
            tested = run.metrics[metric]
            axis.plot(episodes * (1 + np.arange(len(tested))), tested, color=colour, linewidth=1.2, alpha=0.8)
        axis.plot([], [], color=colour, label=name)
    axis.set_xlabel("training episodes")
    axis.set_ylabel(metric.replace("_", " "))
    axis.legend(frameon=False, fontsize=9)
    axis.set_title(f"{model}, {len(next(iter(runs.values())))} seeds", loc="left", fontsize=10)
    Path(f"benchmarks/{model}_curves.png").write_bytes(image(figure, "png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", help="these variants")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    for model in given.models:
        print(f"| {model} | return | accuracy | spikes per episode | CPU min |\n|---|---|---|---|---|", flush=True)
        runs: dict[str, list[Run]] = {}
        for name, sets in VARIANTS[model].items():
            if given.only and name not in given.only:
                continue
            every = [learnt(model, [*sets, *given.set], seed) for seed in given.seeds]
            runs[name] = [run for run, _ in every]
            print(row(name, [found for _, found in every]), flush=True)
        draw(model, runs, snn.Experiment.of(model, *given.set).task().epoch or 1)


if __name__ == "__main__":
    main()
