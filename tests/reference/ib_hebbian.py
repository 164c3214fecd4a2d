"""The IB-Hebbian (HSIC) rule of Daruwalla & Lipasti (2024) in plain numpy: the oracle for the library's rule.

It transcribes sections 1-3 of the specification with dt = 1 ms. A window holds the last N samples, the newest in the
last row: X (N, dim) inputs, Y (N, C) one-hot classes, Z (N, D) representations. Weights are [post, pre]. Nothing here
imports snnplast.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

# Section 1: the objective and its exact derivative


@dataclass(frozen=True)
class Objective:
    """J = HSIC(X, Z) - gamma HSIC(Y, Z) over a window of N samples."""

    window: int = 32
    gamma: float = 10.0
    sigma_x: float = 0.5
    sigma_y: float = 0.25
    sigma_z: float = 1.0


def kernel(A, sigma):
    """k(i, j) = exp(-|a_i - a_j|^2 / (2 sigma^2 dim)). A is (..., N, dim), the result (..., N, N)."""
    distance = np.sum((A[..., :, None, :] - A[..., None, :, :]) ** 2, axis=-1)
    return np.exp(-distance / (2 * sigma**2 * A.shape[-1]))


def double_centred(K):
    """H K H with H = I - 1/N."""
    mean = K.mean(axis=-1, keepdims=True)
    return K - mean - np.swapaxes(mean, -1, -2) + mean.mean(axis=-2, keepdims=True)


def objective(o, X, Y, Z):
    """J of the window, a number: what the exact xi is the derivative of."""
    N = Z.shape[-2]
    K = double_centred(kernel(X, o.sigma_x)) - o.gamma * double_centred(kernel(Y, o.sigma_y))
    return np.sum(K * kernel(Z, o.sigma_z), axis=(-2, -1)) / (N - 1) ** 2


def xi_exact(o, X, Y, Z):
    """dJ / dz of the newest sample, (..., D)."""
    N, D = Z.shape[-2:]
    K = double_centred(kernel(X, o.sigma_x)) - o.gamma * double_centred(kernel(Y, o.sigma_y))
    A = K[..., -1, :]
    difference = Z[..., -1:, :] - Z
    k_z = np.exp(-np.sum(difference**2, axis=-1) / (2 * o.sigma_z**2 * D))
    return -2 / (o.sigma_z**2 * D * (N - 1) ** 2) * np.einsum("...j,...jd->...d", A * k_z, difference)


def xi_reference(o, X, Y, Z):
    """Section 2: what the public reference code computes. It is the exact xi for N = 2 only."""
    N, D = Z.shape[-2:]
    d = 1 - kernel(X, o.sigma_x).mean(axis=-1) - o.gamma * (1 - kernel(Y, o.sigma_y).mean(axis=-1))
    difference = Z[..., -1:, :] - Z
    k_z = np.exp(-np.sum(difference**2, axis=-1) / (2 * o.sigma_z**2 * D))
    weight = (d + d[..., -1:]) * 2 * k_z / (o.sigma_z**2 * D)  # the newest has difference 0
    return np.einsum("...j,...jd->...d", weight, difference) / (N * (N - 1) ** 2)


# Section 3: the spiking harness


@dataclass(frozen=True)
class Model:
    """Constants of an experiment; times in ms, rates in Hz."""

    objective: Objective = Objective()
    steps: int = 100  # T, duration of a sample
    rate_max: float = 200.0
    tau_m: float = 20.0
    theta: float = 1.0
    eta: float = 1e-2
    eta_out: float = 2e-2
    target_rate: float = 50.0
    homeostasis: float = 2e-6
    clip: float = 5.0
    gain_memory: float = 0.99
    gain: float = 1.5  # g0, scale of the initial weights
    delay: int = 1  # steps from one hidden layer to the next; input acts in its own step

    @property
    def alpha(self):
        return np.exp(-1.0 / self.tau_m)


@dataclass
class Layer:
    """w (D, n_pre), bias b (D,), and the running mean square of xi that the gain control divides by."""

    w: np.ndarray
    b: np.ndarray
    mean_square: float | None = None


@dataclass
class Network:
    """Hidden layers, and a readout V (D, C), c (C,) on the representation of the last one."""

    layers: list[Layer]
    V: np.ndarray
    c: np.ndarray


def network(model, sizes, rng):
    """sizes = [n_in, D_1, ..., D_L, C]. Weights N(0, (g0 / sqrt(n_pre))^2), the rest zero."""
    layers = [
        Layer(rng.normal(0, model.gain / np.sqrt(n_pre), (D, n_pre)), np.zeros(D)) for n_pre, D in pairwise(sizes[:-1])
    ]
    return Network(layers, np.zeros((sizes[-2], sizes[-1])), np.zeros(sizes[-1]))


def poisson(model, u, rng):
    """Input spikes (T, n_in) at rate_max * u, u (n_in,) in [0, 1]."""
    return (rng.random((model.steps, len(u))) < model.rate_max * u * 1e-3).astype(float)


@dataclass(frozen=True)
class Activity:
    """One layer in one sample: spikes, psi (T, D); rate r (Hz), representation z (D,).

    eligibility: E (D, n_pre) = sum_t psi_i e_ij; e_ij decays, takes the spikes of j, and is 0 where i is at its floor.
    """

    spikes: np.ndarray
    psi: np.ndarray
    eligibility: np.ndarray
    r: np.ndarray = field(init=False)
    z: np.ndarray = field(init=False)

    def __post_init__(self):
        r = self.spikes.mean(axis=0) * 1e3
        object.__setattr__(self, "r", r)
        object.__setattr__(self, "z", (r - r.mean()) / np.sqrt(r.var() + 1))


def present(model, net, spikes):
    """Run one sample from rest. spikes is (T, n_in); returns the Activity of every hidden layer."""
    activities, arriving = [], spikes
    for layer in net.layers:
        activity = simulate(model, layer, arriving)
        activities.append(activity)
        arriving = np.zeros_like(activity.spikes)
        arriving[model.delay :] = activity.spikes[: model.steps - model.delay]
    return activities


def simulate(model, layer, arriving):
    """LIF with soft reset, floor and no refractoriness. arriving is (T, n_pre), spikes in the step they act."""
    alpha, theta = model.alpha, model.theta
    drive = arriving @ layer.w.T + layer.b
    v, spikes, psi = np.zeros(len(layer.b)), np.zeros_like(drive), np.zeros_like(drive)
    trace, eligibility = np.zeros(layer.w.shape), np.zeros(layer.w.shape)
    for t in range(model.steps):
        free = alpha * v + drive[t] > -2 * theta  # at the floor, v forgets its input
        v = np.maximum(alpha * v + drive[t], -2 * theta)
        trace = np.where(free[:, None], alpha * trace + arriving[t], 0.0)
        psi[t] = np.maximum(0.0, 1 - np.abs(v - theta) / theta)  # v before the reset
        eligibility += psi[t][:, None] * trace
        spikes[t] = v >= theta
        v = v - theta * spikes[t]
    return Activity(spikes, psi, eligibility)


class Memory:
    """The third factor computed from a window of samples as they were when presented: one per layer."""

    def __init__(self, o, xi=xi_exact):
        self.o, self.xi, self.samples = o, xi, deque(maxlen=o.window)

    def __call__(self, x, y, z):
        """Remember (x, y, z) and return xi (D,), or None until the window is full."""
        self.samples.append((x, y, z))
        if len(self.samples) < self.o.window:
            return None
        return self.xi(self.o, *(np.array(a) for a in zip(*self.samples, strict=True)))


def modulate(model, layer, xi, z):
    """LayerNorm Jacobian, gain control, clip: the third factor as the synapses of the layer see it. Updates layer."""
    xi = xi - xi.mean() - z * np.mean(xi * z)
    m = np.mean(xi**2)
    layer.mean_square = m if layer.mean_square is None else lerp(m, layer.mean_square, model.gain_memory)
    if layer.mean_square > 0:
        xi = xi / np.sqrt(layer.mean_square)
    return np.clip(xi, -model.clip, model.clip)


def lerp(new, old, memory):
    return memory * old + (1 - memory) * new


def softmax(o):
    e = np.exp(o - o.max())
    return e / e.sum()


def predict(net, activities):
    """Class probabilities (C,)."""
    return softmax(activities[-1].z @ net.V + net.c)


def learn(model, net, third_factors, x, y, spikes, decay=1.0):
    """One training sample; updates net and the memories in place, and returns what happened.

    x (dim,) is what the kernel of the input sees, y (C,) one-hot; third_factors has one callable (x, y, z) -> xi or
    None per layer. decay multiplies both learning rates. Every layer learns from its own xi; the readout always.
    """
    activities = present(model, net, spikes)
    error = predict(net, activities) - y
    for layer, activity, third_factor in zip(net.layers, activities, third_factors, strict=True):
        xi = third_factor(x, y, activity.z)
        if xi is not None:
            signal = modulate(model, layer, xi, activity.z)
            layer.w -= decay * model.eta / model.steps * signal[:, None] * activity.eligibility
        layer.b += model.homeostasis * (model.target_rate - activity.r)
    net.V -= decay * model.eta_out * np.outer(activities[-1].z, error)
    net.c -= decay * model.eta_out * error
    return activities, error


def train(model, net, third_factors, samples, epochs, rng):
    """Sequential training; both learning rates fall linearly to a tenth. Yields after every epoch."""
    for epoch in range(epochs):
        decay = 1 - 0.9 * epoch / max(1, epochs - 1)
        for n in rng.permutation(len(samples.y)):
            spikes = poisson(model, samples.u[n], rng)
            learn(model, net, third_factors, samples.x[n], samples.y[n], spikes, decay)
        yield epoch


def accuracy(model, net, samples, rng):
    """Share of the samples whose class the readout finds, weights frozen, spikes drawn afresh."""
    found = [predict(net, present(model, net, poisson(model, u, rng))).argmax() for u in samples.u]
    return np.mean(found == samples.y.argmax(axis=1))
