"""The e-prop iteration in JAX, jitted, float64; batches by vmap.

form "factored": a scan forward, a scan backward, matrix products. form "online": one scan forward with an eligibility
trace per synapse, as a network would learn while it runs.
"""

from __future__ import annotations

from typing import Any

import common
import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np

jax.config.update("jax_enable_x64", True)


def factored(given: dict[str, Any], weights: tuple, x: Any) -> tuple:
    """Gradients and loss of one trial."""
    alpha, (w_in, w_rec, w_out) = given["alpha"], weights
    n, feedback = len(w_out), given["feedback"]

    def backward(state, row):
        adjoint, filtered = state
        psi, error = row
        filtered = alpha * filtered + (1 - alpha) * error
        adjoint = alpha * adjoint + psi * (filtered * feedback + pull)
        return (adjoint, filtered), (adjoint, filtered)

    def forward(state, row):
        drive, wanted = row
        state, psi = step(given, state, drive + state[1] @ w_rec, w_out)
        return state, (psi, state[1], state[2] - wanted)

    _, (psi, z, error) = jax.lax.scan(forward, start(n), (x @ w_in, given["target"]))
    pull = given["regulariser"] * (z.mean(axis=0) - given["rate"]) / given["steps"]
    _, (adjoint, filtered) = jax.lax.scan(backward, (jnp.zeros(n), 0.0), (psi, error), reverse=True)
    gradients = ((1 - alpha) * x.T @ adjoint, (1 - alpha) * z[:-1].T @ adjoint[1:], z.T @ filtered)
    return gradients, 0.5 * jnp.sum(error**2)


def online(given: dict[str, Any], weights: tuple, x: Any) -> tuple:
    """The same forwards: e = psi zbar, its filtered form, and sums of both, for every synapse at every step."""
    alpha, (w_in, w_rec, w_out) = given["alpha"], weights
    inputs, n = w_in.shape
    w = jnp.concatenate([w_in, w_rec])

    def forward(state, row):
        network, zbar, zout, filtered, learned, eligible, out, loss, count = state
        shown, wanted = row
        arriving = jnp.concatenate([shown, network[1]])
        network, psi = step(given, network, arriving @ w, w_out)
        zbar = alpha * zbar + (1 - alpha) * arriving
        zout = alpha * zout + (1 - alpha) * network[1]
        e = zbar[:, None] * psi
        filtered = alpha * filtered + (1 - alpha) * e
        error = network[2] - wanted
        learned += filtered * (error * given["feedback"])
        return (
            network, zbar, zout, filtered, learned, eligible + e, out + error * zout,
            loss + 0.5 * error**2, count + network[1],
        ), None  # fmt: skip

    traces = jnp.zeros((inputs + n, n))
    first = (start(n), jnp.zeros(inputs + n), jnp.zeros(n), traces, traces, traces, jnp.zeros(n), 0.0, jnp.zeros(n))
    state, _ = jax.lax.scan(forward, first, (x, given["target"]))
    _, _, _, _, learned, eligible, out, loss, count = state
    pull = given["regulariser"] * (count / given["steps"] - given["rate"]) / given["steps"]
    gradient = learned + pull * eligible
    return (gradient[:inputs], gradient[inputs:], out), loss


def start(n: int) -> tuple:
    return jnp.zeros(n), jnp.zeros(n), 0.0


def step(given: dict[str, Any], state: tuple, drive: Any, w_out: Any) -> tuple:
    """Membranes, spikes and readout after a step, and the surrogate derivatives."""
    (v, z, y), alpha, threshold = state, given["alpha"], given["threshold"]
    v = alpha * v + (1 - alpha) * drive - threshold * z
    psi = 0.3 / threshold * jnp.maximum(0, 1 - jnp.abs(v - threshold) / threshold)
    z = (v >= threshold).astype(v.dtype)
    return (v, z, alpha * y + (1 - alpha) * (z @ w_out)), psi


def main() -> None:
    given = common.problem()
    gradients_of = {"factored": factored, "online": online}[given["form"]]
    x = jnp.array(np.stack([common.dense(given, k) for k in range(given["batch"])]))
    off_diagonal = jnp.array(1 - np.eye(len(given["w_out"])))
    weights = tuple(jnp.array(given[name]) for name in ("w_in", "w_rec", "w_out"))

    @jax.jit
    def update(weights, x):
        if given["batch"] == 1:
            gradients, loss = gradients_of(given, weights, x[0])
        else:
            found = jax.vmap(lambda shown: gradients_of(given, weights, shown))(x)
            gradients, loss = jax.tree.map(lambda values: values.mean(axis=0), found)
        changed = [w - given["eta"] * g for w, g in zip(weights, gradients, strict=True)]
        return (changed[0], changed[1] * off_diagonal, changed[2]), loss

    def iterate() -> float:
        nonlocal weights
        weights, loss = update(weights, x)
        return float(loss)

    common.take_part(given, iterate, lambda: dict(zip(("w_in", "w_rec", "w_out"), weights, strict=True)))


if __name__ == "__main__":
    main()
