r"""Pattern generation: the regression task of Bellec et al. (2020), with the published random draws.

100 inputs drive 100 recurrent LIF neurons and one leaky readout through the same frozen Poisson noise in every trial;
the readout learns a sum of four sines over one second. Draws, their order and the float32 rounding are those of the
published losses.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from snnplast.network import LIF, LeakyReadout, Network, SpikeSource
from snnplast.rules.references import BELLEC_2020
from snnplast.task import MeanSquaredError, Model, OneSegment, Segment, ShowsSamples, Spikes, Task, Trial
from snnplast.task.task import zeros_and_ones


class PatternGeneration(Model):
    """Recurrent LIF network that generates a fixed pattern from frozen noise.

    draws: seed of the published draws, default 1 (the published losses).
    hidden: number of recurrent neurons, default 100, >= 1. inputs: of input neurons, default 100, >= 1.

    `predict` shows other input: x (samples, steps, inputs), 1 where an input neuron spikes, else 0.
    """

    name: ClassVar[str] = "pattern-generation"
    reference: ClassVar[str] = BELLEC_2020

    hidden: Annotated[int, Field(ge=1, description="recurrent neurons")] = 100
    inputs: Annotated[int, Field(ge=1, description="input neurons")] = 100
    draws: Annotated[int, Field(ge=0, description="seed of the published draws")] = 1

    @cached_property
    def drawn(self) -> dict[str, Any]:
        """All random numbers, in the published order (legacy MT19937)."""
        random = np.random.RandomState(self.draws)
        n_in, n, steps = self.inputs, self.hidden, 1000
        w_in = random.randn(n_in, n) / np.sqrt(n_in)
        w_rec = random.randn(n, n) / np.sqrt(n)
        w_out = random.randn(n, 1) / np.sqrt(n)
        feedback = random.randn(n, 1) / np.sqrt(n)
        spikes = random.rand(steps, n_in) < 0.05
        spikes[0] = False
        amplitudes = random.uniform(0.5, 2, size=4)
        phases = random.uniform(0, 2 * np.pi, size=4)
        matrices = {"in": w_in, "rec": w_rec, "out": w_out, "feedback": feedback.T}
        rounded = {name: matrix.astype(np.float32).astype(float) for name, matrix in matrices.items()}
        return {**rounded, "spikes": np.nonzero(spikes), "target": _pattern(steps, amplitudes, phases)}

    def network(self) -> Network:
        net = Network(dt="1 ms")
        net.add("input", SpikeSource(self.inputs))
        neurons = LIF(self.hidden, tau_m="30 ms", v_threshold=0.03, reset="subtract-next", normalise_input=True)
        net.add("hidden", neurons)
        net.add("output", LeakyReadout(1, tau_m="30 ms"))
        net.connect("input", "hidden", weights=self.drawn["in"], plastic=True)
        net.connect("hidden", "hidden", weights=self.drawn["rec"], plastic=True, self_connections=False)
        net.connect("hidden", "output", weights=self.drawn["out"], plastic=True)
        net.connect(
            "output", "hidden", name="feedback_hidden", weights=self.drawn["feedback"],
            kind="analog", variable="error", into="learning_signal", simulated=False,
        )  # fmt: skip
        return net

    def task(self, seed: int) -> Task:
        return _Generate(self.drawn["spikes"], self.inputs, self.drawn["target"], seed)


class _Generate(OneSegment, Task, ShowsSamples):
    """The same trial for ever. shown: the spikes of samples, (samples, steps, inputs)."""

    def __init__(self, spikes: Spikes, inputs: int, target: np.ndarray, seed: int) -> None:
        self.objective, self.seed = MeanSquaredError(), seed
        self.inputs, self.shown = inputs, np.empty((0, 0, inputs), np.int64)
        self.segment = Segment(len(target), {"input": spikes}, {"output.target": target})

    def showing(self, x: Any) -> Task:
        own = copy.copy(self)
        own.shown = zeros_and_ones(x, steps=None, inputs=self.inputs)
        own.tests = len(own.shown)
        return own

    def trial(self, index: int) -> Trial:
        yield self.segment

    def test(self, index: int) -> Trial:
        spikes = self.shown[index]
        yield Segment(len(spikes), {"input": np.nonzero(spikes)}, {"output.target": [0]})


def _pattern(steps: int, amplitudes: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Four sines of periods 1000, 500, 333 and 200 steps, from 0 and scaled to a largest value of 1; (steps, 1)."""
    waves: Iterator[np.ndarray] = (
        a * np.sin(np.linspace(phase, phase + 2 * np.pi * (steps // period), steps))
        for a, phase, period in zip(amplitudes, phases, (1000, 500, 333, 200), strict=True)
    )
    pattern = np.sum(list(waves), axis=0)
    pattern -= pattern[0]
    return (pattern / np.abs(pattern).max())[:, None]
