"""Learning rules: what all share, and the two kinds, those that learn after a trial and those that learn within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

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
    """What every rule declares; one is an `AfterTrial` or a `WithinTrial`, and `Modulated` if it hears a third factor.

    name, reference: how it is chosen and cited (BibTeX).
    learns: which plastic projections: those onto any population ("all": hidden ones hear the third factor, readouts
        their own error), onto "hidden" populations only, or onto "readouts" only, which then hear the third factor
        if the rule has one.
    changes: when parameters change, "after-trial" or "within-trial": the kind.
    batch_mode: "independent", or "sequential" where a trial depends on the one before; then a batch holds one trial.

    >>> from snnplast import EProp, STDP
    >>> EProp.changes, STDP.changes
    ('after-trial', 'within-trial')
    """

    name: ClassVar[str]
    reference: ClassVar[str] = ""
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "all"
    changes: ClassVar[Literal["after-trial", "within-trial"]]
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "independent"

    @property
    def factors(self) -> tuple[ThirdFactor, ...]:
        """Its third factor and regularisers."""
        return ()

    @property
    def online(self) -> bool:
        """Whether the signals it hears are worked out in the simulation, step by step."""
        return bool(self.factors)

    @property
    def trials(self) -> int:
        """Trials per update."""
        return 1

    @property
    def face(self) -> str:
        """How it comes to its changes, in a word for tables."""
        return self.changes

    def parameters(self, network: Network, projections: Sequence[Projection]) -> Mapping[str, Optimizer | None]:
        """Names it learns: projections and 'population.bias' -> its own optimiser, None for the configured one."""
        return {projection.name: None for projection in projections}

    def inject(self, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
        """What it adds for one plastic projection, given what is known of the signals of its target population."""
        raise NotImplementedError


class Modulated(Rule):
    """A rule that hears signals of third factors.

    third_factor, regularisers: an object, its name or its table each; signals are added; default none.
    """

    third_factor: Annotated[AnyThirdFactor | None, Field(description="source of the modulatory signal")] = None
    regularisers: Annotated[tuple[AnyThirdFactor, ...], Field(description="further sources, added to the first")] = ()

    @property
    def factors(self) -> tuple[ThirdFactor, ...]:
        return ((self.third_factor,) if self.third_factor is not None else ()) + self.regularisers


class AfterTrial(Modulated):
    """A rule that makes a gradient of each trial; an optimiser changes parameters by the mean over a batch.

    evaluation: "factored" (default), after the trial from records of neurons, or "online", by traces in the synapses.
    third_factor, regularisers: an object, its name or its table each; signals are added; default none.
    optimizer, optimizers: of all parameters, and others by parameter name; an object, its name or its table each.
    batch: trials per update, default 1, >= 1.

    >>> class Decay(AfterTrial):
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

    changes: ClassVar[Literal["after-trial", "within-trial"]] = "after-trial"

    evaluation: Annotated[
        Literal["factored", "online"],
        Field(description="after the trial from neuron-level records, or by traces in the synapses"),
    ] = "factored"
    optimizer: Annotated[AnyOptimizer, Field(description="how gradients change parameters")]
    optimizers: Annotated[dict[str, AnyOptimizer], Field(description="other optimisers by parameter name")] = {}
    batch: Annotated[int, Field(ge=1, description="trials per update")] = 1

    @property
    def online(self) -> bool:
        return self.evaluation == "online"

    @property
    def trials(self) -> int:
        return self.batch

    @property
    def face(self) -> str:
        return self.evaluation

    def gradient(self, record: Record, projections: Sequence[Projection], signals: Signals) -> dict[str, np.ndarray]:
        """Parameter name -> gradient of one trial, in the parameter's shape; nothing where a signal is not ready."""
        raise NotImplementedError


class WithinTrial(Rule):
    r"""A rule whose code changes weights while a trial runs, such as STDP; its trials follow each other one by one.

    Its synaptic code writes the weight `w` when a spike arrives (`Fragment.on_arrival`), when the target neuron spikes
    (`on_post`), or in an update at every step. Whatever it writes there, the library makes of it

        w <- clip(w + learning (value - w), w_min, w_max)

    learning: 1 while a training trial shows what the task shows, 0 in tests, evaluation, prediction and afterwards.
    w_min, w_max: from the projection's `bounds` and `sign`, the largest numbers there are where it has none. Code may
        read all three.

    So does what it writes to parameters of neurons (`bias`), and to variables of its own that a fragment names
    `learned`: these outlive trials and are in checkpoints. Its traces are dynamics and go on in tests as well.
    It needs no optimiser. A rule that hears a third factor is `Modulated` as well, and reads its step signals under
    `kind.variable` in neurons, `f"{kind.variable}_post"` in synapses.

    >>> from snnplast.network import Fragment
    >>> class Anti(WithinTrial):
    ...     name, learns = "anti", "hidden"
    ...
    ...     def inject(self, network, projection, kinds):
    ...         return Injection(synapse=Fragment(on_arrival=("w -= 0.01",), on_post=("w += 0.005*w",)))
    >>> Anti().changes, Anti().trials
    ('within-trial', 1)
    """

    changes: ClassVar[Literal["after-trial", "within-trial"]] = "within-trial"
    batch_mode: ClassVar[Literal["independent", "sequential"]] = "sequential"


def hears(rule: type[Rule]) -> Any:
    """The field of a kind of rule that takes a third factor, None where it hears none."""
    field = rule.model_fields.get("third_factor")
    return None if field is None or field.annotation is type(None) else field
