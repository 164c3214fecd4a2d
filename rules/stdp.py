r"""Spike-timing-dependent plasticity of pairs of spikes (Song, Miller & Abbott 2000; Guetig et al. 2003).

    at an arrival       w_ji -= a_minus f_-(w_ji) y_j,   then x_i <- x_i + 1   (pairing = "nearest": x_i <- 1)
    at a spike of j     w_ji += a_plus  f_+(w_ji) x_i,   then y_j <- y_j + 1   (y_j <- 1)
    in between          dx/dt = -x / tau_plus,  dy/dt = -y / tau_minus

    dependence = "additive"          f_+ = f_- = w_max                                        Song et al. 2000
                 "multiplicative"    f_+ = w_max (1 - w/w_max)^mu,  f_- = w_max (w/w_max)^mu  Guetig et al. 2003
                 "power-law"         f_+ = w_0^(1 - mu) w^mu,       f_- = w                   Morrison et al. 2007

so that a pair with Delta = t_post - t_arrival changes a weight by a_plus f_+ exp(-Delta/tau_plus) for Delta >= 0 and by
-a_minus f_- exp(Delta/tau_minus) for Delta < 0. A weight sees a presynaptic spike when it arrives, after latency and
delay; one that arrives in the step of a postsynaptic spike comes before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Pairing, SignalKind, WithinTrial, postsynaptic_trace, presynaptic_trace
from snnplast.network import Fragment, Injection, Network, Projection
from snnplast.rules.references import GUETIG_2003, MORRISON_2007, SONG_2000
from snnplast.units import PositiveTime


class STDP(WithinTrial):
    """Pair-based STDP; weights change at every spike of either end, between 0 and the projection's upper bound.

    a_plus, a_minus: changes by a pair, in parts of the upper bound, defaults 0.005 and 0.00525 (Song et al. 2000),
        >= 0. tau_plus, tau_minus: windows, default 20 ms, > 0.
    dependence: of changes on the weight, "additive" (default), "multiplicative" or "power-law".
    mu: its exponent, default 1, >= 0; 0 is additive. w_0: reference weight of the power law, default 1, > 0.
    pairing: each spike with "all" (default) of the other end, or with the "nearest" before it.

    The projection needs bounds from 0 on: bounds=(0, 1); the power law only the lower one.

    >>> import snnplast as snn
    >>> net = snn.Network()
    >>> net.add("input", snn.PoissonSource(12)); net.add("hidden", snn.LIF(5))
    >>> net.connect("input", "hidden", weights=snn.Uniform(low=0, high=1), bounds=(0, 1), plastic=True)
    >>> task = snn.Samples([[0.9] * 12], steps=100)
    >>> with snn.open(snn.Experiment(net, task, snn.STDP(), epochs=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     bool((sim.weights["input_to_hidden"] != before["input_to_hidden"]).any())
    True
    """

    name: ClassVar[str] = "stdp"
    reference: ClassVar[str] = f"{SONG_2000}\n{GUETIG_2003}\n{MORRISON_2007}"
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "hidden"

    a_plus: Annotated[float, Field(ge=0, description="potentiation by a pair, in parts of the bound")] = 0.005
    a_minus: Annotated[float, Field(ge=0, description="depression by a pair, in parts of the bound")] = 0.00525
    tau_plus: Annotated[PositiveTime, Field(description="window of potentiation")] = "20 ms"
    tau_minus: Annotated[PositiveTime, Field(description="window of depression")] = "20 ms"
    dependence: Annotated[
        Literal["additive", "multiplicative", "power-law"], Field(description="of changes on the weight")
    ] = "additive"
    mu: Annotated[float, Field(ge=0, description="exponent of the weight dependence")] = 1.0
    w_0: Annotated[float, Field(gt=0, description="reference weight of the power law")] = 1.0
    pairing: Annotated[Pairing, Field(description="spikes of the other end that one is paired with")] = "all"

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        refuse_other_bounds(self.name, projection, upper=self.dependence != "power-law")
        arrivals, x = presynaptic_trace(projection, "x", self.tau_plus, self.pairing)
        spikes, y = postsynaptic_trace("y", self.tau_minus, self.pairing)
        up, down = self._dependence()
        constants = {"a_plus": self.a_plus, "a_minus": self.a_minus}
        if self.dependence != "additive":
            constants["mu"] = self.mu
        if self.dependence == "power-law":
            constants["w_0"] = self.w_0
        depressed, potentiated = f"w -= a_minus*{down}*{y}", f"w += a_plus*{up}*{x}"
        changes = Injection(synapse=Fragment((), constants, on_arrival=(depressed,), on_post=(potentiated,)))
        return changes.joined(arrivals, spikes)

    def _dependence(self) -> tuple[str, str]:
        """f_+ and f_-."""
        if self.dependence == "additive":
            return "w_max", "w_max"
        if self.dependence == "multiplicative":
            return "w_max*(1 - w/w_max)**mu", "w_max*(w/w_max)**mu"
        return "w_0**(1 - mu)*w**mu", "w"


def refuse_other_bounds(rule: str, projection: Projection, upper: bool = True) -> None:
    """Raise `UserError` for a projection whose weights are not kept at or above 0, and, with `upper`, below a bound."""
    low, high = projection.bounds
    excitatory = projection.sign is not None and bool(np.all(np.asarray(projection.sign) > 0))
    if (low == 0 or (low is None and excitatory)) and (high is not None or not upper):
        return
    needed = "between 0 and an upper bound; bounds=(0, 1)" if upper else "at least 0; bounds=(0, None)"
    raise UserError(
        f"rule {rule!r}: network.{projection.name}.bounds = {projection.bounds}: its weights lie {needed}, for one, is "
        "allowed"
    )
