"""One population of neurons of any kind, driven by given spikes and taught by a given signal, in the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from brian2 import second

from snnplast.engine import NUMPY, EngineChoice
from snnplast.learning.surrogate import PiecewiseLinear, Surrogate
from snnplast.network.network import Network
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.population import SpikeSource
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.task.trial import Record, Segment
from snnplast.testing.bench import Given
from snnplast.training.pretrain import open_simulation


@dataclass(frozen=True)
class Drive:
    """Projections onto the population: variable -> weights (n_pre, n), from a source of its own each.

    spikes: variable -> (T, n_pre) of 0 and 1. signal: L (T, n). recurrent: (variable, weights (n, n)), or none.
    delays: variable, or 'recurrent' -> steps, a number or (n_pre, n). tau: of the filter of the trace in s, or none.
    unit: of all weights.
    """

    weights: Mapping[str, np.ndarray]
    spikes: Mapping[str, np.ndarray]
    signal: np.ndarray
    recurrent: tuple[str, np.ndarray] | None = None
    delays: Mapping[str, int | np.ndarray] | None = None
    tau: float | None = None
    dt: float = 1e-3
    unit: str | None = None

    @property
    def steps(self) -> int:
        return len(self.signal)

    def network(self, population: SpikingPopulation) -> Network:
        net = Network(dt=f"{self.dt * 1e3} ms")
        net.add("hidden", population)
        for into, weights in self.weights.items():
            net.add(f"to_{into}", SpikeSource(len(weights)))
            self._connect(net, f"to_{into}", into, into, weights)
        if self.recurrent is not None:
            self._connect(net, "hidden", "recurrent", *self.recurrent)
        return net

    def _connect(self, net: Network, source: str, name: str, into: str, weights: np.ndarray) -> None:
        delay = (self.delays or {}).get(name)
        steps = None if delay is None else np.ravel(delay) if np.ndim(delay) else delay
        settings = {} if steps is None else {"delay": steps * self.dt * second}
        net.connect(source, "hidden", name=name, into=into, weights=weights, unit=self.unit, plastic=True, **settings)


class Constant(Surrogate):
    """psi = 1, whatever the membrane: the trace of a spike is then that of the distance itself."""

    name: ClassVar[str] = "constant"

    def expression(self, distance: str, scale: str, unit: str = "1") -> str:
        return "1"


@dataclass(frozen=True)
class Outcome:
    """gradients: projection -> (n_pre, n). membrane: (T, n), after the reset. spikes: (T, n)."""

    gradients: Mapping[str, np.ndarray]
    membrane: np.ndarray
    spikes: np.ndarray


def run(
    population: SpikingPopulation,
    drive: Drive,
    evaluation: str,
    engine: EngineChoice = NUMPY,
    surrogate: Surrogate | None = None,
    watched: str = "v",
) -> Outcome:
    """One trial. watched: the variable that `membrane` is."""
    given = Given(variable="given", timing="step", tau=drive.tau)
    rule = EProp(evaluation=evaluation, third_factor=given, surrogate=surrogate or PiecewiseLinear())
    simulation = open_simulation(drive.network(population), None, rule, 1, engine, recorded=(f"hidden.{watched}",))
    try:
        (plasticity,) = simulation.plasticities
        simulation.tie()
        inputs = {f"to_{into}": np.nonzero(x) for into, x in drive.spikes.items()}
        segment = Segment(drive.steps, inputs, {"hidden.given": drive.signal})
        record = simulate(simulation, (s for s in [segment]), 0, 0, np.random.default_rng(0))
        gradients = {
            name: simulation.plan.wiring[name].matrix(gradient).copy()
            for name, gradient in plasticity.gradient(record, None).items()
        }
        return Outcome(gradients, record.history[f"hidden.{watched}"].copy(), _raster(record))
    finally:
        simulation.engine.close()


def _raster(record: Record) -> np.ndarray:
    found = np.zeros((record.steps, record.network.populations["hidden"].size), dtype=int)
    found[record.spikes["hidden"]] = 1
    return found


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest entry of what is expected."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())
