"""Other simulators beside this one, in one run: the same e-prop iteration, and the time to an accuracy.

    python benchmarks/peers.py --python PATH [iteration] [accuracy] [--json peers.json] [--picture benchmarks/peers.png]

Every participant is a script of its own in `benchmarks/peers/`, in a process of its own, on one thread. What cannot run
is left out, in a line that says why. --python, or $PEERS_PYTHON: the interpreter that has the others' libraries:

    pip install numpy nest-simulator jax torch snntorch bindsnet torchvision scikit-learn

and mlGeNN, which no registry has, from the sources of genn-team/genn and genn-team/ml_genn (pip install DIRECTORY).

iteration: pattern generation of Bellec et al. (2020) with the published draws: 100 frozen Poisson inputs, n recurrent
LIF neurons all to all, one readout, 1000 steps, gradient of all three matrices, SGD. The losses of five iterations and
what the weights have changed by after them are compared with those of snnplast before anything is timed.
accuracy: samples as Poisson spikes over 100 steps, a hidden layer of 100 neurons, the same split and number of samples
for all. They learn until a test after an epoch shows the accuracy wanted, or patience ends; tests are not timed.
CPU times; the median of the rounds, or of the seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PLACE = Path(__file__).parent / "peers"
OURS = ("snnplast", "numpy", "floor")
"""Participants that this interpreter runs."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
}
ITERATION: dict[str, dict[str, Any]] = {
    "snnplast": {"script": "snnplast", "batches": (1, 32)},
    "floor, by hand in C++": {"script": "floor"},
    "numpy loop": {"script": "numpy"},
    "NEST": {"script": "nest"},
    "JAX, factored": {"script": "jax", "form": "factored", "batches": (1, 32)},
    "JAX, online": {"script": "jax", "form": "online", "batches": (1, 32), "synapses": 1_200_000},
}
"""What is compared: the script, its form, its batches, and the trials x synapses beyond which it takes too long."""
ACCURACY: dict[str, dict[str, Any]] = {
    "snnplast, e-prop": {"script": "snnplast"},
    "snnTorch, surrogate gradient": {"script": "snntorch", "learning_rate": 2e-3},
    "snnTorch, batches of 128": {"script": "snntorch", "learning_rate": 1e-2, "batch": 128},
    "mlGeNN, e-prop online": {"script": "mlgenn", "learning_rate": 3e-4, "batch": 1, "seeds": 1},
    "BindsNET, STDP without labels": {"script": "bindsnet", "batch": 1, "seeds": 1},
}
"""What is compared: the script, a learning rate, found for seed 0, the batch, and how many of the seeds it is given."""
TASKS: dict[str, dict[str, Any]] = {
    "digits": {"model": "digits", "threshold": 0.93, "epochs": 30, "patience": 120.0},
    "fashion": {"model": "idx", "threshold": 0.80, "epochs": 5, "patience": 120.0, "training": 6000, "tests": 1000},
}
"""Data, the test accuracy wanted, most epochs, CPU seconds after which no further epoch begins, samples used."""
WEIGHTS = ("w_in", "w_rec", "w_out")
COLOURS = {"snnplast": "#1f5fa8", "floor": "#2f8f5b", "numpy": "#5b6570", "nest": "#d1602b", "jax": "#8a4fa3"}


def ask(script: str, python: str | None, given: dict[str, Any]) -> dict[str, np.ndarray] | str:
    """What the script found of a problem, or in one line why there is nothing."""
    own = script.rpartition("_")[2] in OURS
    if python is None and not own:
        return "no --python is given"
    with tempfile.TemporaryDirectory() as place:
        problem, found = Path(place) / "problem.npz", Path(place) / "found.npz"
        np.savez(problem, **given)
        command = [sys.executable if own or python is None else python, PLACE / f"{script}.py", problem, found]
        done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True)
        if done.returncode or not found.exists():
            return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        with np.load(found) as file:
            return dict(file)


