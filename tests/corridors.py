"""An environment without Gymnasium, and a small network that acts in it."""

from __future__ import annotations

import numpy as np

import snnplast as snn
from snnplast.engine import NUMPY


class Corridor:
    """From the middle of five places: 1 for the right end, 0 for the left one, -0.1 per step. Where it begins varies.

    made: all there were; each counts how often it was closed.
    """

    made: list[Corridor] = []

    def __init__(self, cut_off=99):
        self.closed, self.cut_off = 0, cut_off
        self.made.append(self)

    def reset(self, *, seed=None):
        self.place, self.taken = int(np.random.default_rng(seed).integers(-1, 2)), 0
        return self.seen(), {}

    def step(self, action):
        self.place += 1 if action else -1
        self.taken += 1
        ended = abs(self.place) == 2
        return self.seen(), (1.0 if self.place == 2 else 0.0) - 0.1, ended, self.taken == self.cut_off, {}

    def seen(self):
        return np.array([self.place / 2, 1.0])

    def close(self):
        self.closed += 1


CODE = {"low": (-1.0, 0.0), "high": (1.0, 1.0)}


def network(units=3, source=None):
    """4 sources -> 6 recurrent LIF neurons -> readout."""
    net = snn.Network()
    net.add("input", source or snn.PoissonSource(4, peak_rate="400 Hz"))
    net.add("hidden", snn.LIF(6, v_threshold=0.4, reset="subtract-next", bias=0.02))
    net.add("output", snn.LeakyReadout(units, tau_m="10 ms"))
    net.connect("input", "hidden", weights=snn.Normal(gain=2.0), plastic=True)
    net.connect("hidden", "hidden", weights=snn.Normal(gain=0.5), plastic=True, self_connections=False)
    net.connect("hidden", "output", weights=snn.Normal(gain=1.0), plastic=True)
    return net


def task(environment=Corridor, **settings):
    """Closed loops in the corridor, of 6 training and 3 test episodes."""
    given = {
        "encoding": snn.PopulationCode(neurons=2, **CODE),
        "choice": snn.ReadoutChoice(actions=(0, 1)),
        "steps": 6,
        "episodes": 6,
        "tests": 3,
        "longest": 12,
        "objective": snn.ActorCritic(),
    }
    return snn.ClosedLoop(environment, **{**given, **settings})


def experiment(closed_loop=None, net=None, rule=None, **settings):
    """The network, in the corridor, on Brian2's numpy code."""
    given = {"epochs": 2, "engine": NUMPY}
    return snn.Experiment(net or network(), closed_loop or task(), rule or snn.EProp(batch=3), **{**given, **settings})
