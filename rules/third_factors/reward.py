r"""Reward: one scalar for all, whether the readout did better than it lately did (Hoerzer, Legenstein & Maass 2014).

    P   = -sum_k E_k^2                                     E: error of the objective's readout
    M   = 1 where P > Pbar, else 0                         modulation = "binary"
    M   = P - Pbar                                         modulation = "graded"
    Pbar <- memory Pbar + (1 - memory) P                   after M was read

For populations that learn while a readout acts step by step, or for a readout that explores, P and M change with every
step and Pbar begins anew in each trial, with the first P; online, every neuron works them out from the squared errors
that reach it. Where a readout acts once per trial, Pbar runs across trials.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.learning import Context, SignalKind, State, ThirdFactor
from snnplast.network import Fragment, Network, Update, slots
from snnplast.rules.references import HOERZER_2014
from snnplast.task import Record


class Reward(ThirdFactor):
    """Scalar reward, broadcast to every neuron of every population (Hoerzer et al. 2014).

    modulation: "binary" (default) or "graded", see above. memory: of the running average Pbar, default 0.8, in [0, 1).

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.RewardHebbian(third_factor=snn.Reward(modulation="graded"))
    >>> with snn.open(snn.Experiment(small_network("rate"), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['second_to_output', 'output.bias']
    """

    name: ClassVar[str] = "reward"
    reference: ClassVar[str] = HOERZER_2014
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "sequential"

    modulation: Annotated[Literal["binary", "graded"], Field(description="what is made of the reward")] = "binary"
    memory: Annotated[float, Field(ge=0, lt=1, description="memory of the running average of the reward")] = 0.8

    def kind(self, context: Context, population: str) -> SignalKind:
        by_step = population == context.readout or context.read.clock == "step"
        return SignalKind("reward", "step" if by_step else "trial")

    def extend(self, context: Context) -> Network:
        readout = context.readout
        if not (context.online and context.read.clock == "step"):
            return context.network
        network = context.network.copy()
        network.attach(readout, Fragment(("squared_error = error**2 : 1",)))
        for target in context.targets:
            network.attach(target, self._at_neurons())
            weights = {"kind": "analog", "variable": "squared_error", "into": "punishment", "weights": 1.0}
            network.connect(readout, target, name=f"reward_{target}", **weights)
        return network

    def _at_neurons(self) -> Fragment:
        """M of every step, as `_modulation` has it; `judged` tells the first step of a trial from the others."""
        surplus = "reward" if self.modulation == "graded" else "int(reward > 0)"
        code = f"""expected = judged*expected - (1 - judged)*punishment
judged = 1
reward = -punishment - expected
expected = expected + (1 - reward_memory)*reward
reward = {surplus}"""
        declared = tuple(f"{name} : 1" for name in ("punishment", "reward", "expected", "judged"))
        return Fragment(declared, {"reward_memory": self.memory}, updates=(Update(code, *slots.SIGNALS),))

    def init(self, context: Context) -> State:
        return {"expected": np.full((), np.nan)}

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray]:
        assert record.judgement is not None
        reward = -np.sum(record.judgement.error**2, axis=1)
        if len(reward) > 1:
            state["expected"][...] = np.nan
        modulation = np.array([self._modulation(value, state["expected"]) for value in reward])
        sizes = {name: record.network.populations[name].size for name in context.targets}
        if len(reward) == 1:
            return {name: np.full(size, modulation[0]) for name, size in sizes.items()}
        return {name: np.broadcast_to(modulation[:, None], (len(modulation), size)) for name, size in sizes.items()}

    def _modulation(self, reward: float, expected: np.ndarray) -> float:
        """M of one reward; the first only sets what is expected."""
        if np.isnan(expected):
            expected[...] = reward
        surplus = float(reward - expected)
        expected += (1 - self.memory) * surplus
        return surplus if self.modulation == "graded" else float(surplus > 0)
