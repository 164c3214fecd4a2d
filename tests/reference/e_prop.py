"""e-prop (Bellec et al. 2020, Nat. Commun. 11:3625) in plain numpy: the oracle for the library's rule.

It transcribes sections 3-5 of the specification with dt = 1 ms and independent trials. Numbers such as (3.2) in the
comments are that section and step. Weights are [post, pre]; times are in steps. Nothing here imports snnplast.

A network is a dictionary of arrays: ``in`` (n, n_in), ``rec`` (n, n) with zero diagonal or absent, ``out`` (n_out, n)
and ``feedback`` (n, n_out), the fixed matrix B. A gradient is one with the keys ``in``, ``rec`` (if present), ``out``.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Model:
    """Constants of an experiment. Everything called "per neuron" may be a number or an array (n,)."""

    task: str = "regression"  # or "classification"
    window: int | None = None  # last steps of the trial that count in error and loss; None: all
    tau_m: float | np.ndarray = 20.0  # membrane, ms, per neuron
    tau_out: float = 20.0  # readout, ms
    tau_a: float | np.ndarray = 2000.0  # threshold adaptation, ms, per neuron
    beta: float | np.ndarray = 0.0  # strength of the adaptation, per neuron; 0 is a LIF neuron
    v_threshold: float = 0.6  # base threshold vth
    refractory: int = 5  # steps; 0: never refractory
    unit_gain: bool = True  # input gain c: 1 if True, 1 - alpha if False
    c_reg: float = 0.0  # firing-rate regulariser
    f_target: float = 0.010  # spikes per step
    average: float = 1.0  # every gradient is divided by this (the classification task: 150)

    def __post_init__(self):
        if self.task not in ("regression", "classification"):
            raise ValueError(f"task {self.task!r}: allowed are 'regression' and 'classification'")

    @property
    def alpha(self):
        return np.exp(-1.0 / np.asarray(self.tau_m, float))

    @property
    def kappa(self):
        return np.exp(-1.0 / self.tau_out)

    @property
    def rho(self):
        return np.exp(-1.0 / np.asarray(self.tau_a, float))

    @property
    def c(self):
        return np.ones_like(self.alpha) if self.unit_gain else 1 - self.alpha


@dataclass(frozen=True)
class Trial:
    """What one trial left behind: x (T, n_in); z, psi, v, adaptation a (T, n); y and error E (T, n_out); loss."""

    x: np.ndarray
    z: np.ndarray
    psi: np.ndarray
    v: np.ndarray
    a: np.ndarray
    y: np.ndarray
    error: np.ndarray
    loss: float


def simulate(model, weights, x, target):
    """Run one trial from rest.

    x is (T, n_in) in {0, 1}; target (T, n_out) is a signal, or the one-hot class repeated at every step.
    """
    x, target = np.asarray(x, float), np.asarray(target, float)
    steps, n, n_out = len(x), len(weights["in"]), len(weights["out"])
    w_rec = weights.get("rec", np.zeros((n, n)))
    alpha, kappa, rho, c, vth = model.alpha, model.kappa, model.rho, model.c, model.v_threshold
    gamma, width = 0.3 / vth, vth
    v, a, z, r, y_k = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, int), np.zeros(n_out)
    Z, Psi, V, A, Y = (np.zeros((steps, m)) for m in (n, n, n, n, n_out))
    for t in range(steps):
        r = np.maximum(r - 1, 0)  # (3.1)
        v = alpha * v + c * (weights["in"] @ x[t] + w_rec @ z) - vth * z  # (3.2): z is still z^{t-1}
        a = rho * a + z  # (3.3)
        threshold = vth + np.asarray(model.beta) * a
        psi = np.where(r > 0, 0.0, gamma * np.maximum(0.0, 1 - np.abs(v - threshold) / width))  # (3.4)
        z = ((v >= threshold) & (r == 0)).astype(float)  # (3.5)
        r = np.where(z > 0, model.refractory, r)
        y_k = kappa * y_k + (1 - kappa) * (weights["out"] @ z)  # (3.6)
        Z[t], Psi[t], V[t], A[t], Y[t] = z, psi, v, a, y_k
    counted = in_window(model, steps)
    error = np.where(counted[:, None], prediction(model, Y) - target, 0.0)  # (3.7)
    return Trial(x, Z, Psi, V, A, Y, error, loss(model, Y, target))


def in_window(model, steps):
    """Mask (T,) of the steps that count."""
    return np.arange(steps) >= (0 if model.window is None else steps - model.window)


def log_softmax(y):
    y = y - y.max(axis=-1, keepdims=True)
    return y - np.log(np.exp(y).sum(axis=-1, keepdims=True))


def prediction(model, y):
    """What the error compares with the target: y itself, or its softmax. y is (T, n_out)."""
    return y if model.task == "regression" else np.exp(log_softmax(y))


def loss(model, y, target):
    """Loss of one trial (section 4); the loss of a batch is the mean over its trials."""
    counted = in_window(model, len(y))
    if model.task == "regression":
        return 0.5 * np.sum((y - target)[counted] ** 2) / y.shape[1]
    return -np.mean(np.sum(target * log_softmax(y), axis=1)[counted])


def rate_regulariser(model, trial):
    """R_j (n,): the part of the third factor that is known at the end of the trial only."""
    steps = len(trial.z)
    return model.c_reg * (trial.z.sum(axis=0) / steps - model.f_target) / steps


def gradient_online(model, weights, trial):
    """Section 4: eligibility traces per synapse (n, n_pre), carried forward in time. The definition of the rule."""
    alpha, kappa, rho, c = (np.reshape(p, (-1, 1)) for p in (model.alpha, model.kappa, model.rho, model.c))
    beta, kappa_out = np.reshape(model.beta, (-1, 1)), model.kappa
    steps, n = trial.z.shape
    learning_signal = trial.error @ weights["feedback"].T  # (3.8), (T, n)
    q = presynaptic_spikes(weights, trial)
    shape = (n, q.shape[1])
    zbar, eps, ebar, e_sum, G = (np.zeros(shape) for _ in range(5))
    zo, G_out = np.zeros(n), np.zeros_like(weights["out"])
    for t in range(steps):
        zbar = alpha * zbar + c * q[t]
        e = trial.psi[t][:, None] * (zbar - beta * eps)
        eps = rho * eps + e
        ebar = kappa * ebar + (1 - kappa) * e
        G += learning_signal[t][:, None] * ebar
        e_sum += e
        zo = kappa_out * zo + (1 - kappa_out) * trial.z[t]
        G_out += np.outer(trial.error[t], zo)
    G += rate_regulariser(model, trial)[:, None] * e_sum
    return split(model, weights, G, G_out)


def gradient_factored(model, weights, trial):
    """Section 5: the same sums, backward in time on neurons, then one sweep over the spikes. No trace per synapse."""
    alpha, kappa, rho, c = model.alpha, model.kappa, model.rho, model.c
    steps, n = trial.z.shape
    R = rate_regulariser(model, trial)
    Ebar_k, lam, Abar_j = np.zeros(trial.error.shape[1]), np.zeros(n), np.zeros(n)
    Ebar, Abar = np.zeros_like(trial.error), np.zeros((steps, n))
    for t in reversed(range(steps)):
        Ebar_k = kappa * Ebar_k + (1 - kappa) * trial.error[t]
        C = weights["feedback"] @ Ebar_k + R
        D = trial.psi[t] * (C + lam)
        lam = rho * lam - model.beta * D
        Abar_j = alpha * Abar_j + D
        Ebar[t], Abar[t] = Ebar_k, Abar_j
    G = np.reshape(c, (-1, 1)) * (Abar.T @ presynaptic_spikes(weights, trial))
    return split(model, weights, G, Ebar.T @ trial.z)


def presynaptic_spikes(weights, trial):
    """q (T, n_in [+ n]): input spikes act in their step, recurrent spikes one step later."""
    if "rec" not in weights:
        return trial.x
    z_before = np.vstack([np.zeros_like(trial.z[:1]), trial.z[:-1]])
    return np.hstack([trial.x, z_before])


def split(model, weights, G, G_out):
    """The gradient as a dictionary, averaged, without autapses."""
    n_in = weights["in"].shape[1]
    gradient = {"in": G[:, :n_in] / model.average, "out": G_out / model.average}
    if "rec" in weights:
        gradient["rec"] = G[:, n_in:] / model.average
        np.fill_diagonal(gradient["rec"], 0.0)
    return gradient


def batch_mean(gradients):
    """Mean over the trials of a batch."""
    return {name: sum(g[name] for g in gradients) / len(gradients) for name in gradients[0]}


def sgd(weights, gradient, rate):
    """W - eta G. Returns new weights; what has no gradient (the feedback) is kept."""
    return {name: w - rate * gradient[name] if name in gradient else w for name, w in weights.items()}


def adam(weights, gradient, state, rate, b1=0.9, b2=0.999, eps=1e-8):
    """Adam in TensorFlow 1's form (eps outside, second moment uncorrected). state is None at the start.

    Returns new weights and new state.
    """
    n, m, u = state or (0, {k: np.zeros_like(g) for k, g in gradient.items()}, {k: 0 * g for k, g in gradient.items()})
    n += 1
    m = {k: b1 * m[k] + (1 - b1) * g for k, g in gradient.items()}
    u = {k: b2 * u[k] + (1 - b2) * g**2 for k, g in gradient.items()}
    scale = rate * np.sqrt(1 - b2**n) / (1 - b1**n)
    step = {k: m[k] / (np.sqrt(u[k]) + eps) for k in gradient}
    return sgd(weights, step, scale), (n, m, u)
