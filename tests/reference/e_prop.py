"""e-prop (Bellec et al. 2020, Nat. Commun. 11:3625) in plain numpy: the oracle for the library's rule.

It transcribes sections 3-5 of the specification with dt = 1 ms and independent trials. Numbers such as (3.2) in the
comments are that section and step. Weights are [post, pre]; times are in steps. Nothing here imports snnplast.

A network is a dictionary of arrays: ``in`` (n, n_in), ``rec`` (n, n) with zero diagonal or absent, ``out`` (n_out, n),
``direct`` (n_out, n_in) from the input to the readout or absent, and ``feedback`` (n, n_out), the matrix B. A gradient
has the same keys, ``feedback`` only where B is learned.

Beyond the specification: conduction delays d [post, pre] on top of each projection's latency, other surrogate
derivatives, constants that differ between neurons and between readouts, a regulariser of the batch's mean rate,
learned feedback (Kolen & Pollack 1994) and weights of a fixed sign (Dale's principle).
"""

from dataclasses import dataclass, field

import numpy as np

LATENCY = {"in": 0, "rec": 1, "out": 0, "direct": 0}
"""Steps from a spike to its effect where there is no delay."""

SHAPES = {
    "piecewise-linear": lambda u: np.maximum(0.0, 1 - np.abs(u)),
    "exponential": lambda u: np.exp(-np.abs(u)),
    "fast-sigmoid": lambda u: (1 + np.abs(u)) ** -2.0,
    "arctan": lambda u: 1 / (1 + (np.pi * u / 2) ** 2),
    "boxcar": lambda u: np.where(np.abs(u) <= 1, 1.0, 0.0),
}
"""Surrogate derivatives f(u), u = (v - A) / width; psi = gamma f(u)."""


@dataclass(frozen=True)
class Model:
    """Constants of an experiment. Everything called "per neuron" may be a number or an array (n,)."""

    task: str = "regression"  # or "classification"
    window: int | None = None  # last steps of the trial that count in error and loss; None: all
    tau_m: float | np.ndarray = 20.0  # membrane, ms, per neuron
    tau_out: float | np.ndarray = 20.0  # readout, ms, a number or (n_out,)
    tau_a: float | np.ndarray = 2000.0  # threshold adaptation, ms, per neuron
    beta: float | np.ndarray = 0.0  # strength of the adaptation, per neuron; 0 is a LIF neuron
    v_threshold: float | np.ndarray = 0.6  # base threshold vth, per neuron
    refractory: int | np.ndarray = 5  # steps, per neuron; 0: never refractory
    unit_gain: bool = True  # input gain c: 1 if True, 1 - alpha if False
    delays: dict = field(default_factory=dict)  # name of a matrix -> steps, a number or [post, pre]; missing: 0
    surrogate: str = "piecewise-linear"  # one of SHAPES
    height: float = 0.3  # gamma = height / vth
    relative_width: float = 1.0  # width = relative_width * vth
    c_reg: float = 0.0  # firing-rate regulariser
    f_target: float = 0.010  # spikes per step
    rate_of: str = "trial"  # or "batch": the spikes that the regulariser counts
    average: float = 1.0  # every gradient is divided by this (the classification task: 150)

    def __post_init__(self):
        for name, allowed in {
            "task": ("regression", "classification"),
            "surrogate": tuple(SHAPES),
            "rate_of": ("trial", "batch"),
        }.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} {getattr(self, name)!r}: allowed are {allowed}")

    @property
    def alpha(self):
        return np.exp(-1.0 / np.asarray(self.tau_m, float))

    @property
    def kappa(self):
        return np.exp(-1.0 / np.asarray(self.tau_out, float))

    @property
    def rho(self):
        return np.exp(-1.0 / np.asarray(self.tau_a, float))

    @property
    def c(self):
        return np.ones_like(self.alpha) if self.unit_gain else 1 - self.alpha

    def psi(self, distance):
        """Surrogate derivative of v - A (n,), outside refractoriness."""
        vth = np.asarray(self.v_threshold, float)
        return self.height / vth * SHAPES[self.surrogate](distance / (self.relative_width * vth))

    def lag(self, name):
        """Steps from a spike to its effect, an array that broadcasts with [post, pre]."""
        return np.atleast_2d(LATENCY[name] + np.asarray(self.delays.get(name, 0), int))


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
    alpha, kappa, rho, c = model.alpha, model.kappa, model.rho, model.c
    vth = np.asarray(model.v_threshold, float)
    v, a, z, r, y_k = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, int), np.zeros(n_out)
    Z, Psi, V, A, Y = (np.zeros((steps, m)) for m in (n, n, n, n, n_out))
    lags = {name: np.broadcast_to(model.lag(name), w.shape) for name, w in weights.items() if name in LATENCY}
    drive = np.zeros((steps + max(lag.max() for lag in lags.values()), n))  # weighted spikes that act in each step,
    drive_out = np.zeros((len(drive), n_out))  # with room for those that act after the trial, where nobody looks
    for t in range(steps):
        send(drive, t, x[t], weights["in"], lags["in"])
        r = np.maximum(r - 1, 0)  # (3.1)
        v = alpha * v + c * drive[t] - vth * z  # (3.2): z is still z^{t-1}
        a = rho * a + z  # (3.3)
        threshold = vth + np.asarray(model.beta) * a
        psi = np.where(r > 0, 0.0, model.psi(v - threshold))  # (3.4)
        z = ((v >= threshold) & (r == 0)).astype(float)  # (3.5)
        r = np.where(z > 0, model.refractory, r)
        if "rec" in weights:
            send(drive, t, z, weights["rec"], lags["rec"])
        send(drive_out, t, z, weights["out"], lags["out"])
        if "direct" in weights:
            send(drive_out, t, x[t], weights["direct"], lags["direct"])
        y_k = kappa * y_k + (1 - kappa) * drive_out[t]  # (3.6)
        Z[t], Psi[t], V[t], A[t], Y[t] = z, psi, v, a, y_k
    counted = in_window(model, steps)
    error = np.where(counted[:, None], prediction(model, Y) - target, 0.0)  # (3.7)
    return Trial(x, Z, Psi, V, A, Y, error, loss(model, Y, target))


