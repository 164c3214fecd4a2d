r"""Reward-modulated Hebbian learning of a readout by exploration (Hoerzer, Legenstein & Maass 2014).

    o_k    = y_k + noise_k,   noise_k ~ N(0, sigma^2)        K steps of fresh noise
    dw_ji  = eta u_i sum_k (o_jk - obar_jk) M_k              u_i: presynaptic activity
    obar   <- memory obar + (1 - memory) o_k                 running average, before step k

M is the third factor, with "reward" 1 where the one reward P = -|o - o*|^2 exceeds its running average and 0 elsewhere:
no synapse knows more of the target. In the paper a readout moves on continuously, so that both running averages belong
to nearly the same target. Here one sample follows another at once. Therefore a readout explores each sample for K
steps after its response, while all else stands still, and both averages begin anew with the first of them.
Hidden layers stay as drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import (
    SGD,
    AnyOptimizer,
    AnyThirdFactor,
    Explores,
    Schedule,
    SignalKind,
    Signals,
    ThreeFactorRule,
)
from snnplast.network import Fragment, Injection, Network, Projection, RateReadout, Update, slots
from snnplast.rules.references import HOERZER_2014
from snnplast.task import Record, Segment


class RewardHebbian(Explores, ThreeFactorRule):
    """Reward-modulated Hebbian learning of readouts that act once per trial (Hoerzer et al. 2014).

    evaluation: "factored", the only one. third_factor: source of M, default "reward".
    optimizer: default SGD with a learning rate of 1e-2 that falls linearly to a tenth. surrogate: it has no part here.
    noise: sigma, default 0.5, > 0. steps: K, default 10, >= 2. memory: of obar, default 0.8, in [0, 1).

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.RewardHebbian(noise=0.3, steps=20)
    >>> with snn.open(snn.Experiment(small_network("rate"), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['second_to_output', 'output.bias']
    """

    name: ClassVar[str] = "reward-hebbian"
    reference: ClassVar[str] = HOERZER_2014
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "readouts"
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "sequential"

    evaluation: Annotated[Literal["factored"], Field(description="after the trial")] = "factored"
    third_factor: Annotated[AnyThirdFactor | None, Field(description="source of the reward M")] = "reward"
    optimizer: Annotated[AnyOptimizer, Field(description="eta and how it decays")] = SGD(
        learning_rate=1e-2, schedule=Schedule(name="linear")
    )
    noise: Annotated[float, Field(gt=0, description="standard deviation of the exploratory noise")] = 0.5
    steps: Annotated[int, Field(ge=2, description="steps of exploration per trial")] = 10
    memory: Annotated[float, Field(ge=0, lt=1, description="memory of the running average of the output")] = 0.8

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        target = network.populations[projection.target]
        if not isinstance(target, RateReadout):
            raise UserError(
                f"rule 'reward-hebbian': {projection.target!r} acts step by step; a readout that acts once per trial, "
                "RateReadout, is needed"
            )
        code = Update("explored = y + noise", *slots.SUMS)
        post = Fragment(("noise : 1", "explored : 1"), updates=(code,))
        return Injection(post=post, recorded=("post.explored",))

    def explore(self, network: Network, projections: Sequence[Projection], rng: np.random.Generator) -> list[Segment]:
        sizes = {p.target: network.populations[p.target].size for p in projections}
        noise = {f"{name}.noise": self.noise * rng.standard_normal((self.steps, n)) for name, n in sizes.items()}
        return [Segment(self.steps, series=noise, phase="explore")]

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        gradients: dict[str, np.ndarray] = {}
        for p in projections:
            readout = record.network.populations[p.target]
            if not isinstance(readout, RateReadout) or (given := signals[p.target]) is None:
                continue
            modulation = np.sum([signal.values for signal in given], axis=0)
            uphill = np.sum(modulation * self._deviations(record.activity(p.target)), axis=0)
            presynaptic = record.during("response").ends[f"{p.source}.{p.variable}"]
            gradients[p.name] = -record.wiring[p.name].outer(presynaptic, uphill)
            if readout.biased:
                gradients[f"{p.target}.bias"] = -uphill
        return gradients

    def _deviations(self, explored: np.ndarray) -> np.ndarray:
        """o - obar (K, n), obar being the running average of the steps before."""
        expected, deviations = explored[0].copy(), np.empty_like(explored)
        for deviation, now in zip(deviations, explored, strict=True):
            deviation[:] = now - expected
            expected += (1 - self.memory) * deviation
        return deviations
