r"""SuperSpike: spike trains that are wanted at given times, by surrogate gradients (Zenke & Ganguli 2018).

    loss   = 1/2 sum_t (alpha * (S - S*))^2                      van Rossum distance of spike trains S and S*
    psi_j  = 1 / (1 + |v_j - theta| / width)^2                   surrogate derivative of a spike
    G_ji   = sum_t L_j^t (alpha * (psi_j (epsilon * S_i)))^t      L_j^t = sum_k B_jk (alpha * (S_k - S*_k))^t

epsilon is a postsynaptic potential of neuron j, alpha a double exponential, both of the loss and of the eligibility
trace. Here a readout with tau_rise carries alpha * S of the neurons whose spikes are wanted, one each, and its target
is alpha * S*: then the van Rossum distance is the mean squared error, its error is that of the paper, and the third
factor `readout-error` hands it to those neurons through a projection 'feedback_<population>' of ones, and to hidden
layers through random weights. The model `spike-pattern` is made so.

In the paper each weight has a learning rate of its own, r over the root of a decaying maximum of its squared gradient;
here that is Adam's, which takes their mean.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from snnplast.learning import Adam, AnyOptimizer, AnySurrogate, AnyThirdFactor, ThreeFactorRule
from snnplast.rules.references import ZENKE_2018


class SuperSpike(ThreeFactorRule):
    """SuperSpike (Zenke & Ganguli 2018).

    third_factor: source of L, default "readout-error".
    optimizer: default Adam with a learning rate of 3e-2.
    surrogate: psi, default fast sigmoid of height 1 and a tenth of the threshold's width, as published.

    >>> import snnplast as snn
    >>> from snnplast.models.spike_pattern import SpikePattern
    >>> model = SpikePattern(duration="50 ms")
    >>> experiment = snn.Experiment(model.network(), model.task(0), snn.SuperSpike(), iterations=1, engine="runtime")
    >>> with snn.open(experiment) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['input_to_output']
    """

    name: ClassVar[str] = "superspike"
    reference: ClassVar[str] = ZENKE_2018

    third_factor: Annotated[AnyThirdFactor | None, Field(description="source of the error L")] = "readout-error"
    optimizer: Annotated[AnyOptimizer, Field(description="how gradients change weights")] = Adam(learning_rate=3e-2)
    surrogate: Annotated[AnySurrogate, Field(description="surrogate derivative psi")] = {
        "name": "fast-sigmoid",
        "height": 1.0,
        "relative_width": 0.1,
    }
