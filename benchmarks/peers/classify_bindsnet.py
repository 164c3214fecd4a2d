"""The nearest that BindsNET has: its `DiehlAndCook2015`, which learns without labels, by STDP, sample by sample.

As many excitatory neurons as the others have hidden ones, and as many inhibitory ones. Labels name neurons: the class
to which a neuron answered most among the training samples of the epoch; a sample has the class whose neurons answer
most. Constants are the model's own; weights of a neuron add up to a tenth of the number of inputs, as in its example.
"""

from __future__ import annotations

import common
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from bindsnet.encoding import poisson  # pyright: ignore[reportMissingImports]
from bindsnet.evaluation import all_activity, assign_labels  # pyright: ignore[reportMissingImports]
from bindsnet.models import DiehlAndCook2015  # pyright: ignore[reportMissingImports]
from bindsnet.network.monitors import Monitor  # pyright: ignore[reportMissingImports]


def main() -> None:
    given = common.problem()
    torch.set_num_threads(1)
    torch.manual_seed(given["seed"])
    inputs, neurons, steps = given["x"].shape[1], given["hidden"], given["steps"]
    side, classes = int(inputs**0.5), int(given["y"].max()) + 1
    network = DiehlAndCook2015(inputs, n_neurons=neurons, inpt_shape=(1, side, side), norm=inputs / 10)
    monitor = Monitor(network.layers["Ae"], ["s"], time=steps)
    network.add_monitor(monitor, "Ae")
    assignments, shares = torch.zeros(neurons), None

    def spikes(values: np.ndarray) -> torch.Tensor:
        """Of the excitatory neurons, (steps, neurons)."""
        rates = 1e3 * given["peak"] * torch.tensor(values, dtype=torch.float32).view(1, side, side)
        network.run({"X": poisson(rates, time=steps).unsqueeze(1)}, time=steps)
        found = monitor.get("s").squeeze(1).clone()
        network.reset_state_variables()
        return found

    def train(epoch: int) -> None:
        nonlocal assignments, shares
        network.train(True)
        order = torch.randperm(len(given["x"])).numpy()
        answers = torch.stack([spikes(given["x"][k]).sum(dim=0) for k in order]).unsqueeze(1)
        assignments, shares, _ = assign_labels(answers, torch.tensor(given["y"][order]).long(), classes, shares)

    def test() -> float:
        network.train(False)
        answers = torch.stack([spikes(values).sum(dim=0) for values in given["x_test"]]).unsqueeze(1)
        return float((all_activity(answers, assignments, classes).numpy() == given["y_test"]).mean())

    common.learn(given, train, test)


if __name__ == "__main__":
    main()
