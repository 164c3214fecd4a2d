r"""The published rate setting of the information-bottleneck Hebbian rule: leaky integrators that learn linear and xor.

    python benchmarks/rate_reproduction.py [--tasks linear xor] [--rules none exact reference] [--seeds 0 1 2]

After Daruwalla & Lipasti (2024), Front. Comput. Neurosci. 18:1240348, and the code the authors published with it. Plain
numpy, no part of the library: it shows what the rule does in its original setting, so that results with spikes can be
told from results of the rule. The last N samples are simulated side by side by N replicas of the network that share the
current weights, 20 steps of dt = 1 ms; then the window moves on by one sample. In every step of every layer

    u  <- u + dt/tau (W x + b - u)                  x: input, or z of the layer below
    z   = LayerNorm(ReLU(u)), in the readout z = u
    xi  = 1/(sigma_z^2 D) sum_j c_j k_z(N, j) (z_N - z_j)                        one number per neuron; N: the newest
    g   = xi_i dz_N,i / dw  = dt/tau x_N ReLU'(u_N) J xi                         J: Jacobian of LayerNorm
    dw  = -lr AdamW(g)

k_a(i, j) = exp(-|a_i - a_j|^2 / (2 sigma_a^2 dim a)). The rules differ in c_j, a function of inputs x and classes y:

    exact       g is the derivative of HSIC(X, Z) - gamma HSIC(Y, Z)
                c_j = -2 (H K H)_Nj / (N-1)^2,  K = k_x - gamma k_y,  H = I - 1/N
    reference   what the published code computes: the trace of an elementwise product, where the derivative has the
                trace of a matrix product, so that inputs and classes of two samples are never compared
                c_j = 2 (d_j + d_N) / (N (N-1)^2),  d_j = (H K)_jj
    none        hidden layers stay as drawn

The readout descends the softmax cross-entropy, averaged over the window, in all three. Not as published: 12 epochs
instead of 25; N and learning rate of linear for xor too; every seed draws its own data, where the authors train 30
networks on one data set.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

STEPS = 20  # of 1 ms, per window
LEAK = 1 / 5  # dt / tau
TRAINING = 900  # samples of 1000
Array = np.ndarray  # in a network: (M, neurons, N), M networks, one per seed; newest sample last


def linear(rng: np.random.Generator) -> tuple[Array, Array]:
    """Points of the square [-1, 1]^2 on two sides of a random line through 0: x (1000, 2), class (1000,)."""
    x = rng.uniform(-1, 1, (1000, 2))
    return x, (x @ rng.normal(size=2) > 0).astype(int)


def xor(rng: np.random.Generator) -> tuple[Array, Array]:
    """The corners of the unit square with Gaussian noise of 0.1: x (1000, 2), class (1000,)."""
    corner = rng.integers(2, size=(1000, 2))
    return corner + 0.1 * rng.normal(size=corner.shape), corner[:, 0] ^ corner[:, 1]


@dataclass(frozen=True)
class Task:
    """sizes: neurons of every layer, from the input; sigma: kernel widths, as published."""

    draw: Callable[[np.random.Generator], tuple[Array, Array]]
    sizes: tuple[int, ...]
    sigma_x: float = 0.5
    sigma_y: float = 0.25
    sigma_z: float = 1.0


TASKS = {"linear": Task(linear, (2, 4, 2)), "xor": Task(xor, (2, 10, 4, 2), sigma_y=0.5, sigma_z=2.0)}


def kernel(a: Array, sigma: float) -> Array:
    """k(i, j): a is (M, dim, N), the result (M, N, N)."""
    distance = np.sum((a[..., None] - a[:, :, None]) ** 2, axis=1)
    return np.exp(-distance / (2 * sigma**2 * a.shape[1]))


def exact(K: Array) -> Array:
    """c (M, N) of the exact gradient; K = k_x - gamma k_y (M, N, N)."""
    mean = K.mean(axis=-1)
    return -2 * (K[:, -1] - mean[:, -1:] - mean + mean.mean(axis=-1, keepdims=True)) / (K.shape[-1] - 1) ** 2


def reference(K: Array) -> Array:
    """c (M, N) of the published code."""
    n = K.shape[-1]
    d = np.diagonal(K, axis1=1, axis2=2) - K.mean(axis=-1)
    return 2 * (d + d[:, -1:]) / (n * (n - 1) ** 2)


RULES = {"none": None, "exact": exact, "reference": reference}


def mean(a: Array) -> Array:
    """Mean over the neurons of a layer, (M, 1, ...)."""
    return a.sum(axis=1, keepdims=True) / a.shape[1]


def third_factor(c: Array, z: Array, sigma_z: float) -> Array:
    """xi (M, D, 1) of the newest sample; z is (M, D, N)."""
    difference, scale = z[..., -1:] - z, sigma_z**2 * z.shape[1]
    k = np.exp(np.sum(difference**2, axis=1) / (-2 * scale))
    return difference @ (c * k / scale)[..., None]


def softmax(o: Array) -> Array:
    e = np.exp(o - o.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Layers:
    """One vector of numbers per network, values (M, P), and its parts by layer: w[l] (M, D, n_pre), b[l] (M, D, 1)."""

    def __init__(self, networks: int, sizes: tuple[int, ...]) -> None:
        counts = [(pre + 1) * post for pre, post in pairwise(sizes)]
        self.readout = sum(counts[:-1])  # where its numbers start
        self.values = np.zeros((networks, sum(counts)))
        parts = np.split(self.values, np.cumsum(counts)[:-1], axis=1)
        layers = [part.reshape(networks, post, -1) for part, post in zip(parts, sizes[1:], strict=True)]
        self.w, self.b = [layer[..., :-1] for layer in layers], [layer[..., -1:] for layer in layers]


def initial(sizes: tuple[int, ...], rngs: list[np.random.Generator]) -> Layers:
    """Weights: normal, cut at two standard deviations, variance 1 / n_pre. Biases: 0."""
    parameters = Layers(len(rngs), sizes)
    for w in parameters.w:
        for m, rng in enumerate(rngs):
            drawn = rng.normal(size=(20, *w[m].shape))
            first = np.argmax(np.abs(drawn) < 2, axis=0, keepdims=True)
            w[m] = np.take_along_axis(drawn, first, axis=0)[0] / (0.8796 * np.sqrt(w.shape[-1]))
    return parameters


@dataclass
class AdamW:
    """Adam with decoupled weight decay on `values`, changed in place."""

    values: Array
    rate: float = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.99
    decay: float = 1e-4

    def __post_init__(self) -> None:
        self.mean, self.square, self.updates = np.zeros_like(self.values), np.zeros_like(self.values), 0

    def update(self, gradient: Array) -> None:
        self.updates += 1
        self.mean += (1 - self.beta_1) * (gradient - self.mean)
        self.square += (1 - self.beta_2) * (gradient**2 - self.square)
        mean, square = self.mean / (1 - self.beta_1**self.updates), self.square / (1 - self.beta_2**self.updates)
        self.values -= self.rate * (mean / (np.sqrt(square) + 1e-8) + self.decay * self.values)


def rest(sizes: tuple[int, ...], networks: int, replicas: int) -> list[Array]:
    return [np.zeros((networks, size, replicas)) for size in sizes[1:]]


def step(parameters: Layers, x: Array, u: list[Array]) -> tuple[list[Array], list[Array]]:
    """One step of every layer and replica; u changes in place. Returns [x, z_1, ...] and the LayerNorm divisors."""
    z, divisors = [x], []
    for w, b, v in zip(parameters.w, parameters.b, u, strict=True):
        v += LEAK * (w @ z[-1] + b - v)
        if v is u[-1]:
            break
        r = np.maximum(v, 0)
        centred = r - mean(r)
        divisor = np.sqrt(mean(centred**2) + 1e-6)
        z.append(centred / divisor)
        divisors.append(divisor)
    return z, divisors


def hidden_gradient(xi: Array, z: Array, divisor: Array, u: Array) -> Array:
    """LEAK ReLU'(u) J xi, (M, D, 1): what meets the newest x in every weight of a layer."""
    return LEAK * (u > 0) * (xi - mean(xi) - z * mean(xi * z)) / divisor


