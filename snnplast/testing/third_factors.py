"""Promises of third factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnplast import registry
from snnplast.engine import NUMPY, EngineChoice
from snnplast.learning.capabilities import OverBatch, Speaks
from snnplast.learning.signals import Broadcast
from snnplast.learning.third_factor import Context, ThirdFactor
from snnplast.network.network import Network
from snnplast.simulation.simulation import Simulation
from snnplast.task.task import Task
from snnplast.testing.bench import Bench, Gradients, promise, small_network, small_task
from snnplast.testing.described import check_described, check_refusal
from snnplast.testing.gradients import check_alone, check_gradients_of_engines, check_same, faces
from snnplast.testing.training import check_gate, check_training


def check_third_factor(
    third_factor: type[ThirdFactor],
    *,
    rule: str = "e-prop",
    network: Network | None = None,
    task: Task | None = None,
    trials: int = 6,
    engine: str | EngineChoice | None = None,
    workers: Sequence[int] = (2, 8),
    **settings: Any,
) -> None:
    """Whether a third factor keeps its contract.

    Parameters are fields with a description; `extend` leaves the network it is given alone; every target population
    gets a finite signal in the shape of its kind, or None until it is ready; a source that
    has one signal for a whole batch gives that; online and factored evaluation of `rule` make the same of it; tests
    change nothing that outlives a trial; training with it is bitwise repeatable, also with tests in between, resumed,
    and by any number of workers; an "independent" one says of a trial what it says of it alone; both engines agree.

    The other parameters are those of `check_rule`. settings: the third factor's. Raises `AssertionError`.

    >>> from snnplast import FiringRate
    >>> from snnplast.engine import NUMPY
    >>> check_third_factor(FiringRate, trials=2, engine=NUMPY, workers=())
    """
    place = f"third factor {getattr(third_factor, 'name', third_factor.__name__)!r}"
    check_described(place, third_factor)
    check_refusal(place, third_factor, **settings)
    network, task = network or small_network(), task or small_task()
    bench = Bench(network, task, NUMPY if engine is None else EngineChoice.of(engine, "check_third_factor: engine"))
    kind = registry.load("rule", rule)

    def make(**others: Any) -> Any:
        return kind(third_factor=third_factor(**settings), **others)

    found: dict[str, list[Gradients]] = {}
    for face in faces(kind):
        _check_extend(place, third_factor(**settings), network, task, face == "online")
        with bench.open(make(evaluation=face)) as simulation:
            found[face] = [bench.gradients(simulation, k) for k in range(trials)]
        with bench.open(make(evaluation=face)) as simulation:
            _check_signals(f"{place}, {face}", bench, simulation, trials)
    check_same(f"{place} with rule {rule!r}", found, whole=False)
    face, compared = next(iter(found.items()))
    check_alone(place, bench, make(evaluation=face), compared)
    check_gate(place, bench, make())
    check_training(place, bench, make, trials, workers, must_change=False)
    if engine is None:
        check_gradients_of_engines(place, bench, make)


def _check_extend(place: str, factor: ThirdFactor, network: Network, task: Task, online: bool) -> None:
    """`extend` adds to a copy."""
    plastic = [p.target for p in network.projections.values() if p.plastic]
    targets = tuple(dict.fromkeys(name for name in plastic if not network.populations[name].readout))
    before = _contents(network)
    factor.extend(Context(network, targets, task.objective, online))
    promise(before == _contents(network), f"{place}: extend() changes the network it is given; it must extend a copy()")


def _contents(network: Network) -> list[dict[str, Any]]:
    attached = {name: list(fragments) for name, fragments in network.attachments.items()}
    return [dict(network.populations), dict(network.projections), attached]


def _check_signals(place: str, bench: Bench, simulation: Simulation, trials: int) -> None:
    """Each target's signal has the shape of its kind, is finite, and is ready in the last trial."""
    (plasticity,) = simulation.plasticities
    source = plasticity.sources[0]
    factor, context, state = source.factor, source.context, source.state
    for index in range(trials):
        record = bench.record(simulation, index)
        if isinstance(factor, OverBatch):
            given: Mapping[str, Any] = factor.batch_signal([record], context)
        else:
            given = factor.signal(record, context, state)
        for name in plasticity.targets:
            promise(name in given, f"{place}: no signal for the population {name!r}")
            signal, kind = given[name], factor.kind(context, name)
            if signal is None:
                promise(index < trials - 1, f"{place}: the signal for {name!r} is not ready after {trials} trials")
                continue
            values = signal.values @ signal.feedback if isinstance(signal, Broadcast) else signal
            size = context.network.population(name).size
            shape, wanted = np.shape(values), (size,) if kind.timing == "trial" else (record.steps, size)
            promise(shape == wanted, f"{place}: the signal for {name!r} has shape {shape}, not {wanted}")
            promise(np.all(np.isfinite(values)), f"{place}: the signal for {name!r} is not finite in trial {index}")
        for key, number in factor.report(state).items() if isinstance(factor, Speaks) else ():
            promise(isinstance(number, float), f"{place}: report() gives {number!r} for {key!r}, not a float")
