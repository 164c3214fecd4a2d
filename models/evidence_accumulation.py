r"""Evidence accumulation: the classification task of Bellec et al. (2020).

Seven cues, left or right, pass by (50 ms pause and 100 ms cue each); after 1050 ms of background a recall signal of
150 ms asks on which side there were more. Nothing but the slowly adapting thresholds carries the evidence that far.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.network import ALIF, Gaussian, LeakyReadout, Network, Normal, SpikeSource, Uniform, Weights
from snnplast.random_streams import TEST, TRAINING, stream
from snnplast.rules.references import BELLEC_2020
from snnplast.task import CrossEntropy, Model, OneSegment, Segment, ShowsSamples, Spikes, Task, Trial
from snnplast.task.task import zeros_and_ones

CUES, PAUSE, CUE, DELAY, RECALL = 7, 50, 100, 1050, 150
STEPS = CUES * (PAUSE + CUE) + DELAY + RECALL
INPUTS, GROUP = 40, 10
BETA = 1.7 * (1 - np.exp(-1 / 2000)) / (1 - np.exp(-1 / 20))


class EvidenceAccumulation(Model):
    """50 LIF and 50 ALIF neurons, recurrent, and two readouts with softmax.

    draws: "published" repeats the random numbers behind the published losses; "fresh" (trial k of seed s depends on
    both only) is for long runs. hidden: neurons; adaptive: share of them whose threshold adapts, the last ones.
    tests: fresh test trials.

    `predict` shows cues of one's own: x (samples, 7), 0 for left and 1 for right; its answers are 0 and 1 as well.
    """

    name: ClassVar[str] = "evidence-accumulation"
    reference: ClassVar[str] = BELLEC_2020

    draws: Annotated[Literal["published", "fresh"], Field(description="which random numbers")] = "published"
    hidden: Annotated[int, Field(ge=2, description="recurrent neurons")] = 100
    adaptive: Annotated[float, Field(ge=0, le=1, description="share of neurons with adaptive thresholds")] = 0.5
    tests: Annotated[int, Field(ge=0, description="test trials")] = 0

    @cached_property
    def published(self) -> _Published:
        """The published draws, in their order."""
        return _Published(self.hidden)

    def network(self) -> Network:
        n = self.hidden
        beta = np.where(np.arange(n) < round(n * (1 - self.adaptive)), 0.0, BETA)
        net = Network(dt="1 ms")
        net.add("input", SpikeSource(INPUTS))
        net.add("hidden", ALIF(n, v_threshold=0.6, reset="subtract-next", refractory="5 ms", beta=beta))
        net.add("output", LeakyReadout(2))
        limit = float(np.sqrt(3 / ((n + 2) / 2)))
        fresh = {"in": Normal(), "rec": Normal(), "out": Uniform(low=-limit, high=limit), "feedback": Gaussian()}
        weights: dict[str, Weights | np.ndarray] = {**fresh} if self.draws == "fresh" else {**self.published.weights}
        net.connect("input", "hidden", weights=weights["in"], plastic=True)
        net.connect("hidden", "hidden", weights=weights["rec"], plastic=True, self_connections=False)
        net.connect("hidden", "output", weights=weights["out"], plastic=True)
        if self.draws == "published":
            net.connect(
                "output",
                "hidden",
                name="feedback_hidden",
                weights=weights["feedback"],
                kind="analog",
                variable="error",
                into="learning_signal",
                simulated=False,
            )
        return net

    def task(self, seed: int) -> Task:
        return _Accumulate(seed, self.published if self.draws == "published" else None, self.tests)


class _Published:
    """The published random numbers: matrices first, then one block per batch (legacy MT19937, seed 1)."""

    def __init__(self, n: int) -> None:
        self.random = random = np.random.RandomState(1)
        w_in = random.randn(INPUTS, n) / np.sqrt(INPUTS)
        w_rec = random.randn(n, n) / np.sqrt(n)
        limit = np.sqrt(3 / max(1, (n + 2) / 2))
        w_out = random.uniform(-limit, limit, size=(n, 2))
        feedback = random.randn(n, 2).T
        matrices = {"in": w_in, "rec": w_rec, "out": w_out, "feedback": feedback}
        self.weights = {name: matrix.astype(np.float32).astype(float) for name, matrix in matrices.items()}
        self.trials: list[tuple[Spikes, int]] = []

    def trial(self, index: int, batch: int) -> tuple[Spikes, int]:
        """Input spikes and label of a trial; all batches up to its own are drawn, and kept."""
        while len(self.trials) <= index:
            self.trials += self._batch(batch)
        return self.trials[index]

    def _batch(self, size: int) -> list[tuple[Spikes, int]]:
        random, sides = self.random, np.array([[0.3, 0.7], [0.7, 0.3]], dtype=np.float32)
        probability = sides[random.choice([0, 1], size)]
        cues = np.array([random.choice([0, 1], CUES, p=p) for p in probability])
        rates = np.stack([_rates(row) for row in cues])
        spikes = rates > random.rand(rates.size).reshape(rates.shape)
        spikes[:, 0] = False
        return [(_events(trial), int(row.sum() > CUES // 2)) for trial, row in zip(spikes, cues, strict=True)]


class _Accumulate(OneSegment, Task, ShowsSamples):
    """Trials of evidence accumulation; label 1 where right cues outnumber left ones. shown: cues of tests, or None."""

    def __init__(self, seed: int, published: _Published | None, tests: int) -> None:
        self.objective = CrossEntropy(window=RECALL)
        self.seed, self.published, self.tests = seed, published, tests
        self.shown: np.ndarray | None = None

    def showing(self, x: Any) -> Task:
        own = copy.copy(self)
        own.shown = zeros_and_ones(x, cues=CUES)
        own.tests = len(own.shown)
        return own

    def trial(self, index: int) -> Trial:
        if self.published is None:
            return self._show(*self._fresh(TRAINING, index))
        return self._show(*self.published.trial(index, self.batch))

    def test(self, index: int) -> Trial:
        return self._show(*self._fresh(TEST, index))

    def _fresh(self, phase: int, index: int) -> tuple[Spikes, int]:
        rng = stream(self.seed, "trial", EvidenceAccumulation.name, phase, index)
        cues = rng.random(CUES) < rng.choice([0.3, 0.7])
        if phase == TEST and self.shown is not None:
            cues = self.shown[index]
        spikes = rng.random((STEPS, INPUTS), dtype=np.float32) < _rates(cues)
        return _events(spikes), int(cues.sum() > CUES // 2)

    def _show(self, spikes: Spikes, label: int) -> Trial:
        yield Segment(STEPS, {"input": spikes}, {"output.target": np.eye(2)[label]})


def _events(spikes: np.ndarray) -> Spikes:
    step, index = np.nonzero(spikes)
    return step, index


def _rates(cues: np.ndarray) -> np.ndarray:
    """Spike probability per step (STEPS, INPUTS): left cue, right cue, recall and background, ten inputs each."""
    rates = np.zeros((STEPS, INPUTS))
    for k, cue in enumerate(cues.astype(int)):
        start = k * (PAUSE + CUE) + PAUSE
        rates[start : start + CUE, GROUP * cue : GROUP * (cue + 1)] = 0.04
    rates[-RECALL:, 2 * GROUP : 3 * GROUP] = 0.04
    rates[:, 3 * GROUP :] = 0.01
    return rates
