"""Learning rules: the local part, and the gradient it makes of a third factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from snnplast.description import Description
from snnplast.learning.optimizer import AnyOptimizer, Optimizer
from snnplast.learning.signals import SignalKind, Signals
from snnplast.learning.third_factor import AnyThirdFactor, ThirdFactor
from snnplast.network.fragments import Injection
from snnplast.network.network import Network
from snnplast.network.projection import Projection
from snnplast.task.trial import Record


class Rule(Description):
    """What every rule declares.

    name, reference: how it is chosen and cited (BibTeX).
    learns: which plastic projections: those onto any population ("all": hidden ones hear the third factor, readouts
        their own error), onto "hidden" populations only, or onto "readouts" only, which then hear the third factor
        if the rule has one.
    batch_mode: "independent", or "sequential" where a trial depends on the one before; then batch must be 1.
    evaluation: "factored" (default), after the trial from records of neurons, or "online", by traces in the synapses.
    third_factor, regularisers: an object, its name or its table each; signals are added; default none.
    optimizer, optimizers: of all parameters, and others by parameter name; an object, its name or its table each.
    batch: trials per update, default 1, >= 1.

    >>> class Decay(Rule):
    ...     name = "decay"
    ...
    ...     def inject(self, network, projection, kinds):
    ...         return Injection()
    ...
    ...     def gradient(self, record, projections, signals):
    ...         return {projection.name: record.values[projection.name] for projection in projections}
    >>> Decay(optimizer={"name": "sgd", "learning_rate": 0.1}, batch=8).optimizer.learning_rate
    0.1
    >>> Decay(optimizer="sgd", batch=0)
    Traceback (most recent call last):
    snnplast.description.WrongValue: Decay.batch = 0: input should be greater than or equal to 1
    """

    name: ClassVar[str]
    reference: ClassVar[str] = ""
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "all"
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "independent"

    evaluation: Annotated[
        Literal["factored", "online"],
        Field(description="after the trial from neuron-level records, or by traces in the synapses"),
    ] = "factored"
    third_factor: Annotated[AnyThirdFactor | None, Field(description="source of the modulatory signal")] = None
    regularisers: Annotated[tuple[AnyThirdFactor, ...], Field(description="further sources, added to the first")] = ()
    optimizer: Annotated[AnyOptimizer, Field(description="how gradients change parameters")]
    optimizers: Annotated[dict[str, AnyOptimizer], Field(description="other optimisers by parameter name")] = {}
    batch: Annotated[int, Field(ge=1, description="trials per update")] = 1

    @property
    def factors(self) -> tuple[ThirdFactor, ...]:
        """Its third factor and regularisers."""
        return ((self.third_factor,) if self.third_factor is not None else ()) + self.regularisers

    def parameters(self, network: Network, projections: Sequence[Projection]) -> Mapping[str, Optimizer | None]:
        """Names it learns: projections and 'population.bias' -> its own optimiser, None for the configured one."""
        return {projection.name: None for projection in projections}

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        """What it adds for one plastic projection, given what is known of the signals of its target population."""
        raise NotImplementedError

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        """Parameter name -> gradient of one trial, in the parameter's shape; nothing where a signal is not ready."""
        raise NotImplementedError
