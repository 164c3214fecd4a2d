"""What is known of one trial: spikes, example neurons and synapses, readout, signals and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnplast.task.trial import Spikes


@dataclass(frozen=True)
class Group:
    """Neurons of one population and one kind. kind: "LIF", "ALIF", ..., "" in a source. indices: (n,), ascending."""

    population: str
    kind: str
    indices: np.ndarray

    @property
    def name(self) -> str:
        """Population and kind."""
        return f"{self.population}, {self.kind}" if self.kind else self.population


@dataclass(frozen=True)
class Neuron:
    """An example; values at the end of each step, after the resets.

    membrane: v_j (T,). threshold: A_j (T,), None where it is not known. spikes: (k,) steps.
    signal: L_j (T,), None where there is none step by step.
    """

    group: Group
    index: int
    membrane: np.ndarray
    threshold: np.ndarray | None
    spikes: np.ndarray
    signal: np.ndarray | None


@dataclass(frozen=True)
class Synapse:
    """An example onto the example neuron number `neuron`.

    eligibility: e_ji (T,). filtered: its filtered trace, the one that L_j multiplies, or None.
    slow: beta_j eps_ji, what an adapting threshold takes from the coming step's trace; None for other neurons.
    """

    projection: str
    source: str
    pre: int
    neuron: int
    eligibility: np.ndarray
    filtered: np.ndarray | None
    slow: np.ndarray | None


@dataclass(frozen=True)
class Readout:
    """What the readout said and should have said: (T, n), or with `once` one row for each answer after the trial.

    y: its softmax where the objective is the cross-entropy (`softmax`). error: E. window: whether a step counts (T,).
    once: whether it acts once per trial.
    """

    name: str
    y: np.ndarray
    target: np.ndarray
    error: np.ndarray
    window: np.ndarray
    softmax: bool
    once: bool


@dataclass(frozen=True)
class Activity:
    """One trial.

    steps, dt: T, and the length of a step (s). spikes: population -> (steps, indices), sorted by step.
    groups: all neurons that spike, population by population in the network's order.
    neurons, synapses: examples; no synapses where the rule keeps no traces while the network runs.
    signals: hidden population -> its signal (n,) for the whole trial, None while its source is not ready; only where
        there is no signal step by step. metrics: loss, accuracy, ... of the trial.
    """

    steps: int
    dt: float
    spikes: Mapping[str, Spikes]
    groups: Sequence[Group]
    neurons: Sequence[Neuron]
    synapses: Sequence[Synapse]
    readout: Readout | None
    signals: Mapping[str, np.ndarray | None]
    metrics: Mapping[str, float]

    def counts(self, group: Group) -> np.ndarray:
        """Spikes of each neuron of a group (n,)."""
        return np.bincount(self.spikes[group.population][1], minlength=group.indices[-1] + 1)[group.indices]
