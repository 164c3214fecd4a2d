r"""E-prop: eligibility propagation for recurrent spiking networks.

    v_j^t    = alpha v_j^{t-1} + c (sum_i Win_ji x_i^t + sum_i Wrec_ji z_i^{t-1}) - theta z_j^{t-1}
    psi_j^t  = 0 while refractory, else gamma max(0, 1 - |v_j^t - theta| / theta),  gamma = 0.3 / theta
    zbar_i^t = alpha zbar_i^{t-1} + c q_i^t,   q = x_i^t (input) or z_i^{t-1} (recurrent)
    e_ji^t   = psi_j^t zbar_i^t
    ebar^t   = kappa ebar^{t-1} + (1-kappa) e^t
    G_ji     = sum_t L_j^t ebar_ji^t + R_j sum_t e_ji^t
    Gout_kj  = sum_t E_k^t zo_j^t,  zo_j^t = kappa zo_j^{t-1} + (1-kappa) z_j^t

L comes from the third factor (learning signal), R from a regulariser such as `firing-rate`, E is the readout's error.
Both faces and their agreement: `snnplast.learning.eligibility`, `snnplast.learning.gradient`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.learning import Adam, AnyOptimizer, AnyThirdFactor, Part, Signals, ThreeFactorRule
from snnplast.network import Network, Projection
from snnplast.rules.references import BELLEC_2020
from snnplast.task import Record


class EProp(ThreeFactorRule):
    """Eligibility propagation (Bellec et al. 2020), for LIF, ALIF and, with derived traces, other neurons.

    third_factor: learning signal L, default "readout-error".
    optimizer: default Adam with a learning rate of 5e-3.
    average_gradient: divide all gradients by this many steps (the learning window of a classification), default 1,
        >= 1.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.EProp(batch=4, average_gradient=60)
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['input_to_first', 'first_to_first', 'first_to_second', 'second_to_output']
    """

    name: ClassVar[str] = "e-prop"
    reference: ClassVar[str] = BELLEC_2020

    third_factor: Annotated[AnyThirdFactor | None, Field(description="learning signal L")] = "readout-error"
    optimizer: Annotated[AnyOptimizer, Field(description="how gradients change weights")] = Adam(learning_rate=5e-3)
    average_gradient: Annotated[int, Field(ge=1, description="steps that gradients are divided by")] = 1

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        gradients = super().gradient(record, projections, signals)
        if self.average_gradient == 1:
            return gradients
        return {name: gradient / self.average_gradient for name, gradient in gradients.items()}

    def swept(self, network: Network, projections: Sequence[Projection]) -> tuple[Part, ...] | None:
        found = super().swept(network, projections)
        return found and tuple(replace(one, divisor=float(self.average_gradient)) for one in found)
