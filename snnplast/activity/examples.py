"""Which neurons and synapses of a network stand for the others in a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnplast.activity.activity import Group
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.population import Population
from snnplast.task.trial import Record

MOST = 4
"""At most so many neurons, each of another group."""


@dataclass(frozen=True)
class Place:
    """One neuron."""

    group: Group
    index: int


def groups_of(name: str, population: Population) -> list[Group]:
    """The neurons of a population by kind: where the threshold adapts, those with beta = 0 are LIF neurons."""
    everyone = np.arange(population.size)
    if not isinstance(population, SpikingPopulation):
        return [Group(name, "", everyone)]
    kind = type(population).__name__
    if population.adaptation is None:
        return [Group(name, kind, everyone)]
    adapts = np.broadcast_to(population.adaptation[0], everyone.shape) > 0
    found = [Group(name, "LIF", everyone[~adapts]), Group(name, kind, everyone[adapts])]
    return [group for group in found if group.indices.size]


def choose_neurons(record: Record, groups: Sequence[Group], strengths: Mapping[str, np.ndarray]) -> list[Place]:
    """One neuron of each of the first groups, two where there is one group: those with the largest traces that spike.

    strengths: projection -> sum_t |e_ji^t| of its synapses. Where there are none, the neurons that spike most.
    """
    hidden = [group for group in groups if group.kind]
    learning = [g for g in hidden if any(record.network.projections[p].target == g.population for p in strengths)]
    chosen = (learning or hidden)[:MOST]
    return [
        Place(group, int(j)) for group in chosen for j in _best(group, record, strengths, 2 if len(chosen) == 1 else 1)
    ]


def _best(group: Group, record: Record, strengths: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    score = np.zeros(record.network.populations[group.population].size)
    for name, values in strengths.items():
        if record.network.projections[name].target == group.population:
            score += np.bincount(record.wiring[name].post, values, score.size)
    counts = record.counts(group.population)
    score = (score if score.any() else counts)[group.indices]
    silent = counts[group.indices] == 0
    return group.indices[np.lexsort((-score, silent))[:count]]


def choose_synapses(
    record: Record, place: Place, strengths: Mapping[str, np.ndarray], count: int
) -> list[tuple[str, int]]:
    """(projection, number of the synapse) of the largest traces onto a neuron, one per projection before a second."""
    ranked = []
    for name, values in strengths.items():
        if record.network.projections[name].target == place.group.population:
            incoming = np.flatnonzero(record.wiring[name].post == place.index)
            best = incoming[np.argsort(-values[incoming], kind="stable")[:count]]
            ranked += [(rank, -values[k], name, int(k)) for rank, k in enumerate(best)]
    return [(name, k) for _, _, name, k in sorted(ranked)[:count]]