def iteration_problem(n: int, batch: int) -> dict[str, Any]:
    """The published draws for n neurons. Of a batch, trials after the first have further input spikes."""
    from snnplast.models.pattern_generation import PatternGeneration

    drawn, random = PatternGeneration(hidden=n).drawn, np.random.default_rng(1)
    steps, inputs = len(drawn["target"]), drawn["in"].shape[0]
    spikes = [drawn["spikes"], *(np.nonzero(random.random((steps, inputs)) < 0.05) for _ in range(batch - 1))]
    w_rec = drawn["rec"].copy()
    np.fill_diagonal(w_rec, 0)
    return {
        "steps": steps, "batch": batch, "tau": 30.0, "alpha": np.exp(-1 / 30), "threshold": 0.03, "eta": 1e-4,
        "regulariser": 300.0, "rate": 0.01, "target": drawn["target"].ravel(),
        "w_in": drawn["in"], "w_rec": w_rec, "w_out": drawn["out"].ravel(), "feedback": drawn["feedback"].ravel(),
        "spike_trials": np.repeat(np.arange(batch), [len(found[0]) for found in spikes]),
        "spike_steps": np.concatenate([found[0] for found in spikes]),
        "spike_indices": np.concatenate([found[1] for found in spikes]),
    }  # fmt: skip


