"""Single against double precision: short trainings with both, from the same seeds.

    python benchmarks/precision.py [--models digits xor ...] [--json]

Loss and spikes are means over the last quarter of the updates; accuracy is that of the model's test trials.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.engine import EngineChoice
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

CASES = {
    "digits": (("train.epochs=1",), 180),
    "evidence-accumulation": (("model.draws=fresh", "rules.e-prop.batch=16"), 40),
    "pattern-generation": ((), 100),
    "xor": (("rule=ib-hebbian",), 2000),
}
"""Model -> settings, updates."""


def trained(model: str, precision: str) -> Mapping[str, float | np.ndarray]:
    """Loss, spikes and accuracy after a short training, and the weights."""
    sets, updates = CASES[model]
    experiment = Experiment.of(model, *sets)
    engine, task = EngineChoice(precision=precision), experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed, engine)
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=updates)
        rows = [trainer.update().metrics for _ in range(updates)][-updates // 4 :]
        tests = [trainer.measure(record) for record in trainer.evaluate()]
        trainer.close()
        found = {name: float(np.mean([row[name] for row in rows])) for name in ("loss", "spikes_per_trial")}
        if tests and "accuracy" in tests[0]:
            found["accuracy"] = float(np.mean([test["accuracy"] for test in tests]))
        weights = [values.ravel().astype(float) for _, values in sorted(simulation.values.items())]
        return found | {"weights": np.concatenate(weights)}


def compared(model: str) -> dict[str, str | float]:
    """Both precisions side by side, and how far the weights are apart, relative to their norm."""
    double, single = trained(model, "double"), trained(model, "single")
    apart = np.linalg.norm(double["weights"] - single["weights"]) / np.linalg.norm(double["weights"])
    row: dict[str, str | float] = {"model": model, "updates": CASES[model][1]}
    for name in ("loss", "spikes_per_trial", "accuracy"):
        row |= {f"{name}, double": double.get(name, np.nan), f"{name}, single": single.get(name, np.nan)}
    return row | {"weights apart": float(apart)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--json", action="store_true", help="print one JSON object for each model")
    arguments = parser.parse_args()
    for model in arguments.models:
        row = compared(model)
        if arguments.json:
            print(json.dumps(row), flush=True)
            continue
        if model == arguments.models[0]:
            print("|", " | ".join(row), "|\n" + "|---" * len(row) + "|")
        print("|", " | ".join(map(_shown, row.values())), "|", flush=True)


def _shown(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else f"{value:.4g}"


if __name__ == "__main__":
    main()
