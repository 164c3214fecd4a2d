r"""STDP that a reward makes to last (Izhikevich 2007; Fremaux & Gerstner 2016).

    at an arrival       c_ji -= a_minus y_j,   then x_i <- x_i + 1   (pairing = "nearest": x_i <- 1)
    at a spike of j     c_ji += a_plus x_i,    then y_j <- y_j + 1   (y_j <- 1)
    in between          dx/dt = -x/tau_plus,   dy/dt = -y/tau_minus,   dc/dt = -c/tau_c
    at every step       w_ji += c_ji M_j dt/(1 s),   then c decays

c is the eligibility of a synapse: what STDP would have done. M is the third factor, dopamine or any other with a signal
at every step. A step reads c with the arrivals of that step and the postsynaptic spikes before it, and M of that step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import (
    AnyThirdFactor,
    Modulated,
    Pairing,
    SignalKind,
    WithinTrial,
    postsynaptic_trace,
    presynaptic_trace,
)
from snnplast.network import Fragment, Injection, Network, Projection, Update, slots
from snnplast.rules.references import FREMAUX_2016, IZHIKEVICH_2007
from snnplast.units import PositiveTime


class RewardSTDP(WithinTrial, Modulated):
    """Reward-modulated STDP: pairs make synapses eligible, a third factor changes them, seconds later if need be.

    third_factor: source of M, default "dopamine"; one with a signal at every step. regularisers: further ones, added.
    a_plus, a_minus: eligibility that a pair leaves, defaults 0.1 and 0.15 (as in Izhikevich's script), in weights per
        second and unit of M; of any sign: an M that is an error and not a reward needs both negative.
    tau_plus, tau_minus: windows of pairs, default 20 ms, > 0. tau_c: of the eligibility, default 1 s, > 0.
    pairing: each spike with "all" (default) of the other end, or with the "nearest" before it.

    Weights have any sign; `bounds` and `sign` of the projection keep them where they belong.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> rule = snn.RewardSTDP(third_factor=snn.ReadoutError(), a_plus=-1, a_minus=-1, tau_c="50 ms")
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     [name for name in before if (sim.weights[name] != before[name]).any()]
    ['input_to_first', 'first_to_first', 'first_to_second']
    """

    name: ClassVar[str] = "reward-stdp"
    reference: ClassVar[str] = f"{IZHIKEVICH_2007}\n{FREMAUX_2016}"
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "hidden"

    third_factor: Annotated[AnyThirdFactor | None, Field(description="source of the modulation M")] = "dopamine"
    a_plus: Annotated[float, Field(description="eligibility that a spike after an arrival leaves")] = 0.1
    a_minus: Annotated[float, Field(description="eligibility that an arrival after a spike takes away")] = 0.15
    tau_plus: Annotated[PositiveTime, Field(description="window of spikes after arrivals")] = "20 ms"
    tau_minus: Annotated[PositiveTime, Field(description="window of arrivals after spikes")] = "20 ms"
    tau_c: Annotated[PositiveTime, Field(description="time constant of the eligibility")] = "1 s"
    pairing: Annotated[Pairing, Field(description="spikes of the other end that one is paired with")] = "all"

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        if not kinds:
            raise UserError(
                f"rule {self.name!r}: third_factor = None: nothing is learned; 'dopamine', for one, is needed"
            )
        arrivals, x = presynaptic_trace(projection, "x", self.tau_plus, self.pairing)
        spikes, y = postsynaptic_trace("y", self.tau_minus, self.pairing)
        modulation = " + ".join(f"{kind.variable}_post" for kind in kinds)
        learnt = f"w += eligibility*({modulation})*dt/second\neligibility = eligibility*exp(-dt/tau_c)"
        synapse = Fragment(
            ("eligibility : 1",),
            {"a_plus": self.a_plus, "a_minus": self.a_minus, "tau_c": self.tau_c},
            {"tau_c": "second"},
            (Update(learnt, *slots.TRACES),),
            on_arrival=(f"eligibility -= a_minus*{y}",),
            on_post=(f"eligibility += a_plus*{x}",),
        )
        return Injection(synapse=synapse).joined(arrivals, spikes)
