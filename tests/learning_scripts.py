"""A plain Brian2 script that learns, and the same network described."""

from __future__ import annotations

from dataclasses import dataclass, field

import brian2 as b2
import numpy as np

import snnplast
from snnplast import (
    LIF,
    ExplicitPairs,
    LeakyReadout,
    Network,
    Segment,
    SpikeSource,
    Task,
)

MS = b2.ms
N_IN, N, N_OUT, STEPS, TRIALS, BATCH = 6, 8, 2, 40, 4, 2
ALPHA, KAPPA = np.exp(-1 / 20), np.exp(-1 / 15)


@dataclass
class Given:
    """Weights, delays (steps), spikes and targets of both sides; weights as matrices of the script's units."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(4))

    def __post_init__(self) -> None:
        rng = self.rng
        self.w_in, self.w_rec, self.w_out = (
            rng.normal(0.35, 0.3, (N_IN, N)),
            rng.normal(0, 0.3, (N, N)),
            rng.normal(0, 1, (N, N_OUT)),
        )
        pre, post = np.nonzero(~np.eye(N, dtype=bool))
        self.rec = pre, post
        self.delays = rng.integers(0, 4, pre.size)
        rasters = rng.random((TRIALS, STEPS, N_IN)) < 0.15
        rasters[:, STEPS - 8 :] = False
        self.spikes = [np.nonzero(raster) for raster in rasters]
        self.targets = rng.normal(0, 1, (TRIALS, STEPS, N_OUT))


GIVEN = Given()


@dataclass
class Script:
    """The plain Brian2 script. early: spikes arrive before the thresholds, as in this library; else Brian2's slots."""

    early: bool = True
    dt: float = 1.0

    def __post_init__(self) -> None:
        given, dt, tau, theta = GIVEN, self.dt * MS, 20 * MS, 0.6
        around = {"tau": tau, "theta": theta, "tau_out": 15 * MS}
        first = {"when": "start", "order": -1} if self.early else {}
        self.inputs = b2.SpikeGeneratorGroup(N_IN, [0], [0] * MS, dt=dt, name="inputs", **first)
        self.cells = b2.NeuronGroup(
            N, "dv/dt = -v/tau : 1", threshold="v >= theta", reset="v -= theta", refractory=2 * MS, method="exact",
            dt=dt, name="cells", namespace=around,
        )  # fmt: skip
        self.output = b2.NeuronGroup(N_OUT, "dy/dt = -y/tau_out : 1", dt=dt, name="output", namespace=around)
        gain = "(1 - exp(-dt/tau_out))*" if self.early else ""
        self.s_in = b2.Synapses(self.inputs, self.cells, "w : 1", on_pre="v_post += w", dt=dt, name="S_in")
        self.s_rec = b2.Synapses(self.cells, self.cells, "w : 1", on_pre="v += w", dt=dt, name="S_rec")
        self.s_out = b2.Synapses(
            self.cells, self.output, "w : 1", on_pre=f"y_post += {gain}w", dt=dt, name="S_out", namespace=around
        )
        if self.early:
            self.s_in.pre.when = self.s_rec.pre.when = "after_groups"
        shuffled = np.random.default_rng(1).permutation(N_IN * N)
        self.s_in.connect(i=shuffled // N, j=shuffled % N)
        self.s_rec.connect(i=given.rec[0], j=given.rec[1])
        self.s_out.connect()
        self.s_in.w = given.w_in[self.s_in.i, self.s_in.j]
        self.s_rec.w = given.w_rec[given.rec]
        self.s_rec.delay = given.delays * MS
        self.s_out.w = given.w_out.reshape(-1)
        self.network = b2.Network(self.inputs, self.cells, self.output, self.s_in, self.s_rec, self.s_out)
        self.synapses = [self.s_in, self.s_rec, self.s_out]

    def attach(self, rule, **settings):
        return snnplast.attach(rule, self.network, synapses=self.synapses, readout=self.output, **settings)

    def show(self, learner, k, **given) -> None:
        """Trial k from rest: no neuron is refractory, and no spike is under way."""
        self.cells.v = -1000
        self.network.run(10 * MS)
        self.cells.v = 0
        self.output.y = 0
        steps, indices = GIVEN.spikes[k]
        self.inputs.set_spikes(indices, steps * MS + self.network.t)
        with learner.trial(GIVEN.targets[k], **given):
            self.network.run(STEPS * MS)

    def matrix(self, name, values) -> np.ndarray:
        synapses = {s.name: s for s in self.synapses}[name]
        matrix = np.zeros((synapses.source.N, synapses.target.N))
        matrix[synapses.i, synapses.j] = values
        return matrix


class Shown(Task):
    def __init__(self, objective) -> None:
        self.objective, self.seed = objective, 0

    def trial(self, index):
        shown = {"output.target": GIVEN.targets[index], "inputs.value": value(index)}
        yield Segment(STEPS, {"inputs": GIVEN.spikes[index]}, shown)


def value(k) -> np.ndarray:
    """What the spikes of trial k stand for."""
    return np.bincount(GIVEN.spikes[k][1], minlength=N_IN) / STEPS


def described(early=True, representation=None) -> Network:
    """The network of the script, as this library describes it."""
    late, s_in, s_out = (0, 1.0, 1.0) if early else (1, ALPHA, 1 / (1 - KAPPA))
    net = Network()
    net.add("inputs", SpikeSource(N_IN))
    net.add("cells", LIF(N, tau_m="20 ms", v_threshold=0.6, refractory="2 ms", representation=representation))
    net.add("output", LeakyReadout(N_OUT, tau_m="15 ms"))
    net.connect("inputs", "cells", name="S_in", weights=s_in * GIVEN.w_in, delay=f"{late} ms", plastic=True)
    net.connect(
        "cells", "cells", name="S_rec", connectivity=ExplicitPairs(pre=GIVEN.rec[0], post=GIVEN.rec[1]), plastic=True,
        weights=s_in * GIVEN.w_rec[GIVEN.rec], delay=[f"{d} ms" for d in GIVEN.delays],
    )  # fmt: skip
    net.connect("cells", "output", name="S_out", weights=s_out * GIVEN.w_out, plastic=True)
    return net


def gradients(trainer) -> dict[str, np.ndarray]:
    """Those of the next update, as it applies them."""
    found: dict[str, np.ndarray] = {}
    apply = trainer._apply

    def kept(given):
        found.update({name: values.copy() for name, values in given.items()})
        apply(given)

    trainer._apply = kept
    return found


def replaced(script, **groups) -> None:
    """Other neurons in the place of the script's, with all synapses made again."""
    for name, group in groups.items():
        setattr(script, name, group)
    script.s_in = b2.Synapses(script.inputs, script.cells, "w : 1", on_pre="v_post += w", dt=MS, name="S_in*")
    script.s_out = b2.Synapses(script.cells, script.output, "w : 1", on_pre="y_post += w", dt=MS, name="S_out*")
    script.s_in.connect()
    script.s_out.connect()
    script.synapses = [script.s_in, script.s_out]
    script.network = b2.Network(script.inputs, script.cells, script.output, *script.synapses)


def cells(script, equations="dv/dt = -v/(20*ms) : 1", threshold="v > 1", **settings) -> None:
    settings = {"method": "exact", "reset": "v = 0", "dt": MS, "name": "others*"} | settings
    replaced(script, cells=b2.NeuronGroup(N, equations, threshold=threshold, **settings))
