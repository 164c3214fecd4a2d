"""Promises of neurons."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnplast import registry
from snnplast.engine import NUMPY, EngineChoice
from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.network.weights import Uniform
from snnplast.testing.bench import Bench, Gradients, promise, small_task
from snnplast.testing.described import MISSPELT, check_described
from snnplast.testing.gradients import check_alone, check_gradients_of_engines, check_same, faces

SIZE = 5


def check_neuron(
    neuron: type[SpikingPopulation],
    *,
    weight: float = 1.0,
    dt: str = "1 ms",
    trials: int = 2,
    engine: str | EngineChoice | None = None,
    **settings: Any,
) -> None:
    """Whether a kind of neurons keeps its contract.

    Parameters are fields with a description; its code builds, and it spikes; eligibility traces can be derived from it,
    and both evaluations of e-prop agree to 1e-10; a trial leaves nothing behind that the next one begins with; both
    engines agree.

    weight: the largest of synapses from 12 sources of up to 300 Hz onto it, drawn from 0 on, in the unit of its input.
    dt: time step. trials: how many are compared. engine: as in `check_rule`. settings: the neuron's.
    Raises `AssertionError`.

    >>> from snnplast import LIF
    >>> from snnplast.engine import NUMPY
    >>> check_neuron(LIF, engine=NUMPY, tau_m="10 ms")
    """
    place = f"neuron {neuron.name or neuron.__name__!r}" if neuron.name else f"neuron {neuron.__name__!r}"
    check_described(place, neuron, named=False)
    _check_refusal(place, neuron, settings)
    bench = Bench(
        _network(neuron(SIZE, **settings), weight, dt),
        small_task(),
        NUMPY if engine is None else EngineChoice.of(engine, "check_neuron: engine"),
    )
    rule, found = registry.load("rule", "e-prop"), dict[str, list[Gradients]]()
    for face in faces(rule):
        with bench.open(rule(evaluation=face)) as simulation:
            found[face] = [bench.gradients(simulation, k) for k in range(trials)]
    check_same(place, found)
    face, compared = next(iter(found.items()))
    check_alone(place, bench, rule(evaluation=face), compared)
    moved = any(np.any(gradients["input_to_hidden"]) for gradients in compared)
    promise(moved, f"{place}: a spike's weight has no effect on it: every gradient of 'input_to_hidden' is zero")
    if engine is None:
        check_gradients_of_engines(place, bench, rule)


def _check_refusal(place: str, neuron: type[SpikingPopulation], settings: dict[str, Any]) -> None:
    try:
        neuron(SIZE, **{**settings, MISSPELT: 1})
    except UserError:
        return
    promise(False, f"{place}: it takes a parameter {MISSPELT!r}, which it does not declare")


def _network(hidden: SpikingPopulation, weight: float, dt: str) -> Network:
    """12 Poisson sources -> the neurons, recurrent -> 3 readouts."""
    net = Network(dt=dt)
    net.add("input", PoissonSource(12, peak_rate="300 Hz"))
    net.add("hidden", hidden)
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", weights=Uniform(low=0.0, high=weight), plastic=True)
    net.connect("hidden", "hidden", weights=Uniform(low=0.0, high=0.3 * weight), plastic=True)
    net.connect("hidden", "output", plastic=True)
    return net
