"""Third factors: sources of the signal that tells a population in which direction its synapses should change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, SerializeAsAny

from snnplast.description import Description
from snnplast.gradient import Timing
from snnplast.named import Named
from snnplast.network import Network, Wiring
from snnplast.objective import Objective
from snnplast.task import Task
from snnplast.trial import Record, Segment

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class SignalKind:
    """What a rule must know of a signal before any exists.

    variable: the target neurons' variable that holds a step signal while an online rule runs.
    timing: "step" or "trial". tau: time constant (s) of the filter of the trace it multiplies; None: no filter.
    """

    variable: str
    timing: Timing
    tau: float | np.ndarray | None = None


@dataclass(frozen=True)
class Context:
    """What a source may rely on: the network so far, the populations it serves, the objective, face and seed."""

    network: Network
    targets: tuple[str, ...]
    objective: Objective
    online: bool
    seed: int = 0


@dataclass(frozen=True)
class Pretraining:
    """What a source learns before the run: an experiment on a network of its own, in an engine of its own.

    What is learned there is the value of the parameter of the same name in the main network, and cached.

    key: distinguishes it from every other one. task: its trials, an epoch of them. rule: any rule; learns every plastic
    projection. seed: of the experiment. epochs: how often the rule sees every trial; with a `fit`, the rule learns
    nothing, but what it needs is recorded.
    fit: from the records of one epoch, each valid until the next, to {parameter: values}; None: the rule learns.
    """

    key: str
    network: Network
    task: Task
    rule: Any
    seed: int
    epochs: int = 1
    fit: Callable[[Iterator[Record]], dict[str, np.ndarray]] | None = None


@dataclass(frozen=True)
class Broadcast:
    """A step signal as the product values (T, k) @ feedback (k, n), e.g. readout errors and feedback weights."""

    values: np.ndarray
    feedback: np.ndarray


class Transform(Description):
    """One named step between a source's raw signal and what the synapses receive."""

    name: ClassVar[str]

    def init(self, size: int) -> State:
        """State before the first trial for a population of `size` neurons."""
        return {}

    def __call__(self, signal: np.ndarray, record: Record, population: str, state: State) -> np.ndarray:
        """The changed signal (n,); updates `state` in place."""
        raise NotImplementedError


class ThirdFactor(Description):
    """The global part of a learning rule: one signal per target population, zero only where it means zero.

    reference: BibTeX entry of where it comes from. exact: whether it can be compared with another source's signal.
    """

    name: ClassVar[str]
    reference: ClassVar[str] = ""
    batch_mode: ClassVar[str] = "independent"
    """"sequential" where the signal depends on earlier trials: then a batch holds one trial."""

    def kind(self, context: Context, population: str) -> SignalKind:
        """Timing and filter of the signal for one target population."""
        raise NotImplementedError

    def extend(self, context: Context) -> Network:
        """The network with what the source needs added as ordinary descriptions."""
        return context.network

    def needs(self, context: Context) -> tuple[str, ...]:
        """Names of variables that must be recorded."""
        return ()

    def init(self, context: Context) -> State:
        """State that outlives trials, before the first one."""
        return {}

    def prepare(self, context: Context, values: Mapping[str, np.ndarray], wiring: Mapping[str, Wiring]) -> None:
        """Called before each update's first trial; e.g. to copy weights, of its own targets, that others define."""

    def present(self, segment: Segment, targets: Sequence[str]) -> dict[str, np.ndarray]:
        """'population.variable' -> values (n,) to be set before a segment runs, e.g. what a teacher knows."""
        return {}

    def respond(self, record: Record, targets: Sequence[str], state: State) -> dict[str, np.ndarray]:
        """'population.variable' -> values (n,) to be set before the response step."""
        return {}

    def responses(self, context: Context) -> tuple[str, ...]:
        """Names of variables that must be read after the response step."""
        return ()

    @property
    def over_batch(self) -> bool:
        """Whether the signal is one for all trials of a batch, known at its end: then `batch_signal` gives it."""
        return False

    def batch_signal(self, records: Sequence[Record], targets: Sequence[str]) -> dict[str, np.ndarray]:
        """Target population -> trial signal (n,) of every trial of a batch, for a source that is `over_batch`."""
        raise NotImplementedError

    def parameters(self, context: Context) -> tuple[str, ...]:
        """Names of its own projections that learn."""
        return ()

    def adapt(
        self,
        context: Context,
        gradients: Mapping[str, np.ndarray],
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> dict[str, np.ndarray]:
        """Gradients of its `parameters`, from those of the rule's, which are means over the batch."""
        return {}

    def report(self, state: State) -> dict[str, float]:
        """Numbers of the last trial for the metrics, e.g. the correlation with an exact signal."""
        return {}

    def signal(self, record: Record, targets: Sequence[str], state: State) -> dict[str, Any]:
        """Target population -> (T, n) or a `Broadcast` for a step signal, (n,) for a trial signal, None: not ready."""
        raise NotImplementedError

    def pretraining(self, context: Context) -> list[Pretraining]:
        """What must be learned before the run, if anything."""
        return []


AnyThirdFactor = Annotated[SerializeAsAny[ThirdFactor], BeforeValidator(Named("third-factor"))]
"""A field that takes a third factor, its name, or its table."""