def send(drive, t, spikes, w, lag):
    """Add the weights w_ji of the spikes i (n_pre,) of step t to drive (steps, n_post) in step t + lag_ji."""
    post = np.arange(len(w))
    for i in np.flatnonzero(spikes):
        drive[t + lag[:, i], post] += w[:, i]


def arriving(spikes, t, lag):
    """q^t: the spikes (T, n_pre) that act in step t, one row for every target neuron where their lags differ."""
    sent = t - lag
    return np.where(sent >= 0, spikes[np.maximum(sent, 0), np.arange(spikes.shape[1])], 0.0)


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


def rate_regulariser(model, trial, batch=None):
    """R_j (n,): the part of the third factor that is known at the end of the trial only.

    The rate is that of the trial, or the mean over the trials of the batch, then R_j is the same for all of them.
    """
    counted = [trial] if model.rate_of == "trial" or batch is None else batch
    rate = np.mean([each.z.sum(axis=0) / len(each.z) for each in counted], axis=0)
    return model.c_reg * (rate - model.f_target) / len(trial.z)


def gradient_online(model, weights, trial, batch=None):
    """Section 4: eligibility traces per synapse (n, n_pre), carried forward in time. The definition of the rule.

    Where the readouts have a time constant each, every synapse has a filtered trace for each of them. batch: the
    trials whose rate the regulariser counts if it is the batch's.
    """
    R = rate_regulariser(model, trial, batch)[:, None]
    kappa = np.reshape(model.kappa, (-1, 1))
    gradient = {}
    for name, spikes in presynaptic(weights, trial, "in", "rec"):
        ebar_sum, e_sum = eligibility(model, weights, trial, spikes, model.lag(name))
        gradient[name] = ebar_sum + R * e_sum
    for name, spikes in presynaptic(weights, trial, "out", "direct"):
        zo, gradient[name] = 0.0, np.zeros_like(weights[name])
        for t, error in enumerate(trial.error):
            zo = kappa * zo + (1 - kappa) * arriving(spikes, t, model.lag(name))
            gradient[name] += error[:, None] * zo
    return finished(model, gradient)


def presynaptic(weights, trial, *names):
    """Those of the named matrices that exist, each with the spikes (T, n_pre) of its source."""
    return [(name, trial.x if name in ("in", "direct") else trial.z) for name in names if name in weights]


