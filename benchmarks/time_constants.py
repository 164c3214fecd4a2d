"""Time constants that differ, and that are learned, on a task that needs long ones: evidence accumulation.

    python benchmarks/time_constants.py [--seeds 0 1 2] [--iterations 100] [--only fixed spread learned grown]

The model's 100 recurrent neurons, none of which adapts: with one membrane time constant of 20 ms (`fixed`), with one
each between 20 ms and 1 s, drawn evenly in its logarithm (`spread`), and with these as a start that e-prop learns on
from (`learned`); `grown` learns from 20 ms, twenty times as fast. All else as the model has it; random feedback, batch
64, 512 fresh test trials; chance is 50 %.
"""

from __future__ import annotations

import argparse

import numpy as np

from snnplast import LIF, Adam, Experiment
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

KINDS = ("fixed", "spread", "learned", "grown")


def neurons(kind: str, seed: int, size: int) -> LIF:
    drawn = np.exp(np.random.default_rng(seed).uniform(np.log(20), np.log(1000), size))
    tau = "20 ms" if kind in ("fixed", "grown") else [f"{t:.3f} ms" for t in drawn]
    learnable = {"tau_m": ("5 ms", "3000 ms")} if kind in ("learned", "grown") else ()
    return LIF(size, tau_m=tau, v_threshold=0.6, reset="subtract-next", refractory="5 ms", learnable=learnable)


def run(kind: str, seed: int, iterations: int) -> dict[str, float]:
    sets = [
        "model.draws=fresh",
        "model.tests=512",
        "rules.e-prop.batch=64",
        "rules.e-prop.third_factor.feedback=random",
    ]
    experiment = Experiment.of("evidence-accumulation", *sets, f"train.seed={seed}", f"train.iterations={iterations}")
    task, network = experiment.task(), experiment.network.copy()
    network.populations["hidden"] = neurons(kind, seed, network.populations["hidden"].size)
    rule = experiment.rule
    if kind in ("learned", "grown"):
        rule = rule.model_copy(
            update={"optimizers": {"hidden.tau_m": Adam(learning_rate=5e-3 if kind == "learned" else 0.1)}}
        )
    simulation = open_simulation(network, task.objective, rule, seed, experiment.engine)
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations)
        for step in trainer:
            spikes, operations = step.metrics["spikes_per_trial"], step.metrics["synaptic_operations"]
        error = 1 - np.mean([trainer.measure(record)["accuracy"] for record in trainer.evaluate()])
        tau = 1e3 * np.broadcast_to(simulation.values.get("hidden.tau_m", network.populations["hidden"].tau_m), 100)
    quartiles = np.percentile(tau, (25, 50, 75))
    return {"error %": 100 * error, "spikes": spikes, "operations": operations} | dict(
        zip(("tau 25 %", "tau 50 %", "tau 75 %"), quartiles, strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    given = parser.parse_args()
    print("| time constants | seed | test error, % | spikes per trial | synaptic operations | quartiles of tau_m, ms |")
    print("|---|---|---|---|---|---|")
    for kind in given.only:
        for seed in given.seeds:
            found = run(kind, seed, given.iterations)
            quartiles = ", ".join(f"{found[f'tau {p} %']:.0f}" for p in (25, 50, 75))
            cells = f"{found['error %']:.1f} | {found['spikes']:,.0f} | {found['operations']:,.0f} | {quartiles}"
            print(f"| {kind} | {seed} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
