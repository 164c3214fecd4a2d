r"""Readout error: a broadcast of each readout's error to the hidden neurons.

    L_j^t = sum_k B_jk E_k^t

E is the derivative of the task's loss by the readout's activity, at every step, or once per trial for a `RateReadout`.
There, and for the layer it reads, symmetric feedback is what back-propagation hands to z. The feedback B is one of

    random      fixed, B ~ N(0, scale^2)
    symmetric   B = Wout^T, copied before each update
    adaptive    random at first, then it learns what the readout learns:  G^B = (G^out)^T + decay B

With a weight_decay of the readout's optimiser equal to `decay`, adaptive feedback becomes symmetric in time (Kolen &
Pollack 1994). A projection named 'feedback_<population>' that the
network already holds is used as B instead of random weights (explicit feedback).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.connectivity import ExplicitPairs
from snnplast.errors import UserError
from snnplast.network import Network, Projection, Wiring
from snnplast.readouts import LeakyReadout
from snnplast.rules.references import BELLEC_2020
from snnplast.third_factor import Broadcast, Context, SignalKind, State, ThirdFactor
from snnplast.trial import Record
from snnplast.weights import Gaussian


class ReadoutError(ThirdFactor):
    """The learning signal of e-prop (Bellec et al. 2020).

    feedback: "random", "symmetric" or "adaptive", see above.
    scale: standard deviation of random and of initial adaptive feedback, default 1, >= 0.
    decay: of adaptive feedback, default 0, >= 0.
    """

    name: ClassVar[str] = "readout-error"
    reference: ClassVar[str] = BELLEC_2020

    feedback: Annotated[Literal["random", "symmetric", "adaptive"], Field(description="feedback weights B")] = "random"
    scale: Annotated[float, Field(ge=0, description="standard deviation of random B")] = 1.0
    decay: Annotated[float, Field(ge=0, description="decay of adaptive B: decay * B is added to its gradient")] = 0.0

    def kind(self, context: Context, population: str) -> SignalKind:
        readout = context.network.population(context.objective.readout)
        if isinstance(readout, LeakyReadout):
            return SignalKind("learning_signal", "step", readout.tau_m)
        return SignalKind("learning_signal", "trial")

    def extend(self, context: Context) -> Network:
        network, readout = context.network.copy(), context.objective.readout
        learns = self.feedback == "adaptive"
        simulated = context.online and isinstance(network.population(readout), LeakyReadout)
        for target in context.targets:
            name = f"feedback_{target}"
            forward = None if self.feedback == "random" else self._forward(network, target, readout)
            if name in network.projections and self.feedback != "symmetric":
                network.change(name, simulated=simulated, plastic=learns)
                continue
            settings = {}
            if self.feedback == "symmetric" and forward is not None:
                pre, post = _pairs(network, forward.name)
                settings = {"connectivity": ExplicitPairs(pre=post, post=pre), "weights": 0.0}
            network.projections.pop(name, None)
            network.connect(
                readout,
                target,
                name=name,
                kind="analog",
                variable="error",
                into="learning_signal",
                simulated=simulated,
                plastic=learns,
                **{"weights": Gaussian(std=self.scale), **settings},
            )
        return network

    def _forward(self, network: Network, target: str, readout: str) -> Projection:
        """The projection whose weights the feedback to a population follows."""
        found = network.between(target, readout)
        if len(found) != 1 or (self.feedback == "adaptive" and not found[0].plastic):
            raise UserError(
                f"third factor 'readout-error': {self.feedback} feedback to {target!r} needs one "
                f"{'plastic ' if self.feedback == 'adaptive' else ''}projection from {target!r} to {readout!r}; "
                f"found: {', '.join(p.name for p in found) or 'none'}"
            )
        return found[0]

    def _pairs_of(self, context: Context) -> Iterator[tuple[str, str]]:
        """(feedback, forward) projection of every population that it serves."""
        for target in context.targets:
            yield f"feedback_{target}", self._forward(context.network, target, context.objective.readout).name

    def prepare(self, context: Context, values: Mapping[str, np.ndarray], wiring: Mapping[str, Wiring]) -> None:
        if self.feedback == "symmetric":
            for name, forward in self._pairs_of(context):
                back = wiring[name]
                values[name][:] = wiring[forward].matrix(values[forward]).T[back.pre, back.post]

    def parameters(self, context: Context) -> tuple[str, ...]:
        return tuple(f"feedback_{target}" for target in context.targets) if self.feedback == "adaptive" else ()

    def adapt(
        self,
        context: Context,
        gradients: Mapping[str, np.ndarray],
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> dict[str, np.ndarray]:
        found = {}
        for name, forward in self._pairs_of(context):
            back = wiring[name]
            if forward in gradients:
                transposed = wiring[forward].matrix(gradients[forward]).T[back.pre, back.post]
                found[name] = transposed + self.decay * values[name]
        return found

    def signal(self, record: Record, targets: Sequence[str], state: State) -> dict[str, np.ndarray | Broadcast]:
        return {target: self._broadcast(record, f"feedback_{target}") for target in targets}

    def _broadcast(self, record: Record, name: str) -> np.ndarray | Broadcast:
        readout = record.network.projections[name].source
        error, feedback = record.series[f"{readout}.error"], record.wiring[name].matrix(record.values[name])
        return error[0] @ feedback if f"{readout}.y" in record.response else Broadcast(error, feedback)


def _pairs(network: Network, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a projection whose connectivity does not depend on random numbers."""
    p = network.projections[name]
    shape = network.populations[p.source].size, network.populations[p.target].size
    drawn = [p.connectivity.pairs(np.random.default_rng(seed), *shape, not p.self_connections) for seed in (0, 1)]
    if not np.array_equal(drawn[0], drawn[1]):
        raise UserError(f"third factor 'readout-error': symmetric feedback needs fixed pairs in {name!r}")
    return drawn[0]
