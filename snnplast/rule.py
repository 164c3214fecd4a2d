"""Learning rules: the local part, and the gradient it makes of a third factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.description import Description
from snnplast.fragments import Injection
from snnplast.gradient import Signal
from snnplast.network import Network, Projection
from snnplast.optimizer import AnyOptimizer, Optimizer
from snnplast.third_factor import AnyThirdFactor, SignalKind
from snnplast.trial import Record

Signals = Mapping[str, Sequence[Signal] | None]
"""Population -> its signals; None while a source is not ready, then nothing is learned there."""


class Rule(Description):
    """What every rule declares.

    name, reference: how it is chosen and cited (BibTeX).
    batch_mode: "independent", or "sequential" where a trial depends on the one before; then batch must be 1.
    modulates: which populations its third factor reaches: hidden ones (readouts then learn from their own error), or
        the readouts themselves (then they know no more of their error than the third factor says).
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "independent"
    modulates: ClassVar[Literal["hidden", "readouts"]] = "hidden"

    evaluation: Annotated[
        Literal["factored", "online"],
        Field(description="after the trial from neuron-level records, or by traces in the synapses"),
    ] = "factored"
    third_factor: Annotated[AnyThirdFactor, Field(description="source of the modulatory signal")]
    regularisers: Annotated[tuple[AnyThirdFactor, ...], Field(description="further sources, added to the first")] = ()
    optimizer: Annotated[AnyOptimizer, Field(description="how gradients change parameters")]
    optimizers: Annotated[dict[str, AnyOptimizer], Field(description="other optimisers by parameter name")] = {}
    batch: Annotated[int, Field(ge=1, description="trials per update")] = 1

    def parameters(self, network: Network, projections: Sequence[Projection]) -> Mapping[str, Optimizer | None]:
        """Names it learns: projections and 'population.bias' -> its own optimiser, None for the configured one."""
        return {projection.name: None for projection in projections}

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        """Brian2 code for one plastic projection, given what is known of the signals of its target population."""
        raise NotImplementedError

    def needs(self, network: Network, projection: Projection) -> tuple[str, ...]:
        """Variables recorded step by step for one plastic projection."""
        return ()

    def accumulators(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> tuple[str, ...]:
        """Synaptic variables read after the trial, online."""
        return ()

    def responses(self, network: Network, projection: Projection) -> tuple[str, ...]:
        """Variables read after the response step: the presynaptic ones, where the projection acts once per trial."""
        return (f"{projection.source}.{projection.variable}",) if projection.every == "trial" else ()

    def explore(
        self, network: Network, projections: Sequence[Projection], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Readout -> noise (K, n) of K steps after the response step of a training trial.

        It is written to the readout's variable `noise`, and `explored`, which the rule must need, is what came of it.
        """
        return {}

    def operations(self, record: Record, projections: Sequence[Projection]) -> int:
        """How often learning visits synapses in a trial: online at every step, factored at every spike they carry."""
        return sum(self._visits(record, projection) for projection in projections)

    def _visits(self, record: Record, projection: Projection) -> int:
        wiring = record.wiring[projection.name]
        if projection.every == "trial":
            return wiring.pre.size
        if self.evaluation == "online":
            return record.steps * wiring.pre.size
        return int(record.counts(projection.source) @ wiring.fan_out())

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        """Parameter name -> gradient of one trial, in the parameter's shape; nothing where a signal is not ready."""
        raise NotImplementedError
