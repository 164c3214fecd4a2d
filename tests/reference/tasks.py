"""The classification tasks of the specification, for the oracles: data only, no spikes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """x (M, dim) what a kernel sees; u (M, n_in) in [0, 1] relative input rates; y (M, C) one-hot."""

    x: np.ndarray
    u: np.ndarray
    y: np.ndarray


def digits(seed):
    """scikit-learn's 8 x 8 digits: 1437 to train on, 360 to test, stratified. x = u = pixels / 16."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, label = load_digits(return_X_y=True)
    u_train, u_test, l_train, l_test = train_test_split(
        pixels / 16, label, test_size=360, stratify=label, random_state=seed
    )
    return Samples(u_train, u_train, np.eye(10)[l_train]), Samples(u_test, u_test, np.eye(10)[l_test])


def xor(seed, copies=10, noise=0.1):
    """The corners of the unit square with Gaussian noise, clipped; 900 to train on, 100 to test."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(2, size=(1000, 2))
    x = np.clip(corner + noise * rng.normal(size=corner.shape), 0, 1)
    return plane(x, corner[:, 0] ^ corner[:, 1], copies)


def linear(seed, copies=20):
    """Points in the unit square on two sides of a random line through its middle; 900 to train on, 100 to test."""
    rng = np.random.default_rng(seed)
    x, normal = rng.random((1000, 2)), rng.normal(size=2)
    return plane(x, ((x - 0.5) @ normal > 0).astype(int), copies)


def plane(x, label, copies):
    """On/off code (x, 1 - x), every channel several times."""
    u, y = np.repeat(np.hstack([x, 1 - x]), copies, axis=1), np.eye(2)[label]
    return Samples(x[:900], u[:900], y[:900]), Samples(x[900:], u[900:], y[900:])