def eligibility(model, weights, trial, spikes, lag):
    """sum_t L_j^t ebar_ji^t and sum_t e_ji^t, (n, n_pre) each, of the synapses that carry these spikes (T, n_pre)."""
    alpha, rho, c, beta = (np.reshape(p, (-1, 1)) for p in (model.alpha, model.rho, model.c, model.beta))
    kappa = np.reshape(model.kappa, (-1, 1, 1))
    B = weights["feedback"].T[:, :, None]  # (n_out, n, 1)
    shape = (trial.z.shape[1], spikes.shape[1])
    zbar, eps, e_sum, G = (np.zeros(shape) for _ in range(4))
    ebar = np.zeros((len(kappa), *shape))
    for t, error in enumerate(trial.error):
        zbar = alpha * zbar + c * arriving(spikes, t, lag)
        e = trial.psi[t][:, None] * (zbar - beta * eps)
        eps = rho * eps + e
        ebar = kappa * ebar + (1 - kappa) * e
        L = B * error[:, None, None]  # (3.8), one summand per readout
        if len(kappa) == 1:  # one filter for all readouts: their sum first, it is faster
            L = L.sum(axis=0, keepdims=True)
        G += (L * ebar).sum(axis=0)
        e_sum += e
    return G, e_sum


def gradient_factored(model, weights, trial, batch=None):
    """Section 5: the same sums, backward in time on neurons, then one sweep over the spikes. No trace per synapse."""
    alpha, kappa, rho, c = model.alpha, model.kappa, model.rho, model.c
    steps, n = trial.z.shape
    R = rate_regulariser(model, trial, batch)
    Ebar_k, lam, Abar_j = np.zeros(trial.error.shape[1]), np.zeros(n), np.zeros(n)
    Ebar, Abar = np.zeros_like(trial.error), np.zeros((steps, n))
    for t in reversed(range(steps)):
        Ebar_k = kappa * Ebar_k + (1 - kappa) * trial.error[t]
        C = weights["feedback"] @ Ebar_k + R
        D = trial.psi[t] * (C + lam)
        lam = rho * lam - model.beta * D
        Abar_j = alpha * Abar_j + D
        Ebar[t], Abar[t] = Ebar_k, Abar_j
    hidden, readouts = presynaptic(weights, trial, "in", "rec"), presynaptic(weights, trial, "out", "direct")
    gradient = {name: sweep(c * Abar, spikes, model.lag(name)) for name, spikes in hidden}
    gradient |= {name: sweep(Ebar, spikes, model.lag(name)) for name, spikes in readouts}
    return finished(model, gradient)


def sweep(values, spikes, lag):
    """G_ji: the sum of values_j^{s + lag_ji} over the spikes (i, s) that act within the trial."""
    n = values.shape[1]
    G, post = np.zeros((n, spikes.shape[1])), np.arange(n)
    lag = np.broadcast_to(lag, G.shape)
    values = np.vstack([values, np.zeros((lag.max(), n))])  # after the trial nothing acts
    for s, i in zip(*np.nonzero(spikes), strict=True):
        G[:, i] += values[s + lag[:, i], post]
    return G


def finished(model, gradient):
    """The gradient averaged over the steps that are asked for, without autapses."""
    if "rec" in gradient:
        np.fill_diagonal(gradient["rec"], 0.0)
    return {name: g / model.average for name, g in gradient.items()}


def batch_mean(gradients):
    """Mean over the trials of a batch."""
    return {name: np.mean([g[name] for g in gradients], axis=0) for name in gradients[0]}


def batch_gradient(model, weights, trials, gradient=gradient_factored):
    """The gradient of one update: the mean over its trials."""
    return batch_mean([gradient(model, weights, trial, trials) for trial in trials])


def with_feedback(gradient, weights, decay=0.0):
    """The same gradient where the feedback learns, too: dB is that of the readout, transposed, and B decays."""
    return {**gradient, "feedback": gradient["out"].T + decay * weights["feedback"]}


def signed(weights, signs):
    """Weights without those of the wrong sign: signs is name -> +1 or -1 per source neuron (n_pre,)."""
    return {name: np.where(w * signs[name] > 0, w, 0.0) if name in signs else w for name, w in weights.items()}


def sgd(weights, gradient, rate):
    """W - eta G. Returns new weights; what has no gradient (fixed feedback) is kept."""
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
