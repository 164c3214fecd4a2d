"""Class-gated reservoirs of LIF neurons (section 4 C of the specification), step by step in plain numpy.

Every neuron belongs to the pool of one class. Where its pool is open (gate 1) it integrates and its trace of spikes
r decays to -1; each spike adds 1 / (tau_trace f_0) to r, f_0 being the firing rate at rest. Where it is closed nothing
of it changes, and what arrives is lost.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reservoir:
    """w_in, w_rec [post, pre]; pool (R,) class of a neuron; times in steps."""

    w_in: np.ndarray
    w_rec: np.ndarray
    pool: np.ndarray
    bias: float
    tau_m: float
    tau_trace: float

    @property
    def jump(self):
        rate_at_rest = 1 / (self.tau_m * np.log(self.bias / (self.bias - 1)))
        return 1 / (self.tau_trace * rate_at_rest)


@dataclass
class State:
    """v and r (R,), and which neurons spiked in the step before."""

    v: np.ndarray
    r: np.ndarray
    spiked: np.ndarray


def rest(res):
    return State(*np.zeros((3, len(res.pool))))


def step(res, state, gate, drive, arriving):
    """One step. drive: current (R,); arriving: what spikes before add to v (R,). Returns the spikes (R,)."""
    towards = res.bias + drive
    v = towards + (state.v - towards) * np.exp(-1 / res.tau_m)
    r = -1 + (state.r + 1) * np.exp(-1 / res.tau_trace)
    state.v = np.where(gate > 0, v, state.v) + gate * arriving
    state.r = np.where(gate > 0, r, state.r)
    state.spiked = (state.v >= 1).astype(float)
    state.v = np.where(state.spiked > 0, 0.0, state.v)
    state.r = state.r + res.jump * state.spiked
    return state.spiked


def work(res, state, y, z, steps):
    """A sample is taken up after it was read: its z is a constant current. Returns the spikes (steps, R)."""
    gate, spikes = y[res.pool], []
    state.spiked = np.zeros(len(res.pool))
    for _ in range(steps):
        spikes.append(step(res, state, gate, res.w_in @ z, res.w_rec @ state.spiked))
    return np.array(spikes)


def listen(res, state, y, layer):
    """A sample is taken up while it is shown: the layer's spikes (T, D) arrive a step later. Returns spikes (T, R)."""
    gate, before, spikes = y[res.pool], np.zeros(layer.shape[1]), []
    state.spiked = np.zeros(len(res.pool))
    for now in layer:
        spikes.append(step(res, state, gate, 0.0, res.w_in @ before + res.w_rec @ state.spiked))
        before = now
    return np.array(spikes)