def iteration(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The table of one iteration."""
    print("| n | batch | who | CPU ms per trial | times snnplast | losses differ by | changes of weights differ by |")
    print("|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for n in options.n:
        for batch in (1, 32):
            given = iteration_problem(n, batch) | {"rounds": options.rounds}
            first, mine = {}, float("nan")
            for who, what in ITERATION.items():
                most = what.get("synapses", np.inf)
                if batch not in what.get("batches", (1,)) or batch * n * (n + 100) > most:
                    continue
                if what["script"] in options.without:
                    continue
                found = ask(f"in_{what['script']}", options.python, given | {"form": what.get("form", "")})
                if isinstance(found, str):
                    print(f"{who}: left out: {found}", file=sys.stderr, flush=True)
                    continue
                first = first or found
                row = {"table": "iteration", "n": n, "batch": batch, "who": who, "script": what["script"]}
                row["ms"] = (found["ms"] / batch).tolist()
                row["losses"] = _deviation(found, first, ("losses",))
                row["weights"] = None
                if "w_in" in found:
                    learned = [{name: run[name] - given[name] for name in WEIGHTS} for run in (found, first)]
                    row["weights"] = _deviation(*learned, WEIGHTS)
                rows.append(row)
                ms = np.median(row["ms"])
                mine = ms if what["script"] == "snnplast" else mine
                weights = "" if row["weights"] is None else f"{row['weights']:.0e}"
                print(f"| {n} | {batch} | {who} | {ms:.3g} | {ms / mine:.3g} | {row['losses']:.0e} | {weights} |")
                sys.stdout.flush()
    return rows


def _deviation(found: dict[str, np.ndarray], of: dict[str, np.ndarray], names: tuple[str, ...]) -> float:
    """The largest difference, in parts of the largest value."""
    return max(float(np.abs(found[k] - of[k]).max() / np.abs(of[k]).max()) for k in names)


def samples(model: str, seed: int, training: int | None = None, tests: int | None = None) -> dict[str, np.ndarray]:
    """The samples of a model: pixels from 0 to 1, and labels."""
    if model == "digits":
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        pixels, labels = load_digits(return_X_y=True)
        parts = train_test_split(pixels / 16, labels, test_size=360, stratify=labels, random_state=seed)
        return dict(zip(("x", "x_test", "y", "y_test"), parts, strict=True))
    from snnplast.models.idx import Idx

    learned, tested = Idx(training=training, tests=tests).samples
    return {"x": learned.pixels / 255, "y": learned.labels, "x_test": tested.pixels / 255, "y_test": tested.labels}


def accuracy(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The table of the time to an accuracy."""
    print("| task | who | seeds | test accuracy | epochs | CPU s | CPU ms per training sample | times snnplast |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    rows: list[dict[str, Any]] = []
    for task in options.tasks:
        mine = float("nan")
        for who, what in ACCURACY.items():
            if what["script"] in options.without:
                continue
            row = {"table": "accuracy", "task": task, "who": who, "runs": []}
            for seed in options.seeds[: what.get("seeds")]:
                settings = dict(TASKS[task])
                used = {name: settings.pop(name) for name in ("training", "tests") if name in settings}
                given = settings | samples(settings["model"], seed, **used)
                given |= {"hidden": 100, "steps": 100, "peak": 0.2, "batch": 32, "seed": seed} | what
                found = ask(f"classify_{what['script']}", options.python, given)
                if isinstance(found, str):
                    print(f"{who}: left out: {found}", file=sys.stderr, flush=True)
                    break
                row["runs"].append({name: values.tolist() for name, values in found.items()} | {"seed": seed})
                row["samples"] = len(given["x"])
            else:
                ms = _ms_per_sample(row)
                mine = ms if what["script"] == "snnplast" else mine
                _show(row, ms, ms / mine)
                rows.append(row)
    return rows


def _ms_per_sample(row: dict[str, Any]) -> float:
    """The median of all epochs."""
    epochs = [seconds for run in row["runs"] for seconds in np.diff(run["seconds"], prepend=0)]
    return 1e3 * float(np.median(epochs)) / row["samples"]


def _show(row: dict[str, Any], ms: float, ratio: float) -> None:
    runs = row["runs"]
    of_seeds = (
        [str(run["seed"]) for run in runs],
        [f"{run['accuracies'][-1]:.3f}" for run in runs],
        [str(len(run["seconds"])) for run in runs],
        [f"{run['seconds'][-1]:.3g}" for run in runs],
    )
    print(
        f"| {' | '.join([row['task'], row['who'], *map(', '.join, of_seeds)])} | {ms:.3g} | {ratio:.3g} |", flush=True
    )


def draw(rows: list[dict[str, Any]], picture: Path) -> None:
    """Time of an iteration of one trial against n."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4), layout="constrained")
    axes = figure.subplots()
    for who, what in ITERATION.items():
        mine = [row for row in rows if row["who"] == who and row["batch"] == 1]
        n, ms = [row["n"] for row in mine], [np.median(row["ms"]) for row in mine]
        line = "--" if what.get("form") == "online" else "-"
        axes.plot(n, ms, line, marker="o", markersize=4, color=COLOURS[what["script"]], label=who)
    axes.set(xscale="log", yscale="log", xlabel="recurrent neurons", ylabel="CPU ms per iteration of 1000 steps")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside right upper")
    figure.savefig(picture, dpi=150)


TABLES = {"iteration": iteration, "accuracy": accuracy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="default: all")
    parser.add_argument("--python", default=os.environ.get("PEERS_PYTHON"), help="interpreter of the others")
    parser.add_argument("--n", type=int, nargs="+", default=[100, 400, 1000], help="recurrent neurons")
    parser.add_argument("--rounds", type=int, default=5, help="of an iteration's time")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    scripts = sorted({what["script"] for table in (ITERATION, ACCURACY) for what in table.values()})
    parser.add_argument("--without", nargs="+", choices=scripts, default=[], help="leave these out")
    parser.add_argument("--json", type=Path, help="file for all that was measured, one row a line")
    parser.add_argument("--picture", type=Path, help="file for the time of an iteration against n")
    options = parser.parse_args()
    rows = [row for table in options.tables or TABLES for row in TABLES[table](options)]
    if options.json:
        options.json.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    if options.picture:
        draw(rows, options.picture)


if __name__ == "__main__":
    main()
