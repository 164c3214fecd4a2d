"""Memories of classes and the third factor made of them, in plain numpy: the oracle for class-memory.

Everything is computed anew from the whole history of a layer, a list of (z, label, error) with error = y - p as it was
when the sample was shown. Nothing here imports snnplast.
"""

import numpy as np

SHARPNESS = {"averages": 0.1, "whitened": 0.3, "neighbours": 0.3}


def class_averages(history, classes, memory):
    """m (C, D): the first sample of a class weighs memory^(n-1), the k-th (1 - memory) memory^(n-k)."""
    size = len(history[0][0]) if history else 1
    m = np.zeros((classes, size))
    for c in range(classes):
        own = [z for z, label, _ in history if label == c]
        for k, z in enumerate(own):
            m[c] += (1.0 if k == 0 else 1 - memory) * memory ** (len(own) - 1 - k) * z
    return m


def spread(history, classes, memory, spread_memory, size):
    """S (D, D): running average of (z - m)(z - m)^T, m as it was before each sample."""
    s = np.eye(size)
    for n, (z, label, _) in enumerate(history):
        before = history[:n]
        if any(other == label for _, other, _ in before):
            d = z - class_averages(before, classes, memory)[label]
            s = spread_memory * s + (1 - spread_memory) * np.outer(d, d)
    return s


def known(kind, history, classes, window=256):
    """Classes of which something is remembered (C,)."""
    remembered = history[-window:] if kind == "neighbours" else history
    return np.array([any(label == c for _, label, _ in remembered) for c in range(classes)])


def recall(kind, history, z, classes, memory=0.98, spread_memory=0.996, ridge=0.5, rate=0.02, window=256, b=None):
    """M (C, D) and evidence a (C,)."""
    b, size = SHARPNESS.get(kind, 1.0) if b is None else b, len(z)
    there = known(kind, history, classes, window)
    if not history:
        return np.zeros((classes, size)), np.zeros(classes)
    if kind in ("averages", "whitened"):
        m = class_averages(history, classes, memory)
        mean = m[there].mean(axis=0)
        inverse = np.eye(size)
        if kind == "whitened":
            s = spread(history, classes, memory, spread_memory, size)
            inverse = np.linalg.inv(s + ridge * np.eye(size))
        M = np.array([inverse @ (m[c] - mean) if there[c] else np.zeros(size) for c in range(classes)])
        a = [b * (M[c] @ (z - mean) - M[c] @ (m[c] - mean) / 2) if there[c] else 0.0 for c in range(classes)]
        return M, np.array(a)
    if kind in ("residuals", "delta"):
        used = history[-window:] if kind == "residuals" else history
        M, a = np.zeros((classes, size)), np.zeros(classes)
        for other, _, error in used:
            M += rate * np.outer(error, other)
            a += rate * error * (other @ z + 1)
        return M, a
    M, a = np.zeros((classes, size)), np.zeros(classes)
    for c in np.flatnonzero(there):
        own = np.array([other for other, label, _ in history[-window:] if label == c])
        k = np.exp(-b * np.sum((z - own) ** 2, axis=1) / 2)
        M[c], a[c] = k @ own / k.sum(), np.log(k.sum())
    return M, a


def expected(expectation, a, there, wrong, label):
    """p - y (C,). wrong: the error of the network's readout."""
    if expectation == "readout":
        return wrong
    p = np.where(there, np.exp(a) if expectation == "layer" else 1.0, 0.0)
    p = p / p.sum() if p.any() else p
    return p - (np.arange(len(a)) == label)


def loss(kind, history, z, label, classes, **settings):
    """-log p_y of a layer that expects by its own evidence: what its xi is the gradient of, over b."""
    _, a = recall(kind, history, z, classes, **settings)
    there = known(kind, history, classes, settings.get("window", 256))
    return np.log(np.sum(np.exp(a[there]))) - a[label]


class Layer:
    """One layer's memory: called with (z, label, wrong), gives xi (D,) or None, and remembers the sample."""

    def __init__(self, kind, expectation, classes, **settings):
        self.kind, self.expectation, self.classes, self.settings = kind, expectation, classes, settings
        self.history = []

    def __call__(self, z, label, wrong):
        M, a = recall(self.kind, self.history, z, self.classes, **self.settings)
        there = known(self.kind, self.history, self.classes, self.settings.get("window", 256))
        e = expected(self.expectation, a, there, wrong, label)
        ready = there[label] and there.sum() > 1
        self.history.append((z, label, -e))
        return e @ M if ready else None
