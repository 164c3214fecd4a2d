r"""Inhibitory plasticity that brings neurons to a target rate (Vogels et al. 2011).

    at an arrival       |w_ji| += eta (y_j - alpha),   then x_i <- x_i + 1        alpha = 2 rho_0 tau
    at a spike of j     |w_ji| += eta x_i,             then y_j <- y_j + 1
    in between          dx/dt = -x/tau,  dy/dt = -y/tau

Spikes of both ends that are close in time, whichever comes first, make inhibition stronger; an arrival alone makes it
weaker. So it settles where the target neuron fires at rho_0. A weight sees a presynaptic spike when it arrives, after
latency and delay; one that arrives in the step of a postsynaptic spike comes before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import SignalKind, WithinTrial, postsynaptic_trace, presynaptic_trace
from snnplast.network import Fragment, Injection, Network, Projection
from snnplast.rules.references import VOGELS_2011
from snnplast.units import NonNegativeRate, PositiveTime


class VogelsInhibitory(WithinTrial):
    """Symmetric STDP of inhibitory synapses with a target rate of the neurons they reach (Vogels et al. 2011).

    eta: learning rate, in the unit of the weights, default 0.01, >= 0.
    rho_0: target rate, default 5 Hz, >= 0. tau: of both traces, default 20 ms, > 0.

    Inhibition may be written in either way: as weights at or below 0 (sign="inhibitory", or bounds such as (-1, 0)),
    or as weights at or above 0 of synapses that inhibit (bounds=(0, None), into="gi"). It grows away from 0 in both.

    >>> import snnplast as snn
    >>> net = snn.Network()
    >>> net.add("input", snn.PoissonSource(12)); net.add("hidden", snn.LIF(5))
    >>> net.connect("input", "hidden", name="excitation", weights=0.3)
    >>> net.connect("input", "hidden", weights=0.1, sign="inhibitory", plastic=True)
    >>> task = snn.Samples([[0.9] * 12], steps=100)
    >>> with snn.open(snn.Experiment(net, task, snn.VogelsInhibitory(), epochs=1, engine="runtime")) as sim:
    ...     update = sim.update()
    ...     bool(sim.weights["input_to_hidden"].mean() < -0.1)
    True
    """

    name: ClassVar[str] = "vogels-inhibitory"
    reference: ClassVar[str] = VOGELS_2011
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "hidden"

    eta: Annotated[float, Field(ge=0, description="learning rate, in the unit of the weights")] = 0.01
    rho_0: Annotated[NonNegativeRate, Field(description="target rate")] = "5 Hz"
    tau: Annotated[PositiveTime, Field(description="time constant of the traces")] = "20 ms"

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        grow, shrink = ("+", "-") if _positive(self.name, projection) else ("-", "+")
        arrivals, x = presynaptic_trace(projection, "x", self.tau)
        spikes, y = postsynaptic_trace("y", self.tau)
        constants = {"eta": self.eta, "alpha": 2 * self.rho_0 * self.tau}
        arrived, fired = f"w {shrink}= eta*(alpha - {y})", f"w {grow}= eta*{x}"
        changes = Injection(synapse=Fragment((), constants, on_arrival=(arrived,), on_post=(fired,)))
        return changes.joined(arrivals, spikes)


def _positive(rule: str, projection: Projection) -> bool:
    """Whether inhibition is written as positive weights. Raises `UserError` for weights on both sides of 0."""
    low, high = projection.limits(np.arange(1) if np.ndim(projection.sign) == 0 else np.arange(len(projection.sign)))
    if low is not None and np.all(np.asarray(low) >= 0):
        return True
    if high is not None and np.all(np.asarray(high) <= 0):
        return False
    raise UserError(
        f"rule {rule!r}: network.{projection.name}.bounds = {projection.bounds}: its weights lie on both sides of 0; "
        "sign='inhibitory', or bounds=(0, None) for synapses that inhibit with positive weights, is allowed"
    )