def learn(
    task: Task, parameters: Layers, gradient: Layers, c: Array | None, x: Array, y: Array, u: list[Array]
) -> None:
    """One step of the window x (M, 2, N), y (M, 2, N), and the gradient of all layers."""
    z, divisors = step(parameters, x, u)
    error = LEAK * (softmax(u[-1]) - y) / y.shape[-1]
    gradient.w[-1][:] = error @ z[-1].transpose(0, 2, 1)
    gradient.b[-1][:] = error.sum(axis=-1, keepdims=True)
    if c is None:
        return
    for layer, divisor in enumerate(divisors):
        pre, post = z[layer][..., -1:], z[layer + 1]
        xi = third_factor(c, post, task.sigma_z)
        delta = hidden_gradient(xi, post[..., -1:], divisor[..., -1:], u[layer][..., -1:])
        gradient.w[layer][:] = delta * pre.transpose(0, 2, 1)
        gradient.b[layer][:] = delta


def accuracy(task: Task, parameters: Layers, x: Array, label: Array) -> Array:
    """Share of samples (M,) whose class the readout finds, by its mean over the second half of the steps from rest."""
    u, total = rest(task.sizes, len(x), x.shape[-1]), 0
    for t in range(STEPS):
        step(parameters, x, u)
        total = total + (t >= STEPS // 2) * u[-1]
    return np.mean(total.argmax(axis=1) == label, axis=-1)


def train(task: Task, rule: str, arguments: argparse.Namespace) -> tuple[Array, float]:
    """Test accuracy of every seed, and CPU seconds per window."""
    rngs, n = [np.random.default_rng(seed) for seed in arguments.seeds], arguments.window
    x, label = (np.array(data) for data in zip(*map(task.draw, rngs), strict=True))
    x, y = x.transpose(0, 2, 1), (label[:, None] == np.arange(2)[:, None]).astype(float)
    parameters, gradient = initial(task.sizes, rngs), Layers(len(rngs), task.sizes)
    trained = slice(parameters.readout if RULES[rule] is None else 0, None)
    optimizer, u = AdamW(parameters.values[:, trained]), rest(task.sizes, len(rngs), n)
    started = time.process_time()
    for _ in range(arguments.epochs):
        order = np.array([rng.permutation(TRAINING) for rng in rngs])
        for first in range(TRAINING - n + 1):
            shown = order[:, None, first : first + n]
            X, Y = np.take_along_axis(x, shown, axis=-1), np.take_along_axis(y, shown, axis=-1)
            K = kernel(X, task.sigma_x) - arguments.gamma * kernel(Y, task.sigma_y)
            c = RULES[rule](K) if RULES[rule] else None
            for _ in range(STEPS):
                learn(task, parameters, gradient, c, X, Y, u)
                optimizer.update(gradient.values[:, trained])
    seconds = (time.process_time() - started) / (arguments.epochs * (TRAINING - n + 1))
    return accuracy(task, parameters, x[..., TRAINING:], label[:, TRAINING:]), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--rules", nargs="+", choices=list(RULES), default=list(RULES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--window", type=int, default=64, help="N")
    parser.add_argument("--gamma", type=float, default=10.0)
    arguments = parser.parse_args()
    print(f"test accuracy, seeds {arguments.seeds}: mean +- standard deviation; CPU ms per window, all seeds together")
    print(f"{'':12}" + "".join(f"{f'{name} {list(TASKS[name].sizes)}':>28}" for name in arguments.tasks))
    for rule in arguments.rules:
        print(f"{rule:12}", end="", flush=True)
        for task in arguments.tasks:
            found, seconds = train(TASKS[task], rule, arguments)
            cell = f"{found.mean():.3f} +- {found.std():.3f} {1e3 * seconds:7.2f} ms"
            print(f"{cell:>28}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
