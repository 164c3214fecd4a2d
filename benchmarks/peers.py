"""A whole e-prop iteration of pattern generation here, in NEST and in JAX: CPU time, the same network and draws.

    python benchmarks/peers.py [--n 100] [--iterations 20] [--peers nest jax]

100 frozen Poisson inputs, n recurrent LIF neurons all to all, one readout, 1000 steps, gradient of all three matrices,
SGD (Bellec et al. 2020; NEST's tutorial settings), one thread each, nothing recorded. NEST 3.10:
eprop_iaf_bsshslm_2020. JAX: the factored gradient as two scans and matrix products, jitted, float64. The losses show
that all compute the same. Needs nest-simulator and jax, or leave one out with --peers.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np

from snnplast.config.experiment import Experiment
from snnplast.models.pattern_generation import PatternGeneration
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

STEPS, TAU, THRESHOLD, ETA = 1000, 30.0, 0.03, 1e-4
ALPHA = np.exp(-1 / TAU)


def ours(n: int, iterations: int) -> tuple[float, list[float]]:
    """CPU ms per iteration, and the losses."""
    experiment = Experiment.of("pattern-generation", f"model.hidden={n}")
    task = experiment.task()
    simulation = open_simulation(experiment.network, task.objective, experiment.rule, experiment.train.seed)
    with simulation.engine:
        trainer = Trainer(simulation, task, 10**9)
        losses = [trainer.update().metrics["loss"]]
        started = time.process_time()
        losses += [trainer.update().metrics["loss"] for _ in range(iterations)]
        return 1e3 * (time.process_time() - started) / iterations, losses


def in_nest(n: int, iterations: int, record: bool = False) -> tuple[float, list[float]]:
    """The same in NEST. record: also compute the losses, which costs time."""
    import nest  # pyright: ignore[reportMissingImports]

    drawn = PatternGeneration(hidden=n).drawn
    n_in = drawn["in"].shape[0]
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.set(
        eprop_learning_window=float(STEPS), eprop_update_interval=float(STEPS), eprop_reset_neurons_on_update=True,
        resolution=1.0, total_num_virtual_procs=1, print_time=False,
    )  # fmt: skip
    shared = {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0, "tau_m": TAU, "regular_spike_arrival": False}
    surrogate = {
        "surrogate_gradient_function": "piecewise_linear",
        "surrogate_gradient_height": 0.3 / THRESHOLD,
        "surrogate_gradient_width": THRESHOLD,
    }
    regulariser = {"c_reg": 300.0, "f_target": 10.0}
    generators = nest.Create("spike_generator", n_in)
    inputs = nest.Create("parrot_neuron", n_in)
    hidden = nest.Create(
        "eprop_iaf_bsshslm_2020", n, {**shared, **surrogate, **regulariser, "V_th": THRESHOLD, "t_ref": 0.0}
    )
    readout = nest.Create("eprop_readout_bsshslm_2020", 1, {**shared, "loss": "mean_squared_error"})
    target = nest.Create("step_rate_generator", 1)
    optimizer = {"type": "gradient_descent", "batch_size": 1, "eta": ETA, "optimize_each_step": False}
    optimizer |= {"Wmin": -100.0, "Wmax": 100.0}
    nest.SetDefaults("eprop_synapse_bsshslm_2020", {"average_gradient": False, "optimizer": optimizer})
    static = {"synapse_model": "static_synapse", "weight": 1.0, "delay": 1.0}
    nest.Connect(generators, inputs, "one_to_one", static)
    for source, goal, name in ((inputs, hidden, "in"), (hidden, hidden, "rec"), (hidden, readout, "out")):
        rule = {"rule": "all_to_all", "allow_autapses": False}
        synapse = {"synapse_model": "eprop_synapse_bsshslm_2020", "delay": 1.0, "tau_m_readout": TAU}
        nest.Connect(source, goal, rule, {**synapse, "weight": 1.0})
        found = nest.GetConnections(source, goal)
        pre, post = np.array(found.source) - source[0].global_id, np.array(found.target) - goal[0].global_id
        found.weight = drawn[name][pre, post]
    feedback = {"synapse_model": "eprop_learning_signal_connection_bsshslm_2020", "delay": 1.0}
    nest.Connect(readout, hidden, "all_to_all", {**feedback, "weight": drawn["feedback"].reshape(-1, 1)})
    rate = {"synapse_model": "rate_connection_delayed", "delay": 1.0, "receptor_type": 2}
    nest.Connect(target, readout, "one_to_one", rate)
    meter = None
    if record:
        meter = nest.Create("multimeter", {"interval": 1.0, "record_from": ["error_signal"], "start": 4.0})
        nest.Connect(meter, readout, "all_to_all", static)

    rounds = iterations + 1
    steps, indices = drawn["spikes"]
    begins = np.arange(rounds)[:, None] * STEPS
    for k, generator in enumerate(generators):
        generator.spike_times = (begins + steps[indices == k] + 1).ravel().astype(float)
    times = np.arange(rounds * STEPS) + 4.0
    target.set(amplitude_times=times, amplitude_values=np.tile(drawn["target"].ravel(), rounds))
    nest.Simulate(5.0 + STEPS)
    started = time.process_time()
    nest.Simulate(float(iterations * STEPS))
    milliseconds = 1e3 * (time.process_time() - started) / iterations
    errors = [] if meter is None else meter.events["error_signal"]
    losses = [0.5 * float(np.sum(np.square(errors[k * STEPS : (k + 1) * STEPS]))) for k in range(rounds)]
    return milliseconds, losses


def in_jax(n: int, iterations: int) -> tuple[float, list[float]]:
    """The same in JAX: a scan forward, a scan backward, matrix products for the sweeps."""
    import jax  # pyright: ignore[reportMissingImports]
    import jax.numpy as jnp  # pyright: ignore[reportMissingImports]

    jax.config.update("jax_enable_x64", True)
    drawn = PatternGeneration(hidden=n).drawn
    x = np.zeros((STEPS, drawn["in"].shape[0]))
    x[drawn["spikes"]] = 1
    target, feedback = jnp.array(drawn["target"]).reshape(STEPS, 1), jnp.array(drawn["feedback"])
    off_diagonal = jnp.array(1.0 - np.eye(n))
    weights = tuple(jnp.array(drawn[name]) for name in ("in", "rec", "out"))
    weights = (weights[0], weights[1] * off_diagonal, weights[2])

    @jax.jit
    def iteration(weights, x):
        w_in, w_rec, w_out = weights

        def forward(state, driven):
            v, z, y = state
            v = ALPHA * v + (1 - ALPHA) * (driven + z @ w_rec) - THRESHOLD * z
            psi = 0.3 / THRESHOLD * jnp.maximum(0, 1 - jnp.abs(v - THRESHOLD) / THRESHOLD)
            z = (v >= THRESHOLD).astype(v.dtype)
            y = ALPHA * y + (1 - ALPHA) * (z @ w_out)
            return (v, z, y), (psi, z, y)

        def backward(state, row):
            adjoint, error = state
            psi, now = row
            error = ALPHA * error + (1 - ALPHA) * now
            adjoint = ALPHA * adjoint + psi * (error @ feedback + pull)
            return (adjoint, error), (adjoint, error)

        start = (jnp.zeros(n), jnp.zeros(n), jnp.zeros(1))
        _, (psi, z, y) = jax.lax.scan(forward, start, x @ w_in)
        error = y - target
        pull = 300.0 * (z.mean(axis=0) - 0.01) / STEPS
        _, (adjoint, errors) = jax.lax.scan(backward, (jnp.zeros(n), jnp.zeros(1)), (psi, error), reverse=True)
        gradients = (
            (1 - ALPHA) * x.T @ adjoint,
            (1 - ALPHA) * (z[:-1].T @ adjoint[1:]) * off_diagonal,
            z.T @ errors,
        )
        updated = tuple(w - ETA * g for w, g in zip(weights, gradients, strict=True))
        return updated, 0.5 * jnp.sum(error**2)

    x = jnp.array(x)
    weights, loss = jax.block_until_ready(iteration(weights, x))
    losses = [float(loss)]
    started = time.process_time()
    for _ in range(iterations):
        weights, loss = iteration(weights, x)
        losses.append(float(loss))
    return 1e3 * (time.process_time() - started) / iterations, losses


PEERS = {"nest": in_nest, "jax": in_jax}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[100], help="recurrent neurons")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    arguments = parser.parse_args()
    print("| n | who | CPU ms per iteration | ratio | losses 1 and 5 |")
    print("|---|---|---|---|---|")
    for n in arguments.n:
        mine, losses = ours(n, arguments.iterations)
        print(f"| {n} | snnplast | {mine:.2f} | 1 | {losses[0]:.12g}, {losses[4]:.12g} |", flush=True)
        for name in arguments.peers:
            milliseconds, found = PEERS[name](n, arguments.iterations)
            if name == "nest":
                found = in_nest(n, 4, record=True)[1]
            shown = f"{found[0]:.12g}, {found[4]:.12g}"
            print(f"| {n} | {name} | {milliseconds:.2f} | {milliseconds / mine:.1f} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
