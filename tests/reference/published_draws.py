"""The random draws of the two published e-prop tasks (specification, section 7), and their constants (section 6).

Legacy ``np.random`` (MT19937), seed 1; the order of the draws matters. Matrices are rounded once to float32.
"""

import numpy as np

from .e_prop import Model

REGRESSION = Model(
    task="regression", tau_m=30.0, tau_out=30.0, v_threshold=0.03, refractory=0, unit_gain=False, c_reg=300.0
)
CLASSIFICATION = Model(
    task="classification",
    window=150,
    tau_m=20.0,
    tau_out=20.0,
    tau_a=2000.0,
    beta=np.repeat([0.0, 1.7 * (1 - np.exp(-1 / 2000)) / (1 - np.exp(-1 / 20))], 50),  # 50 LIF, then 50 ALIF
    v_threshold=0.6,
    refractory=5,
    unit_gain=True,
    c_reg=300.0,
    average=150.0,
)


def regression(seed=1):
    """Pattern generation: weights, input x (1000, 100) and target (1000, 1), the same in every iteration."""
    rng, steps, n_in, n = np.random.RandomState(seed), 1000, 100, 100
    weights = hidden_weights(rng, n_in, n)
    weights["out"] = float32(rng.randn(n, 1).T / np.sqrt(n))
    weights["feedback"] = float32(rng.randn(n, 1) / np.sqrt(n))
    x = (rng.rand(steps, n_in) < 0.05).astype(float)
    x[0] = 0.0
    amplitude, phase = rng.uniform(0.5, 2.0, size=4), rng.uniform(0.0, 2 * np.pi, size=4)
    target = np.zeros(steps)
    for a, phi, period in zip(amplitude, phase, (1000, 500, 333, 200), strict=True):
        target += a * np.sin(np.linspace(phi, phi + 2 * np.pi * (steps // period), steps))
    target -= target[0]
    return weights, x, (target / np.max(np.abs(target)))[:, None]


def classification(seed=1, batch=1):
    """Evidence accumulation: weights and endless batches x (batch, 2250, 40), target (batch, 2250, 2)."""
    rng, n_in, n, n_out = np.random.RandomState(seed), 40, 100, 2
    weights = hidden_weights(rng, n_in, n)
    limit = np.sqrt(3 / max(1, (n + n_out) / 2))
    weights["out"] = float32(rng.uniform(-limit, limit, size=(n, n_out)).T)
    weights["feedback"] = float32(rng.randn(n, n_out))
    return weights, evidence(rng, batch)


def hidden_weights(rng, n_in, n):
    w_in = rng.randn(n_in, n).T / np.sqrt(n_in)
    w_rec = rng.randn(n, n).T / np.sqrt(n)
    np.fill_diagonal(w_rec, 0.0)
    return {"in": float32(w_in), "rec": float32(w_rec)}


def evidence(rng, batch):
    """Seven cues, left (0) or right (1), 50 ms pause + 100 ms cue each; 1050 ms of nothing; 150 ms to recall."""
    steps, recall = 2250, 150
    sides = np.array([[0.3, 0.7], [0.7, 0.3]], dtype=np.float32)
    while True:
        probability = sides[rng.choice([0, 1], batch)]
        cues = np.array([rng.choice([0, 1], 7, p=p) for p in probability])
        rate = np.zeros((batch, steps, 40))
        for b, c in np.ndindex(batch, 7):
            rate[b, 150 * c + 50 : 150 * c + 150, 10 * cues[b, c] : 10 * cues[b, c] + 10] = 0.04
        rate[:, -recall:, 20:30] = 0.04
        rate[:, :, 30:40] = 0.01
        x = (rate > rng.rand(rate.size).reshape(rate.shape)).astype(float)
        x[:, 0] = 0.0
        label = (cues.sum(axis=1) > 3).astype(int)
        yield x, np.repeat(np.eye(2)[label][:, None, :], steps, axis=1)


def float32(w):
    """Rounded to single precision, kept in double."""
    return w.astype(np.float32).astype(np.float64)
