r"""DECOLLE: deep continuous local learning of layers by errors of their own (Kaiser, Mostafa & Neftci 2020).

    psi_j^t  = surrogate derivative of neuron j's spike by its membrane
    zbar_i^t = trace of neuron i's spikes as the membrane of j sees them
    G_ji     = sum_t L_j^t psi_j^t zbar_i^t,   L_j^t = sum_k G_kj E_k^t

L is the third factor `local-readout`: E is the error of a fixed random readout G of j's own population, at this step.
So nothing is handed through layers or back in time, and no trace has a filter beyond the membrane's. In the paper the
readout of the last layer answers; here the network's own readout does, and learns by the delta rule.

Traces are those of `snnplast.learning.eligibility`, for any neuron; those of the paper's, whose input decays with a
time constant of its own before the membrane's, are of two exponentials.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from snnplast.learning import Adam, AnyOptimizer, AnySurrogate, AnyThirdFactor, ThreeFactorRule
from snnplast.rules.references import KAISER_2020


class DECOLLE(ThreeFactorRule):
    """Deep continuous local learning (Kaiser et al. 2020).

    third_factor: source of L, default "local-readout".
    optimizer: default Adam with a learning rate of 5e-3.
    surrogate: psi, default boxcar of height 1 and half the threshold's width, as published.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.DECOLLE(batch=4)
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['input_to_first', 'first_to_first', 'first_to_second', 'second_to_output']
    """

    name: ClassVar[str] = "decolle"
    reference: ClassVar[str] = KAISER_2020

    third_factor: Annotated[AnyThirdFactor | None, Field(description="source of the error L")] = "local-readout"
    optimizer: Annotated[AnyOptimizer, Field(description="how gradients change weights")] = Adam(learning_rate=5e-3)
    surrogate: Annotated[AnySurrogate, Field(description="surrogate derivative psi")] = {
        "name": "boxcar",
        "height": 1.0,
        "relative_width": 0.5,
    }
