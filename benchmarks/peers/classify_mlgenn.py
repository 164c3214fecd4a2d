"""The same in mlGeNN: e-prop with a trace per synapse, float32.

Its backend for the CPU is for batches of one sample. Constants of neurons as in its own examples. A test runs the
network that learns, and throws away what it would learn.
"""

from __future__ import annotations

import os
import tempfile

import common
import numpy as np
from ml_genn import Connection, Network, Population  # pyright: ignore[reportMissingImports]
from ml_genn.compilers import EPropCompiler  # pyright: ignore[reportMissingImports]
from ml_genn.compilers.eprop_compiler import default_params  # pyright: ignore[reportMissingImports]
from ml_genn.connectivity import Dense  # pyright: ignore[reportMissingImports]
from ml_genn.initializers import Normal  # pyright: ignore[reportMissingImports]
from ml_genn.neurons import (  # pyright: ignore[reportMissingImports]
    LeakyIntegrate,
    LeakyIntegrateFire,
    PoissonInput,
)
from ml_genn.optimisers import Adam  # pyright: ignore[reportMissingImports]


def main() -> None:
    given = common.problem()
    np.random.seed(given["seed"])  # noqa: NPY002  the order of samples is drawn from it
    inputs, hidden_size, batch, steps = given["x"].shape[1], given["hidden"], given["batch"], given["steps"]
    rates = {name: -np.log(1 - given["peak"] * given[name]) for name in ("x", "x_test")}  # spikes per ms
    network = Network(default_params)
    with network:
        source = Population(PoissonInput(), inputs)
        hidden = Population(LeakyIntegrateFire(v_thresh=0.6, tau_mem=20.0, tau_refrac=5.0), hidden_size)
        output = Population(LeakyIntegrate(tau_mem=20.0, readout="sum_var"), int(given["y"].max()) + 1)
        Connection(source, hidden, Dense(Normal(sd=inputs**-0.5)))
        Connection(hidden, output, Dense(Normal(sd=hidden_size**-0.5)))
    compiler = EPropCompiler(
        example_timesteps=steps, losses="sparse_categorical_crossentropy", batch_size=batch,
        optimiser=Adam(given["learning_rate"]), rng_seed=1 + given["seed"], backend="single_threaded_cpu",
    )  # fmt: skip
    found = os.getcwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        compiled = compiler.compile(network)
        with compiled:

            def train(epoch: int) -> None:
                compiled.train({source: rates["x"]}, {output: given["y"]}, 1, start_epoch=epoch, callbacks=[])

            def test() -> float:
                right = 0
                for first in range(0, len(rates["x_test"]), batch):
                    part = slice(first, first + batch)
                    compiled.custom_update("Reset")
                    compiled.genn_model.timestep = 0
                    compiled.set_input({source: rates["x_test"][part]})
                    for _ in range(steps):
                        compiled.step_time()
                        for part_of_softmax in ("Softmax1", "Softmax2", "Softmax3"):
                            compiled.custom_update(part_of_softmax)
                    answers = compiled.get_readout(output)[: len(given["y_test"][part])].argmax(axis=1)
                    right += int((answers == given["y_test"][part]).sum())
                for learning in (*compiled.connection_populations.values(), *compiled.neuron_populations.values()):
                    for name in {"DeltaG", "DeltaBias"} & set(learning.vars):
                        learning.vars[name].view[:] = 0
                        learning.vars[name].push_to_device()
                return right / len(given["y_test"])

            common.learn(given, train, test)
        os.chdir(found)


if __name__ == "__main__":
    main()
