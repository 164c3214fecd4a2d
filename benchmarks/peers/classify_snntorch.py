"""The same in snnTorch: backpropagation through time with a surrogate gradient, float32.

Inputs of all steps go through a layer's matrix at once. Loss: cross-entropy of the readout's mean membrane. Adam.
"""

from __future__ import annotations

import common
import numpy as np
import snntorch  # pyright: ignore[reportMissingImports]
import torch  # pyright: ignore[reportMissingImports]
from snntorch import surrogate  # pyright: ignore[reportMissingImports]

BETA = float(np.exp(-1 / 20))


class Network(torch.nn.Module):
    """Inputs to hidden LIF neurons to leaky readouts."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.onto_hidden, self.onto_output = torch.nn.Linear(inputs, hidden), torch.nn.Linear(hidden, classes)
        self.hidden = snntorch.Leaky(beta=BETA, spike_grad=surrogate.fast_sigmoid(slope=25))
        self.output = snntorch.Leaky(beta=BETA, reset_mechanism="none")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: spikes (steps, batch, inputs); mean membrane of the readouts (batch, classes)."""
        membrane, spikes = self.hidden.reset_mem(), []
        for current in self.onto_hidden(x):
            fired, membrane = self.hidden(current, membrane)
            spikes.append(fired)
        membrane, total = self.output.reset_mem(), 0
        for current in self.onto_output(torch.stack(spikes)):
            _, membrane = self.output(current, membrane)
            total = total + membrane
        return total / len(x)


def main() -> None:
    given = common.problem()
    torch.set_num_threads(1)
    torch.manual_seed(given["seed"])
    x, x_test = (torch.tensor(given[name], dtype=torch.float32) for name in ("x", "x_test"))
    y, y_test = (torch.tensor(given[name]).long() for name in ("y", "y_test"))
    network = Network(x.shape[1], given["hidden"], int(y.max()) + 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=given["learning_rate"])

    def shown(values: torch.Tensor) -> torch.Tensor:
        return (torch.rand(given["steps"], *values.shape) < given["peak"] * values).float()

    def train(epoch: int) -> None:
        for chosen in torch.randperm(len(x)).split(given["batch"]):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(shown(x[chosen])), y[chosen]).backward()
            optimizer.step()

    @torch.no_grad()
    def test() -> float:
        answers = torch.cat([network(shown(part)).argmax(dim=1) for part in x_test.split(256)])
        return float((answers == y_test).float().mean())

    common.learn(given, train, test)


if __name__ == "__main__":
    main()
