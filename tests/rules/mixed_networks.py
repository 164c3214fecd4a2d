"""Random networks in which every population is of another kind, and projections add to several of its variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import own_neurons
from brian2 import ms, second

from snnplast.engine import NUMPY, EngineChoice
from snnplast.learning.surrogate import SURROGATES
from snnplast.network.connectivity import ExplicitPairs
from snnplast.network.fragments import Update
from snnplast.network.network import Network
from snnplast.network.neurons import ALIF, LIF, SpikingPopulation
from snnplast.network.population import SpikeSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.task.objective import CrossEntropy, MeanSquaredError
from snnplast.task.task import Task
from snnplast.task.trial import Segment
from snnplast.training.pretrain import open_simulation

Rng = np.random.Generator
STEPS, SOURCES = 70, 6
FLOOR = Update("v = clip(v, -0.3, inf)", "after_groups", 1)
TAUS = {"cuba": "tau", "coba": "tau", "adex": "Cm", "two compartments": "td"}
"""The time constant that neurons of a kind may have one each of."""


@dataclass(frozen=True)
class Drawn:
    """A population and what projections may add to: variable -> (smallest, largest) weight."""

    population: SpikingPopulation
    ports: dict[str, tuple[float, float]]


def _own(kind: str) -> Callable[[Rng, int], Drawn]:
    def draw(rng: Rng, n: int) -> Drawn:
        stiff = kind in ("adex", "izhikevich")  # their upstroke overflows in long steps, or while spikes are withheld
        fields: dict[str, Any] = {"method": "euler" if stiff else str(rng.choice(own_neurons.INTEGRATORS[kind]))}
        equations = f"{own_neurons.EQUATIONS[kind]}\n{own_neurons.SYNAPSES}".replace(" (unless refractory)", "")
        if stiff or rng.random() < 0.5:
            equations = equations.replace(" : 1", " : 1 (unless refractory)", 1)
        fields["refractory"] = [0 * ms, 2 * ms, rng.integers(4, size=n) * ms][rng.integers(3)]
        if kind in TAUS and rng.random() < 0.5:
            usual = {**own_neurons.CONSTANTS[kind], **own_neurons.TIMES}[TAUS[kind]]
            fields["constants"] = {TAUS[kind]: usual * rng.uniform(0.7, 1.3, n)}
        if kind == "cuba":
            fields["reset"] = str(rng.choice(["v -= 1", "v = 0.1", "v = 0.3*v - 0.2*ge"]))
        if kind != "izhikevich" and rng.random() < 0.4:
            fields["updates"] = (FLOOR,)
        strong, weak = own_neurons.WEIGHTS[kind]
        ports = {"ge": (0.0, 1.6 * strong), "gi": (0.0, weak), "v": (0.0, 0.5 * strong)}
        return Drawn(own_neurons.neurons(kind, n, equations=equations, **fields), ports)

    return draw


def _lif(rng: Rng, n: int) -> Drawn:
    fields: dict[str, Any] = {"reset": [0.05, "subtract", "subtract-next"][rng.integers(3)], "refractory": 2 * ms}
    fields["v_min"] = None if rng.random() < 0.5 else -0.2
    if rng.random() < 0.5:
        fields |= {"tau_m": rng.uniform(8, 30, n) * ms, "normalise_input": False, "bias": 0.01}
    return Drawn(LIF(n, **fields), {"v": (-0.3, 0.8)})


def _alif(rng: Rng, n: int) -> Drawn:
    fields: dict[str, Any] = {"beta": rng.uniform(0, 0.4, n), "tau_adapt": 50 * ms}
    fields["reset"] = ["subtract", 0.0][rng.integers(2)]
    return Drawn(ALIF(n, **fields), {"v": (-0.3, 0.8), "a": (0.0, 0.2)})


KINDS: dict[str, Callable[[Rng, int], Drawn]] = {
    **{kind: _own(kind) for kind in own_neurons.EQUATIONS},
    "lif": _lif,
    "alif": _alif,
}


class Mixed(Task):
    """A network, the trial that is shown to it, and the rule that teaches it, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = np.random.default_rng(seed)
        self.seed = 0
        kinds = [str(kind) for kind in rng.choice(list(KINDS), size=rng.integers(1, 4), replace=False)]
        self.net = Network(dt="0.5 ms" if "izhikevich" in kinds else "1 ms")
        self.net.add("input", SpikeSource(SOURCES))
        self.names = [kind.replace(" ", "_") for kind in kinds]
        drawn = dict(zip(self.names, [KINDS[kind](rng, int(rng.integers(2, 6))) for kind in kinds], strict=True))
        for name, given in drawn.items():
            self.net.add(name, given.population)
        for name, given in drawn.items():
            ports = list(given.ports)
            for port in ports[: rng.integers(1, len(ports) + 1)]:
                self._connect("input", name, port, given.ports[port])
            for source in self.names:
                if rng.random() < 0.6:
                    port = str(rng.choice(ports))
                    low, high = given.ports[port]
                    self._connect(source, name, port, (low, 0.5 * high))
        self.net.add("output", LeakyReadout(2, tau_m=15 * ms))
        for name in self.names:
            self.net.connect(
                name, "output", plastic=True, weights=rng.standard_normal((drawn[name].population.size, 2))
            )
        self.surrogate, self.objective = str(rng.choice(list(SURROGATES))), MeanSquaredError()
        self.x, self.target = rng.random((STEPS, SOURCES)) < 0.3, rng.standard_normal((STEPS, 2))
        if rng.random() < 0.5:
            self.objective = CrossEntropy(window=30)
            self.target = np.broadcast_to(np.eye(2)[rng.integers(2)], (STEPS, 2))

    def _connect(self, source: str, target: str, port: str, weights: tuple[float, float]) -> None:
        rng, shape = self.rng, (self.net.populations[source].size, self.net.populations[target].size)
        mask = rng.random(shape) < rng.choice([0.5, 1.0])
        mask[0, 0] = True
        pre, post = np.nonzero(mask)
        delay = [None, int(rng.integers(1, 5)), rng.integers(5, size=pre.size)][rng.integers(3)]
        settings = {} if delay is None else {"delay": delay * self.net.dt * second}
        self.net.connect(
            source, target, name=f"{source}_to_{port}_of_{target}", into=port, plastic=True,
            weights=mask * rng.uniform(*weights, shape), connectivity=ExplicitPairs(pre=pre, post=post), **settings,
        )  # fmt: skip

    def trial(self, index: int):
        yield Segment(STEPS, {"input": np.nonzero(self.x)}, {"output.target": self.target})

    def run(self, evaluation: str, engine: EngineChoice = NUMPY):
        """Spikes by population, and gradients by projection."""
        rule = EProp(evaluation=evaluation, regularisers=("firing-rate",), surrogate=self.surrogate)
        simulation = open_simulation(self.net.copy(), self.objective, rule, 3, engine)
        try:
            (plasticity,) = simulation.plasticities
            simulation.tie()
            record = simulate(simulation, self.trial(0), 0, 0, np.random.default_rng(0))
            gradients = {name: np.array(g) for name, g in plasticity.gradient(record, self.objective).items()}
            return {name: tuple(map(np.array, record.spikes[name])) for name in self.names}, gradients
        finally:
            simulation.engine.close()
