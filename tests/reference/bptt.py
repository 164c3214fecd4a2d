"""The derivative of a trial's loss by anything, spikes included, in plain numpy: the oracle of surrogate gradients.

A trial is run as it is, and what each neuron was is kept: spikes z, distances d, surrogate derivatives psi. Then it is
run again with something changed a little, as a smooth network that is the same network where nothing is changed:

    z = z_kept + psi_kept (d - d_kept)        resets, refractoriness: where and when they were kept;
    h <- R(h) where a neuron had spiked,  h <- h + k (z - z_kept)

with R of `reference.neurons` and k = R(h) - h, or its k, without what a spike does to the membrane. All of it is
analytic, so that a complex step is the derivative to all digits.
Nothing here imports snnplast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from reference.neurons import Neuron, jacobian

TINY = 1e-30


@dataclass
class LIF(Neuron):
    """LIF or ALIF in ms: v' = exp(-dt/tau) v, less theta e^(dt/tau) at a spike; threshold theta + beta a."""

    tau: float | np.ndarray = 20.0
    theta: float | np.ndarray = 0.6
    beta: float | np.ndarray = 0.0
    tau_a: float = 60.0
    refractory: int = 2
    states = ("v", "a")

    @property
    def scale(self):
        return np.real(self.theta)

    def flow(self, h):
        decays = np.exp(-self.dt / np.asarray(self.tau)), np.exp(-self.dt / self.tau_a)
        v, a = h
        return np.array([decays[0] * v, decays[1] * a]), jacobian(2, h, {})

    def distance(self, h):
        return h[0] - self.theta - self.beta * h[1]

    def reset(self, h):
        v, a = h
        jump = np.exp(self.dt / self.tau_a)
        k = np.array([0 * v, jump + 0 * a])
        return np.array([v - self.theta * np.exp(self.dt / np.asarray(self.tau)), a + jump]), np.eye(2), k


@dataclass
class Synapses:
    """A projection. weights: (n_pre, n). delay: steps, a number or (n_pre, n), beside the latency."""

    source: str
    target: str
    weights: np.ndarray
    into: str = "v"
    delay: int | np.ndarray = 0


@dataclass
class Kept:
    """What the neurons of a population were, (T, n) each."""

    z: np.ndarray
    d: np.ndarray
    psi: np.ndarray
    free: np.ndarray


@dataclass
class Model:
    """neurons: population -> (kind, n). inputs: source -> spikes (T, n). kappa, target (T, k): of a leaky readout.

    offset: of the variance in a layer normalisation, where the readout hears rates of `represented` once per trial and
    its loss is a cross-entropy with the target (k,).
    pull: population -> (n,), what each of its spikes adds to the loss.
    """

    neurons: Mapping[str, tuple[Neuron, int]]
    inputs: Mapping[str, np.ndarray]
    synapses: Mapping[str, Synapses]
    target: np.ndarray
    kappa: float = 0.9
    represented: str = ""
    offset: float = 1.0
    pull: Mapping[str, np.ndarray] = field(default_factory=dict)
    through_reset: bool = True
    kept: dict[str, Kept] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return len(next(iter(self.inputs.values())))

    def run(self) -> complex:
        """The loss. The first run keeps what neurons are; later ones are smooth around it."""
        kept, smooth = self.kept, bool(self.kept)
        h = {name: neuron.start(n).astype(complex) for name, (neuron, n) in self.neurons.items()}
        last = {name: np.full(n, -(10**9)) for name, (_, n) in self.neurons.items()}
        spikes = dict(self.inputs) | {n: np.zeros((self.steps, size), complex) for n, (_, size) in self.neurons.items()}
        if not smooth:
            for name, (_, n) in self.neurons.items():
                kept[name] = Kept(*(np.zeros((self.steps, n)) for _ in range(4)))
        y, loss = np.zeros(self.target.shape[-1], complex), 0.0
        for t in range(self.steps):
            now = {}
            for name, (neuron, _) in self.neurons.items():
                own = kept[name]
                free = own.free[t] > 0 if smooth else t - last[name] >= neuron.refractory
                moved, _ = neuron.flow(h[name])
                flagged = [state in neuron.flagged for state in neuron.states]
                moved = np.where(np.array(flagged)[:, None] & ~free, h[name], moved)
                for p in self.synapses.values():
                    if p.target == name:
                        gate = free if p.into in neuron.flagged else True
                        moved[neuron.states.index(p.into)] += (
                            np.sum(p.weights * arrivals(p, spikes, t, 1), axis=0) * gate
                        )
                d = neuron.distance(moved)
                if not smooth:
                    psi = 0.3 / neuron.scale * np.maximum(0, 1 - np.abs(d.real / neuron.scale)) * free
                    own.z[t], own.d[t], own.psi[t], own.free[t] = neuron.fires(moved.real) & free, d.real, psi, free
                    last[name] = np.where(own.z[t] > 0, t, last[name])
                z = own.z[t] + own.psi[t] * (d - own.d[t])
                after, _, k = neuron.reset(moved)
                k = after - moved if self.through_reset else k
                h[name] = np.where(own.z[t] > 0, after, moved) + k * (z - own.z[t])
                now[name] = z
            for name, z in now.items():
                spikes[name][t] = z
                loss = loss + np.sum(self.pull.get(name, 0.0) * z)
            if not self.represented:
                heard = [
                    np.sum(p.weights * arrivals(p, spikes, t, 0), 0) for p in self.synapses.values() if p.target == "y"
                ]
                y = self.kappa * y + (1 - self.kappa) * np.sum(heard, axis=0)
                loss = loss + 0.5 * np.sum((y - self.target[t]) ** 2)
        return loss + (self._of_rates(spikes) if self.represented else 0.0)

    def _of_rates(self, spikes) -> complex:
        rates = spikes[self.represented].sum(axis=0) / (self.steps * 1e-3)
        z = (rates - rates.mean()) / np.sqrt(np.mean((rates - rates.mean()) ** 2) + self.offset)
        (weights,) = (p.weights for p in self.synapses.values() if p.target == "y")
        y = z @ weights
        return np.log(np.sum(np.exp(y))) - y @ self.target

    def derivative(self, values: np.ndarray, entries: Sequence[tuple[int, ...]]) -> np.ndarray:
        """By some entries of an array that the model is made of, complex, which is as it was afterwards."""
        found = np.zeros(len(entries))
        for k, at in enumerate(entries):
            before = values[at]
            values[at] = before + 1j * TINY
            found[k] = self.run().imag / TINY
            values[at] = before
        return found


def arrivals(p: Synapses, spikes: Mapping[str, np.ndarray], t: int, latency: int) -> np.ndarray:
    """What arrives in step t at each synapse, (n_pre, n). latency: of neurons' spikes."""
    late = 0 if p.source.startswith("input") else latency
    when = t - late - np.broadcast_to(p.delay, p.weights.shape)
    seen = spikes[p.source][np.maximum(when, 0), np.arange(len(p.weights))[:, None]]
    return np.where(when >= 0, seen, 0)
