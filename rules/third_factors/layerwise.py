"""What third factors of layer-wise rules share: one trial signal per layer, made ready by a chain of transforms."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.errors import UserError
from snnplast.learning import Context, SignalKind, State, ThirdFactor
from snnplast.rules.third_factors.transforms import AnyTransform, Clip, GainControl, LayerNormJacobian, chain_of
from snnplast.task import Record


class LayerwiseFactor(ThirdFactor):
    """One signal xi (n,) per layer and trial, a gradient with respect to the layer's rate representation z.

    transforms: what happens to xi before the synapses receive it, in order; default: the Jacobian of the layer
    normalisation, gain control, clipping at 5. Gain control remembers earlier trials, so those of a batch take turns.
    """

    batch_mode: ClassVar[Literal["independent", "sequential"]] = "sequential"
    transforms: Annotated[tuple[AnyTransform, ...], Field(description="applied to the raw signal, in order")] = (
        LayerNormJacobian(),
        GainControl(),
        Clip(),
    )

    def kind(self, context: Context, population: str) -> SignalKind:
        if context.network.population(population).rate_representation is None:
            raise UserError(
                f"third factor {self.name!r}: population {population!r} has no rate representation; "
                "describe it with representation=LayerNorm()"
            )
        return SignalKind("xi", "trial")

    def init(self, context: Context) -> State:
        chain, network = chain_of(self.transforms), context.network
        return {k: v for name in context.targets for k, v in chain.init(name, network.populations[name].size).items()}

    def signal(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        raw = self.raw(record, context, state)
        chain = chain_of(self.transforms)
        return {name: None if xi is None else chain(xi, record, name, state) for name, xi in raw.items()}

    def raw(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        """Target -> xi (n,) before the transforms, None while the source is not ready."""
        raise NotImplementedError


def wanted(record: Record, context: Context) -> np.ndarray:
    """What the readout should say at the end of a trial (C,), e.g. the class as a one-hot vector."""
    return record.series[f"{context.readout}.target"][-1]
