r"""STDP of triplets of spikes (Pfister & Gerstner 2006): what a pair does depends on how often both have fired lately.

    at an arrival       w_ji -= w_0 o1_j (A2- + A3- r2_i),   then r1_i <- r1_i + 1, r2_i <- r2_i + 1
    at a spike of j     w_ji += w_0 r1_i (A2+ + A3+ o2_j),   then o1_j <- o1_j + 1, o2_j <- o2_j + 1
    in between          dr1/dt = -r1/tau_plus,  dr2/dt = -r2/tau_x,  do1/dt = -o1/tau_minus,  do2/dt = -o2/tau_y

with <- 1 in place of + 1 where pairing = "nearest". A spike reads r2 and o2 as they were before it. A weight sees a
presynaptic spike when it arrives, after latency and delay; one that arrives in the step of a postsynaptic spike comes
before it. Constants are those that the paper fitted (its tables 3 and 4), A in 1e-3, tau in ms; tau_plus = 16.8 ms and
tau_minus = 33.7 ms throughout:

    preset           model      pairing     A2+      A3+     A2-     A3-      tau_x    tau_y
    visual-cortex    minimal    all         0        6.5     7.1     0                 114
                                nearest     0        50      8       0                 40
                     full       all         5e-7     6.2     7       0.23     101      125
                                nearest     8.8e-8   53      6.6     3.1      714      40
    hippocampus      minimal    all         5.3      8       3.5     0                 40
                                nearest     4.6      9.1     3       0                 48
                     full       all         6.1      6.7     1.6     1.4      946      27
                                nearest     4.6      9.1     3       7.5e-6   575      47
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Pairing, SignalKind, WithinTrial, postsynaptic_trace, presynaptic_trace
from snnplast.network import Fragment, Injection, Network, Projection
from snnplast.rules.references import PFISTER_2006
from snnplast.rules.stdp import refuse_other_bounds
from snnplast.units import PositiveTime


class _Fit(NamedTuple):
    """Constants of one fit of the paper; times in s."""

    a2_plus: float
    a3_plus: float
    a2_minus: float
    a3_minus: float
    tau_x: float | None
    tau_y: float


FITS = {
    ("visual-cortex", "minimal", "all"): _Fit(0.0, 6.5e-3, 7.1e-3, 0.0, None, 0.114),
    ("visual-cortex", "minimal", "nearest"): _Fit(0.0, 5e-2, 8e-3, 0.0, None, 0.040),
    ("visual-cortex", "full", "all"): _Fit(5e-10, 6.2e-3, 7e-3, 2.3e-4, 0.101, 0.125),
    ("visual-cortex", "full", "nearest"): _Fit(8.8e-11, 5.3e-2, 6.6e-3, 3.1e-3, 0.714, 0.040),
    ("hippocampus", "minimal", "all"): _Fit(5.3e-3, 8e-3, 3.5e-3, 0.0, None, 0.040),
    ("hippocampus", "minimal", "nearest"): _Fit(4.6e-3, 9.1e-3, 3e-3, 0.0, None, 0.048),
    ("hippocampus", "full", "all"): _Fit(6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 0.946, 0.027),
    ("hippocampus", "full", "nearest"): _Fit(4.6e-3, 9.1e-3, 3e-3, 7.5e-9, 0.575, 0.047),
}

Amplitude = Annotated[float | None, Field(ge=0)]


class TripletSTDP(WithinTrial):
    """Triplet STDP; weights change at every spike of either end, and stay at or above 0.

    preset: data that constants were fitted to, "visual-cortex" (default) or "hippocampus".
    model: "minimal" (default), or "full", in which depression depends on triplets as well.
    pairing: each spike with "all" (default) of the others, or with the "nearest" before it.
    a2_plus, a3_plus, a2_minus, a3_minus: A2+, A3+, A2- and A3-, in parts of w_0, >= 0; default those of the table.
    tau_plus, tau_minus: windows of pairs, defaults 16.8 and 33.7 ms, > 0.
    tau_x, tau_y: windows of triplets, > 0; default those of the table.
    w_0: weight that the changes are parts of, default 1, > 0: in the paper, the weight before the experiment.

    The projection needs bounds from 0 on, such as bounds=(0, None).

    >>> import snnplast as snn
    >>> net = snn.Network()
    >>> net.add("input", snn.PoissonSource(12)); net.add("hidden", snn.LIF(5))
    >>> net.connect("input", "hidden", weights=snn.Uniform(low=0, high=1), bounds=(0, None), plastic=True)
    >>> task, rule = snn.Samples([[0.9] * 12], steps=100), snn.TripletSTDP(preset="hippocampus", a3_plus=0.01)
    >>> with snn.open(snn.Experiment(net, task, rule, epochs=1, engine="runtime")) as sim:
    ...     before, update = sim.snapshot(), sim.update()
    ...     bool((sim.weights["input_to_hidden"] != before["input_to_hidden"]).any())
    True
    """

    name: ClassVar[str] = "triplet-stdp"
    reference: ClassVar[str] = PFISTER_2006
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "hidden"

    preset: Annotated[Literal["visual-cortex", "hippocampus"], Field(description="data of the fit")] = "visual-cortex"
    model: Annotated[Literal["minimal", "full"], Field(description="of how many constants")] = "minimal"
    pairing: Annotated[Pairing, Field(description="spikes that one is paired with")] = "all"
    a2_plus: Annotated[Amplitude, Field(description="potentiation by a pair, none for the fit's")] = None
    a3_plus: Annotated[Amplitude, Field(description="potentiation by a triplet, none for the fit's")] = None
    a2_minus: Annotated[Amplitude, Field(description="depression by a pair, none for the fit's")] = None
    a3_minus: Annotated[Amplitude, Field(description="depression by a triplet, none for the fit's")] = None
    tau_plus: Annotated[PositiveTime, Field(description="window of potentiation by pairs")] = "16.8 ms"
    tau_minus: Annotated[PositiveTime, Field(description="window of depression by pairs")] = "33.7 ms"
    tau_x: Annotated[PositiveTime | None, Field(description="of presynaptic triplets, none for the fit's")] = None
    tau_y: Annotated[PositiveTime | None, Field(description="of postsynaptic triplets, none for the fit's")] = None
    w_0: Annotated[float, Field(gt=0, description="weight that changes are parts of")] = 1.0

    @property
    def constants(self) -> dict[str, float | None]:
        """A and tau of the fit, with those that were given in their place; times in s, tau_x none where it has no part.

        >>> TripletSTDP(a2_plus=0.001).constants["a2_plus"], TripletSTDP().constants["tau_y"]
        (0.001, 0.114)
        """
        fit = FITS[self.preset, self.model, self.pairing]._asdict()
        return {name: value if getattr(self, name) is None else getattr(self, name) for name, value in fit.items()}

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        refuse_other_bounds(self.name, projection, upper=False)
        fit = self.constants
        amplitudes = {name: value for name, value in fit.items() if name.startswith("a")}
        traces: list[Injection] = []
        down, up = "a2_minus", "a2_plus"
        arrivals, r1 = presynaptic_trace(projection, "r1", self.tau_plus, self.pairing)
        spikes, o1 = postsynaptic_trace("o1", self.tau_minus, self.pairing)
        if fit["a3_minus"]:
            if fit["tau_x"] is None:
                raise UserError(
                    f"rule {self.name!r}: a3_minus = {fit['a3_minus']:g}: the minimal model has no tau_x; a time, such "
                    "as '101 ms', is needed"
                )
            more, r2 = presynaptic_trace(projection, "r2", fit["tau_x"], self.pairing)
            traces.append(more)
            down = f"(a2_minus + a3_minus*{r2})"
        if fit["a3_plus"]:
            more, o2 = postsynaptic_trace("o2", fit["tau_y"], self.pairing)
            traces.append(more)
            up = f"(a2_plus + a3_plus*{o2})"
        depressed, potentiated = f"w -= w_0*{down}*{o1}", f"w += w_0*{up}*{r1}"
        constants = {**amplitudes, "w_0": self.w_0}
        changes = Injection(synapse=Fragment((), constants, on_arrival=(depressed,), on_post=(potentiated,)))
        return changes.joined(arrivals, spikes, *traces)
