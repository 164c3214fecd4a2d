r"""IB-Hebbian: the information-bottleneck Hebbian rule on spiking neurons.

    zbar_j^t = alpha zbar_j^{t-1} + s_j^t                       presynaptic trace
    E_ij     = sum_t psi_i^t zbar_j^t                           local term of one sample
    dw_ij    = -(eta / T) xi_i E_ij                             once per sample, when the factor is ready
    db_i     = rate (r* - r_i)                                  homeostasis, every sample
    dV       = -eta_o z (p - y)^T,  dc = -eta_o (p - y)         readout on z, every sample

xi is the third factor of the neuron's layer: the gradient of the HSIC objective, or what a reservoir makes of it.
The local term stands for the derivative of the neuron's firing rate r_i by the weight. It is one of

    surrogate   psi_i^t = max(0, 1 - |v_i^t - theta| / theta)   v before the reset; or another surrogate derivative
    spike       psi_i^t = s_i^t                                 Hebb's term: a spike after recent input
    rate        psi_i^t = 1 where r_i > 0, else 0               derivative of a threshold-linear rate, as in the
                                                                authors' code (whose dt/tau is left to eta)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.learning import (
    SGD,
    AnyOptimizer,
    AnySurrogate,
    AnyThirdFactor,
    Optimizer,
    Part,
    PiecewiseLinear,
    Pulled,
    Schedule,
    Signals,
    Swept,
    ThreeFactorRule,
)
from snnplast.learning.eligibility import gated, learnt_constants
from snnplast.network import Network, Projection, SpikingPopulation
from snnplast.rules.references import DARUWALLA_2024
from snnplast.task import Record
from snnplast.units import NonNegativeRate


class Homeostasis(Description):
    r"""Bias b_i <- b_i + rate (target - r_i) after every sample, r_i the firing rate in Hz.

    rate: default 2e-6 per Hz, >= 0. target: r*, default 50 Hz, >= 0.
    """

    rate: Annotated[float, Field(ge=0, description="bias change per Hz and sample")] = 2e-6
    target: Annotated[NonNegativeRate, Field(description="target rate r*")] = "50 Hz"


class IBHebbian(ThreeFactorRule):
    """Information-bottleneck Hebbian rule (Daruwalla & Lipasti 2024), one update per sample.

    third_factor: source of xi, default "hsic".
    optimizer: of hidden weights, default SGD with a learning rate of 1e-2 that falls linearly to a tenth.
    local: "surrogate" (default), "spike" or "rate", the local term; "rate" is larger and wants a tenth of the learning
    rate. surrogate: psi of the first; the others ignore it.
    homeostasis: keeps firing rates, where the population has a bias. readout_optimizer: eta_o of the readout.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.IBHebbian(third_factor="random", homeostasis=None)
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['input_to_first', 'first_to_first', 'first_to_second', 'second_to_output']
    """

    name: ClassVar[str] = "ib-hebbian"
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "sequential"
    reference: ClassVar[str] = DARUWALLA_2024

    third_factor: Annotated[AnyThirdFactor | None, Field(description="source of xi")] = "hsic"
    optimizer: Annotated[AnyOptimizer, Field(description="how gradients change hidden weights")] = SGD(
        learning_rate=1e-2, schedule=Schedule(name="linear")
    )
    readout_optimizer: Annotated[AnyOptimizer, Field(description="how errors change the readout")] = SGD(
        learning_rate=2e-2, schedule=Schedule(name="linear")
    )
    surrogate: Annotated[AnySurrogate, Field(description="surrogate derivative psi")] = PiecewiseLinear(
        height=1.0, per_threshold=False
    )
    local: Annotated[Literal["surrogate", "spike", "rate"], Field(description="local term: what psi is")] = "surrogate"
    homeostasis: Annotated[Homeostasis | None, Field(description="keeps firing rates")] = Homeostasis()

    def parameters(self, network: Network, projections: Sequence[Projection]) -> dict[str, Optimizer | None]:
        learnt: dict[str, Optimizer | None] = {}
        for p in projections:
            target = network.populations[p.target]
            learnt[p.name] = self.readout_optimizer if target.readout else None
            if target.readout:
                learnt |= {f"{p.target}.{key}": self.readout_optimizer for key in target.parameters}
                continue
            constants = learnt_constants(network, p.target)
            learnt |= dict.fromkeys(constants)
            if self._has_homeostasis(network, p.target):
                if f"{p.target}.bias" in constants:
                    raise UserError(
                        f"rule {self.name!r}: network.{p.target}.learnable: homeostasis sets 'bias' already; "
                        "homeostasis=None, or no learnable 'bias', is needed"
                    )
                learnt[f"{p.target}.bias"] = SGD(learning_rate=1.0)
        return learnt

    def postsynaptic(self, target: SpikingPopulation) -> str:
        per = "" if target.distance_unit == "1" else f"/({target.threshold_scale})"
        if self.local == "spike":
            return gated(f"int({target.threshold}){per}", target)
        return f"1{per}" if self.local == "rate" else super().postsynaptic(target)

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        network = record.network
        gradients = super().gradient(record, projections, signals)
        for p in projections:
            if p.name in gradients and not network.populations[p.target].readout:
                gradients[p.name] = gradients[p.name] / record.steps
                if self.local == "rate":
                    gradients[p.name] *= (record.counts(p.target) > 0)[record.wiring[p.name].post]
        for target in dict.fromkeys(p.target for p in projections):
            for name in gradients.keys() & learnt_constants(network, target).keys():
                gradients[name] = gradients[name] / record.steps
                if self.local == "rate":
                    gradients[name] *= record.counts(target) > 0
            if self._has_homeostasis(network, target):
                assert self.homeostasis is not None
                excess = record.rates(target) - self.homeostasis.target
                gradients[f"{target}.bias"] = self.homeostasis.rate * excess
        return gradients

    def swept(self, network: Network, projections: Sequence[Projection]) -> tuple[Part, ...] | None:
        found = super().swept(network, projections)
        if found is None or self.local == "rate":
            return None
        parts = [replace(part, per_step=True) if isinstance(part, Swept) else part for part in found]
        for target in dict.fromkeys(p.target for p in projections):
            if self.homeostasis is not None and self._has_homeostasis(network, target):
                parts.append(Pulled(target, f"{target}.bias", self.homeostasis.rate, self.homeostasis.target))
        return tuple(parts)

    def _has_homeostasis(self, network: Network, target: str) -> bool:
        population = network.populations[target]
        return self.homeostasis is not None and not population.readout and "bias" in population.parameters
