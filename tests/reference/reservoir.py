"""A class-gated rate reservoir that has learnt to produce xi (section 4 B of the specification), in plain numpy.

Every unit belongs to the pool of one class. The class y of a sample opens its pool, which takes up the representation
z; the other pools hold their state. The readout sees the state before the sample, of the open pool and of the closed
pools as separate features, and z. It is trained once on random streams and never sees the data of the task.
"""

from dataclasses import dataclass, replace

import numpy as np

from .ib_hebbian import xi_exact


@dataclass(frozen=True)
class Reservoir:
    """R units, C classes, D dimensions: w_z (R, D), w_r (R, R), pool (R,) class of a unit, readout (F, D) or None."""

    leak: float
    w_z: np.ndarray
    w_r: np.ndarray
    pool: np.ndarray
    readout: np.ndarray | None = None


def random_reservoir(rng, units, classes, dim, leak, input_scale=0.3, radius=0.5, connectivity=0.1):
    """Unit i belongs to class i mod C. The recurrence connects units of one pool only."""
    pool = np.arange(units) % classes
    w_r = rng.normal(size=(units, units)) * (rng.random((units, units)) < connectivity)
    w_r *= pool[:, None] == pool[None, :]
    w_r *= radius / np.abs(np.linalg.eigvals(w_r)).max()
    return Reservoir(leak, rng.normal(0, input_scale / np.sqrt(dim), (units, dim)), w_r, pool)


def gate(res, Y):
    """G (..., R): 1 for the units whose pool is open. Y is (..., C) one-hot."""
    return Y[..., res.pool]


def features(res, r, Y, Z):
    """(..., 2 R + D), from the state r (..., R) before the sample. There is no constant feature."""
    G = gate(res, Y)
    return np.concatenate([r * G, r * (1 - G), Z], axis=-1)


def update(res, r, Y, Z):
    """The state after the sample: r + G a (tanh(Wz z + Wr r) - r)."""
    return r + gate(res, Y) * res.leak * (np.tanh(Z @ res.w_z.T + r @ res.w_r.T) - r)


def run(res, Y, Z):
    """Features (streams, length, F) of streams that start at rest."""
    r, F = np.zeros((len(Y), len(res.pool))), []
    for n in range(Y.shape[1]):
        F.append(features(res, r, Y[:, n], Z[:, n]))
        r = update(res, r, Y[:, n], Z[:, n])
    return np.stack(F, axis=1)


class Factor:
    """A trained reservoir as a third factor: the same call as ib_hebbian.Memory, but it remembers no sample."""

    def __init__(self, res):
        self.res, self.r = res, np.zeros(len(res.pool))

    def __call__(self, x, y, z):
        xi = features(self.res, self.r, y, z) @ self.res.readout
        self.r = update(self.res, self.r, y, z)
        return xi


class Averages:
    """A reservoir whose pools each hold the average of a class, weighted by errors e (C,): xi = sum_c e_c m^_c."""

    def __init__(self, res):
        self.res, self.r = res, np.zeros(len(res.pool))

    def held(self):
        """m^ (C, D): what each pool says of its class."""
        return np.array([(self.r * (self.res.pool == c)) @ self.res.readout for c in range(self.res.pool.max() + 1)])

    def __call__(self, y, z, e):
        xi = np.asarray(e) @ self.held()
        self.r = update(self.res, self.r, y, z)
        return xi


# Training, once, a priori


def synthetic_streams(rng, streams, length, classes, dim, spread=0.3, noise=0.3, dim_x=10, centres=2):
    """X (streams, length, dim_x), Y one-hot (.., .., C), Z (.., .., D): random classes seen by random encoders.

    Class centres N(0, 1); x = centre + spread N(0, 1); z = LN(ReLU(A x) + noise N(0, 1)) with A ~ N(0, 1 / dim_x).
    """
    centre = rng.normal(size=(streams, classes, centres, dim_x))
    A = rng.normal(0, 1 / np.sqrt(dim_x), (streams, dim, dim_x))
    label = rng.integers(classes, size=(streams, length))
    which = rng.integers(centres, size=(streams, length))
    X = centre[np.arange(streams)[:, None], label, which] + spread * rng.normal(size=(streams, length, dim_x))
    h = np.maximum(0, np.einsum("sdx,slx->sld", A, X)) + noise * rng.normal(size=(streams, length, dim))
    Z = (h - h.mean(axis=-1, keepdims=True)) / h.std(axis=-1, keepdims=True)
    return X, np.eye(classes)[label], Z


def teacher(o, X, Y, Z):
    """Exact xi (streams, length - N + 1, D) of every full window, divided by its root mean square."""
    N = o.window
    xi = np.stack([xi_exact(o, X[:, n - N : n], Y[:, n - N : n], Z[:, n - N : n]) for n in range(N, X.shape[1] + 1)], 1)
    return xi / np.sqrt(np.mean(xi**2))


def averages(Y, Z, memory):
    """m_y (.., length, D) of each sample's class before it; from 0, m_y <- memory m_y + (1 - memory) z."""
    label, wanted = Y.argmax(axis=-1), np.zeros(Z.shape)
    for n in range(Z.shape[-2]):
        for k in range(n):
            same = label[..., k] == label[..., n]
            since = np.sum(label[..., k + 1 : n] == label[..., n, None], axis=-1)
            wanted[..., n, :] += (same * (1 - memory) * memory**since)[..., None] * Z[..., k, :]
    return wanted


def opened(res, Y, Z):
    """The state of the open pool before each sample (streams, length, R)."""
    return run(res, Y, Z)[..., : len(res.pool)]


def ridge(F, target, relative=1e-2):
    """Weights (F, D) that minimise |F W - target|^2 + l |W|^2, l = relative * mean of the diagonal of F'F."""
    gram = F.T @ F
    return np.linalg.solve(gram + relative * np.trace(gram) / len(gram) * np.eye(len(gram)), F.T @ target)


def trained(res, o, X, Y, Z, relative=1e-2):
    """The reservoir with the readout that reproduces the teacher on these streams, the first N - 1 samples left out."""
    F, xi = run(res, Y, Z)[:, o.window - 1 :], teacher(o, X, Y, Z)
    return replace(res, readout=ridge(F.reshape(-1, F.shape[-1]), xi.reshape(-1, xi.shape[-1]), relative))


def correlation(res, o, X, Y, Z):
    """Correlation of the reservoir's xi with the teacher's, over all streams, samples and dimensions."""
    return np.corrcoef((run(res, Y, Z)[:, o.window - 1 :] @ res.readout).ravel(), teacher(o, X, Y, Z).ravel())[0, 1]
