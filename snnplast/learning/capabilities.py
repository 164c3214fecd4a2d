"""What only some third factors and rules do: mixins, found by isinstance where an experiment is designed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from snnplast.learning.signals import Broadcast
from snnplast.native.stage import Fired, Shown, Stage
from snnplast.network.network import Network
from snnplast.network.projection import Projection, Wiring
from snnplast.task.stack import Stack
from snnplast.task.task import Task
from snnplast.task.trial import Record, Segment

if TYPE_CHECKING:
    from snnplast.learning.derived import Linear
    from snnplast.learning.third_factor import Context, State


class Speaks:
    """A source that takes part in a trial: it sets values, asks for further segments, and tells numbers."""

    def values(self, segment: Segment, record: Record, context: Context, state: State) -> dict[str, np.ndarray]:
        """'population.variable' -> values (n,) to be set before a segment of any phase runs.

        record: what there is so far; before the response, all of the trial.
        """
        return {}

    def further(self, record: Record, context: Context, state: State) -> Sequence[Segment]:
        """Segments of phase "work" that follow the response."""
        return ()

    def report(self, state: State) -> dict[str, float]:
        """Numbers of the last trial for the metrics, e.g. the correlation with an exact signal."""
        return {}


class OverBatch:
    """A source with one signal for all trials of a batch, known at its end; `signal` is not asked."""

    def batch_signal(self, records: Sequence[Record], context: Context) -> dict[str, np.ndarray]:
        """Target population -> trial signal (n,) of every trial of a batch."""
        raise NotImplementedError


class Judged:
    """A source with readouts of its own, of which the same is wanted as of the task's readout."""

    def judged(self, context: Context) -> tuple[str, ...]:
        """Names of readouts that act at every step, as large as the task's.

        Each is given the task's target and learning window; the objective says what its error is: record.series holds
        '<readout>.error', (T, n), and where a rule is online, the readout's variable `error` while the trial runs.
        """
        raise NotImplementedError


class Adaptive:
    """A source that learns projections of its own."""

    def parameters(self, context: Context) -> tuple[str, ...]:
        """Names of the projections that learn."""
        raise NotImplementedError

    def adapt(
        self,
        context: Context,
        gradients: Mapping[str, np.ndarray],
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> dict[str, np.ndarray]:
        """Gradients of its `parameters`, from those of the rule's, which are means over the batch."""
        raise NotImplementedError


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


class Pretrained:
    """A source that learns before the run."""

    def pretraining(self, context: Context) -> list[Pretraining]:
        """What must be learned before the run."""
        raise NotImplementedError


class Extends:
    """A rule that needs more of the network than what the user described."""

    def extend(self, network: Network, projections: Sequence[Projection]) -> Network:
        """The network with what the rule needs added to a copy; projections: those that it learns."""
        raise NotImplementedError


class Follows:
    """A rule that needs records of populations that it learns nothing onto."""

    def follow(self, network: Network, projections: Sequence[Projection]) -> list[Projection]:
        """Further projections that `inject` is asked about; projections: those that it learns."""
        raise NotImplementedError


class Prepares:
    """A rule that changes weights before each training trial, such as by normalising them."""

    def prepare(self, projection: Projection, weights: np.ndarray, wiring: Wiring) -> None:
        """Change the weights (n_synapses,) of a projection that it learns in place."""
        raise NotImplementedError


class Assigns:
    """A rule that sets what it learns after each training trial, as a whole and without a gradient."""

    def assign(self, record: Record, projections: Sequence[Projection], values: Mapping[str, np.ndarray]) -> None:
        """Change `values`, parameters by name, in place."""
        raise NotImplementedError


class Explores:
    """A rule that tries something after the response, in training trials only."""

    def explore(self, network: Network, projections: Sequence[Projection], rng: np.random.Generator) -> list[Segment]:
        """Segments of phase "explore", after all others; rng: the trial's own random numbers.

        A readout whose variable `explored` the rule records is judged by what that was in these steps.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Swept:
    """What is known beforehand of the factored gradient of all weights onto one population.

    projections: name, source, and steps from a spike to its arrival.
    psi: what its rule calls the recorded surrogate derivative, None for 1. decay, gain: (n,), of the membrane;
    adaptation: beta and rho, (n,) each, or None. linear: instead of all these, what linearises any neuron from the
    record of a trial; what it finds in histories stays where these are.
    divisor: what the gradient of a trial is divided by; per_step: it is the number of steps.
    """

    target: str
    projections: tuple[tuple[str, str, int], ...]
    psi: str | None = None
    decay: np.ndarray | None = None
    gain: np.ndarray | None = None
    adaptation: tuple[np.ndarray, np.ndarray] | None = None
    linear: Callable[[Record], tuple[Linear, Sequence[np.ndarray]]] | None = None
    divisor: float = 1.0
    per_step: bool = False


@dataclass(frozen=True)
class ReadOnce:
    """Of weights onto a readout that acts once per trial: u_i E_k, and E_k for a bias.

    projections: name, and the 'population.variable' u that it carries. divisor: what both are divided by.
    """

    target: str
    projections: tuple[tuple[str, str], ...]
    biased: bool
    divisor: float = 1.0


@dataclass(frozen=True)
class Pulled:
    """Of a parameter that holds firing rates: rate (r_i - goal), r_i that of a neuron of the target, in Hz."""

    target: str
    parameter: str
    rate: float
    goal: float


Part = Swept | ReadOnce | Pulled
"""Of the gradient of a trial."""


class SweptBack:
    """A rule whose gradient is made of parts with a compiled form, which batches in one call may make.

    It counts for the class that defines both this and `gradient`: who changes one says what becomes of the other.
    """

    def swept(self, network: Network, projections: Sequence[Projection]) -> Sequence[Part] | None:
        """The parts of a trial's gradient, in its order; None where it is something else."""
        raise NotImplementedError


class Trials(Protocol):
    """What compiled forms find of the trials that they are part of. All of it stays where it is in memory."""

    steps: int

    def error(self, readout: str) -> np.ndarray:
        """The error of the present trial, (T, n)."""
        ...

    def fired(self, population: str) -> Fired:
        """Its spikes of the present trial."""
        ...

    def shown(self, source: str) -> Shown:
        """The values that a source is given in each trial."""
        ...

    def wanted(self, readout: str) -> Shown:
        """What the objective's readout should say at the end of each trial, (n,)."""
        ...

    def representation(self, population: str) -> np.ndarray:
        """Its rate representation z (n,) in the present trial."""
        ...


@dataclass(frozen=True)
class CompiledSignal:
    """A signal that compiled code finds.

    given: population -> where it is when all stages have run: (n,) with timing "trial", else a `Broadcast`.
    stages: run in each trial, behind its judgement. refresh: called before each batch, whose weights are there.
    follows: whether these change with every update, so that each needs a refresh before the next.
    takes: whether it is there for these trials; None: for all. Other batches take the loop.
    """

    given: Mapping[str, np.ndarray | Broadcast]
    stages: Sequence[Stage] = ()
    refresh: Callable[[], None] | None = None
    follows: bool = False
    takes: Callable[[Stack], bool] | None = None


class Compiled:
    """A source with a compiled form, for batches that run in one call.

    It counts for the class that defines both this and `signal`.
    """

    def compiled_signal(
        self,
        trials: Trials,
        context: Context,
        state: State,
        values: Mapping[str, np.ndarray],
        wiring: Mapping[str, Wiring],
    ) -> CompiledSignal | None:
        """Its signal, bit for bit that of `signal`; None where there is no such form. values: live views of weights."""
        raise NotImplementedError
