r"""Readout error: a broadcast of each readout's error to the hidden neurons.

    L_j^t = sum_k B_jk E_k^t,   feedback B random and fixed, or symmetric: B = Wout^T

E is the derivative of the task's loss by the readout's activity. A projection named 'feedback_<population>' that the
network already holds is used as B instead of random weights (explicit feedback).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.connectivity import ExplicitPairs
from snnplast.errors import UserError
from snnplast.network import Network, Wiring
from snnplast.readouts import LeakyReadout
from snnplast.rules.references import BELLEC_2020
from snnplast.third_factor import Broadcast, Context, SignalKind, State, ThirdFactor
from snnplast.trial import Record
from snnplast.weights import Gaussian


class ReadoutError(ThirdFactor):
    """The learning signal of e-prop (Bellec et al. 2020).

    feedback: "random" (fixed, B ~ N(0, scale^2)) or "symmetric" (the readout's weights, copied before each update).
    scale: standard deviation of random feedback, default 1, >= 0.
    """

    name: ClassVar[str] = "readout-error"
    reference: ClassVar[str] = BELLEC_2020

    feedback: Annotated[Literal["random", "symmetric"], Field(description="feedback weights B")] = "random"
    scale: Annotated[float, Field(ge=0, description="standard deviation of random B")] = 1.0

    def kind(self, context: Context, population: str) -> SignalKind:
        readout = context.network.population(context.objective.readout)
        if isinstance(readout, LeakyReadout):
            return SignalKind("learning_signal", "step", readout.tau_m)
        return SignalKind("learning_signal", "trial")

    def extend(self, context: Context) -> Network:
        network, readout = context.network.copy(), context.objective.readout
        simulated = context.online and isinstance(network.population(readout), LeakyReadout)
        for target in context.targets:
            name = f"feedback_{target}"
            if name in network.projections and self.feedback == "random":
                network.simulate(name, simulated)
                continue
            settings = {}
            if self.feedback == "symmetric":
                forward = f"{target}_to_{readout}"
                if forward not in network.projections:
                    raise UserError(
                        f"third factor 'readout-error': symmetric feedback to {target!r} needs a projection {forward!r}"
                    )
                pre, post = _pairs(network, forward)
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
                **{"weights": Gaussian(std=self.scale), **settings},
            )
        return network

    def prepare(self, network: Network, values: Mapping[str, np.ndarray], wiring: Mapping[str, Wiring]) -> None:
        if self.feedback != "symmetric":
            return
        for name, projection in network.projections.items():
            if projection.into == "learning_signal":
                forward, back = f"{projection.target}_to_{projection.source}", wiring[name]
                values[name][:] = wiring[forward].matrix(values[forward]).T[back.pre, back.post]

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
