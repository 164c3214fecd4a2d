"""The e-prop iteration in snnplast: compiled engine, factored gradient, one thread."""

from __future__ import annotations

from typing import Any

import common
import numpy as np

from snnplast import LIF, EProp, LeakyReadout, MeanSquaredError, Network, Segment, SpikeSource, Task
from snnplast.task import OneSegment, Trial
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer


class Frozen(OneSegment, Task):
    """The same batch of trials for ever."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.objective, self.batch = MeanSquaredError(), given["batch"]
        trials = [given["spike_trials"] == k for k in range(self.batch)]
        spikes = [(given["spike_steps"][mine], given["spike_indices"][mine]) for mine in trials]
        target = {"output.target": given["target"][:, None]}
        self.segments = [Segment(given["steps"], {"input": shown}, target) for shown in spikes]

    def trial(self, index: int) -> Trial:
        yield self.segments[index % self.batch]


def network(given: dict[str, Any]) -> Network:
    inputs, n = given["w_in"].shape
    tau = f"{given['tau']} ms"
    net = Network(dt="1 ms")
    net.add("input", SpikeSource(inputs))
    net.add("hidden", LIF(n, tau_m=tau, v_threshold=given["threshold"], reset="subtract-next", normalise_input=True))
    net.add("output", LeakyReadout(1, tau_m=tau))
    net.connect("input", "hidden", weights=given["w_in"], plastic=True)
    net.connect("hidden", "hidden", weights=given["w_rec"], plastic=True, self_connections=False)
    net.connect("hidden", "output", weights=given["w_out"][:, None], plastic=True)
    net.connect(
        "output", "hidden", name="feedback_hidden", weights=given["feedback"][None, :],
        kind="analog", variable="error", into="learning_signal", simulated=False,
    )  # fmt: skip
    return net


def main() -> None:
    given = common.problem()
    pull = {"name": "firing-rate", "coefficient": given["regulariser"], "target": f"{1e3 * given['rate']} Hz"}
    sgd = {"name": "sgd", "learning_rate": given["eta"]}
    rule = EProp(batch=given["batch"], optimizer=sgd, regularisers=(pull,))
    task = Frozen(given)
    simulation = open_simulation(network(given), task.objective, rule, seed=0)
    with simulation.engine:
        trainer = Trainer(simulation, task, iterations=10**9, whole=lambda phase, index: False)

        def weights() -> common.Weights:
            n = given["w_in"].shape[1]
            w_rec = np.zeros((n, n))
            w_rec[~np.eye(n, dtype=bool)] = simulation.values["hidden_to_hidden"]
            w_in, w_out = (simulation.values[name] for name in ("input_to_hidden", "hidden_to_output"))
            return {"w_in": w_in.reshape(-1, n), "w_rec": w_rec, "w_out": w_out}

        def several(count: int) -> None:
            while count:
                count -= len(trainer.advance(count))

        common.take_part(given, lambda: trainer.update().metrics["loss"], weights, several)


if __name__ == "__main__":
    main()
