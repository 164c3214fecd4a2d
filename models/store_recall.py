r"""Store and recall: a bit is written into working memory at one command and read out at the next.

A trial is a sequence of periods. In each, one of two populations of spike sources shows a bit, 0 or 1; where the STORE
population fires too, the bit is to be kept, and where RECALL fires, alone, the readout must tell the bit of the last
STORE. The bits shown in between are distractors. Each STORE is followed by one RECALL, at a random distance far beyond
the membranes' time constant: nothing but the slowly adapting thresholds carries the bit that far.

Task and input as in the code published with Bellec et al. (2018); Salaj et al. (2021) name it the one-dimensional
STORE-RECALL task. There gradients flow back through time.
"""

from __future__ import annotations

import copy
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from snnplast.errors import UserError
from snnplast.network import ALIF, LeakyReadout, Network, Normal, SpikeSource, Uniform
from snnplast.random_streams import TEST, TRAINING, stream
from snnplast.task import CrossEntropy, Model, Segment, ShowsSamples, Task, Trial
from snnplast.task.task import zeros_and_ones
from snnplast.time_steps import steps_of
from snnplast.units import NonNegativeRate, PositiveRate, PositiveTime

DT = 1e-3
"""Time step, s."""
STORE, RECALL, GROUPS = 2, 3, 4
"""Input populations: those of the bits 0 and 1, then the commands."""


class StoreRecall(Model):
    """LIF and ALIF neurons, recurrent, and two readouts with softmax, judged in the recall periods only.

    hidden: neurons; adaptive: share of them whose threshold adapts, the last ones; tau_adapt, beta: how.
    periods: per trial; period: duration of one. shortest: periods from a store to its recall, at least.
    store_chance, recall_chance: of the command that is due, per period, so that distances are geometric.
    group: neurons of each of the four input populations; rate: of an active one; background: of any other.
    tests: fresh test trials.

    `predict` shows periods of one's own: x (samples, periods, 4), 1 where a population of the input is active, else 0,
    in the order bit 0, bit 1, STORE, RECALL. There is one answer per RECALL.
    """

    name: ClassVar[str] = "store-recall"
    reference: ClassVar[str] = """@inproceedings{bellec2018long,
  title = {Long short-term memory and learning-to-learn in networks of spiking neurons},
  author = {Bellec, Guillaume and Salaj, Darjan and Subramoney, Anand and Legenstein, Robert and Maass, Wolfgang},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {31}, year = {2018}
}
@article{salaj2021spike,
  title = {Spike frequency adaptation supports network computations on temporally dispersed information},
  author = {Salaj, Darjan and Subramoney, Anand and Kraisnikovic, Ceca and Bellec, Guillaume and
            Legenstein, Robert and Maass, Wolfgang},
  journal = {eLife}, volume = {10}, pages = {e65459}, year = {2021}, doi = {10.7554/eLife.65459}
}"""

    hidden: Annotated[int, Field(ge=2, description="recurrent neurons")] = 50
    adaptive: Annotated[float, Field(ge=0, le=1, description="share of neurons with adaptive thresholds")] = 0.5
    tau_adapt: Annotated[PositiveTime, Field(description="time constant of the adaptation")] = "2000 ms"
    beta: Annotated[float, Field(ge=0, description="rise of an adaptive threshold per spike")] = 0.1
    periods: Annotated[int, Field(ge=2, description="periods of a trial")] = 12
    period: Annotated[PositiveTime, Field(description="duration of a period")] = "200 ms"
    shortest: Annotated[int, Field(ge=1, description="fewest periods from a store to its recall")] = 2
    store_chance: Annotated[float, Field(ge=0.01, le=1, description="of a store, per period it is due")] = 0.5
    recall_chance: Annotated[float, Field(ge=0.01, le=1, description="of a recall, per period it is due")] = 0.25
    group: Annotated[int, Field(ge=1, description="neurons of each input population")] = 25
    rate: Annotated[PositiveRate, Field(description="rate of an active input neuron")] = "50 Hz"
    background: Annotated[NonNegativeRate, Field(description="rate of an inactive input neuron")] = "0 Hz"
    tests: Annotated[int, Field(ge=0, description="test trials")] = 100

    @model_validator(mode="after")
    def _a_pair_fits(self) -> StoreRecall:
        if self.shortest >= self.periods:
            raise ValueError(f"shortest = {self.shortest}: fewer than periods = {self.periods} are allowed")
        return self

    def network(self) -> Network:
        n = self.hidden
        beta = np.where(np.arange(n) < round(n * (1 - self.adaptive)), 0.0, self.beta)
        net = Network(dt="1 ms")
        net.add("input", SpikeSource(GROUPS * self.group))
        adapting = {"beta": beta, "tau_adapt": f"{self.tau_adapt!r} second"}
        net.add("hidden", ALIF(n, v_threshold=0.6, reset="subtract-next", refractory="5 ms", **adapting))
        net.add("output", LeakyReadout(2))
        limit = float(np.sqrt(3 / ((n + 2) / 2)))
        net.connect("input", "hidden", weights=Normal(), plastic=True)
        net.connect("hidden", "hidden", weights=Normal(), plastic=True, self_connections=False)
        net.connect("hidden", "output", weights=Uniform(low=-limit, high=limit), plastic=True)
        return net

    def task(self, seed: int) -> Task:
        return _Remember(self, seed)


