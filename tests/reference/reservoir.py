"""A class-gated rate reservoir that has learnt to produce xi (section 4 B of the specification), in plain numpy.

Every unit belongs to the pool of one class. The class y of a sample opens its pool, which takes up the representation
z; the other pools hold their state. The readout sees the state before the sample, of the open pool and of the closed
pools as separate features, and z. It is trained once on random streams and never sees the data of the task.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reservoir:
    """R units, C classes, D dimensions: w_z (R, D), w_r (R, R), pool (R,) class of a unit, readout (F, D) or None."""

    leak: float
    w_z: np.ndarray
    w_r: np.ndarray
    pool: np.ndarray
    readout: np.ndarray | None = None


def random_reservoir(rng, units, classes, dim, leak, input_scale=1.0, radius=0.9, connectivity=0.1, within=True):
    """Unit i belongs to class i mod C."""
    pool = np.arange(units) % classes
    w_r = rng.normal(size=(units, units)) * (rng.random((units, units)) < connectivity)
    if within:
        w_r *= pool[:, None] == pool[None, :]
    w_r *= radius / np.abs(np.linalg.eigvals(w_r)).max()
    return Reservoir(leak, rng.normal(0, input_scale / np.sqrt(dim), (units, dim)), w_r, pool)


def gate(res, Y):
    """G (..., R): 1 for the units whose pool is open. Y is (..., C) one-hot."""
    return Y[..., res.pool]


def features(res, r, Y, Z):
    """(..., 2 R + D), from the state r (..., R) before the sample."""
    G = gate(res, Y)
    return np.concatenate([r * G, r * (1 - G), Z], axis=-1)


def update(res, r, Y, Z):
    """The state after the sample: r + G a (tanh(Wz z + Wr r) - r)."""
    return r + gate(res, Y) * res.leak * (np.tanh(Z @ res.w_z.T + r @ res.w_r.T) - r)


def synthetic_streams(rng, streams, length, classes, dim, spread=0.3, noise=0.3, dim_x=10, centres=2):
    """X (streams, length, dim_x), Y one-hot (.., .., C), Z (.., .., D): random classes seen by random encoders."""
    centre = rng.normal(size=(streams, classes, centres, dim_x))
    A = rng.normal(0, 1 / np.sqrt(dim_x), (streams, dim, dim_x))
    label = rng.integers(classes, size=(streams, length))
    which = rng.integers(centres, size=(streams, length))
    X = centre[np.arange(streams)[:, None], label, which] + spread * rng.normal(size=(streams, length, dim_x))
    h = np.maximum(0, np.einsum("sdx,slx->sld", A, X)) + noise * rng.normal(size=(streams, length, dim))
    Z = (h - h.mean(axis=-1, keepdims=True)) / h.std(axis=-1, keepdims=True)
    return X, np.eye(classes)[label], Z


def run(res, Y, Z):
    """Features (streams, length, F) of streams that start at rest."""
    r, F = np.zeros((len(Y), len(res.pool))), []
    for n in range(Y.shape[1]):
        F.append(features(res, r, Y[:, n], Z[:, n]))
        r = update(res, r, Y[:, n], Z[:, n])
    return np.stack(F, axis=1)


def ridge(F, target, relative=1e-2):
    """Weights (F, D) that minimise |F W - target|^2 + l |W|^2, l = relative * mean of the diagonal of F'F."""
    gram = F.T @ F
    return np.linalg.solve(gram + relative * np.trace(gram) / len(gram) * np.eye(len(gram)), F.T @ target)
