"""What rules share under which only readouts learn and hidden layers stay as drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from snnplast.eligibility import ThreeFactorRule
from snnplast.fragments import Injection
from snnplast.network import Network, Projection
from snnplast.optimizer import AnyOptimizer
from snnplast.rule import Signals
from snnplast.third_factor import SignalKind
from snnplast.trial import Record

# The fields, and their defaults, are those of the rule that this is mixed into.
_Rule = ThreeFactorRule if TYPE_CHECKING else object


class ReadoutsOnly(_Rule):
    """To be mixed into a rule: plastic projections onto hidden populations get no code and no gradient."""

    def parameters(self, network: Network, projections: Sequence[Projection]) -> dict[str, AnyOptimizer | None]:
        return super().parameters(network, [p for p in projections if network.populations[p.target].readout])

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        readout = network.populations[projection.target].readout
        return super().inject(network, projection, kinds) if readout else Injection()

    def needs(self, network: Network, projection: Projection) -> tuple[str, ...]:
        return ()

    def accumulators(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> tuple[str, ...]:
        readout = network.populations[projection.target].readout
        return super().accumulators(network, projection, kinds) if readout else ()

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        readouts = [p for p in projections if record.network.populations[p.target].readout]
        return super().gradient(record, readouts, signals)