class _Remember(Task, ShowsSamples):
    """Trials of store and recall. shown: which input populations are active in tests, or None."""

    def __init__(self, model: StoreRecall, seed: int) -> None:
        self.objective = CrossEntropy()
        self.model, self.seed, self.tests = model, seed, model.tests
        self.shown: np.ndarray | None = None

    def showing(self, x: Any) -> Task:
        own = copy.copy(self)
        own.shown = zeros_and_ones(x, periods=None, populations=GROUPS)
        own.tests = len(own.shown)
        for k in np.flatnonzero(~own.shown[:, :, RECALL].any(axis=1))[:1]:
            raise UserError(f"predict: x[{k}] asks nothing; a RECALL, x[{k}, period, {RECALL}] = 1, is needed")
        return own

    def trial(self, index: int) -> Trial:
        rng = stream(self.seed, "trial", StoreRecall.name, TRAINING, index)
        return self._show(rng, *self._drawn(rng))

    def test(self, index: int) -> Trial:
        rng = stream(self.seed, "trial", StoreRecall.name, TEST, index)
        active, target, in_window = self._drawn(rng)
        if self.shown is not None:
            active = self.shown[index]
            target, in_window = np.zeros((len(active), 2)), active[:, [RECALL]]
        return self._show(rng, active, target, in_window)

    def _drawn(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each period: which input populations are active, the target, and whether it counts."""
        model = self.model
        bits = rng.integers(2, size=model.periods)
        active = np.eye(GROUPS)[bits]
        target, in_window = np.zeros((model.periods, 2)), np.zeros((model.periods, 1))
        for store, recall in _commands(model, rng):
            active[store, STORE] = 1
            active[recall] = np.eye(GROUPS)[RECALL]
            target[recall], in_window[recall] = np.eye(2)[bits[store]], 1
        return active, target, in_window

    def _show(self, rng: np.random.Generator, active: np.ndarray, target: np.ndarray, in_window: np.ndarray) -> Trial:
        model = self.model
        steps = steps_of("model.period", model.period, DT)
        rates = np.where(active, model.rate, model.background).repeat(model.group, axis=1)
        chance = rates.repeat(steps, axis=0) * DT
        spikes = rng.random(chance.shape, dtype=np.float32) < chance
        step, index = np.nonzero(spikes)
        series = {"output.target": target.repeat(steps, axis=0), "output.in_window": in_window.repeat(steps, axis=0)}
        yield Segment(len(spikes), {"input": (step, index)}, series)


def _commands(model: StoreRecall, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Periods (store, recall) of a trial, at least one pair; a pair that ends too late ends the sequence."""
    pairs: list[tuple[int, int]] = []
    free = 0
    while True:
        store = free + int(rng.geometric(model.store_chance)) - 1
        recall = store + model.shortest + int(rng.geometric(model.recall_chance)) - 1
        if recall < model.periods:
            pairs.append((store, recall))
            free = recall + 1
        elif pairs:
            return pairs
