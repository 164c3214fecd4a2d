"""A rule at work: the projections it learns and the sources it listens to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from snnplast.errors import UserError
from snnplast.learning.capabilities import Adaptive, Assigns, Explores, Judged, OverBatch, Prepares, Speaks
from snnplast.learning.eligibility import learnt_constants
from snnplast.learning.optimizer import Optimizer
from snnplast.learning.rule import AfterTrial, Rule, WithinTrial
from snnplast.learning.signals import Signal, SignalKind
from snnplast.learning.third_factor import Context, State, ThirdFactor
from snnplast.network.network import Network
from snnplast.network.projection import Projection, Wiring
from snnplast.task.objective import Objective
from snnplast.task.trial import Record, Segment


@dataclass
class Source:
    """A third factor at work: what it may rely on, and what it remembers."""

    factor: ThirdFactor
    context: Context
    state: State

    @cached_property
    def over_batch(self) -> bool:
        """Whether it has one signal for all trials of a batch."""
        return isinstance(self.factor, OverBatch)

    @cached_property
    def kinds(self) -> dict[str, SignalKind]:
        """What is known of its signal for each target, before any exists."""
        return {name: self.factor.kind(self.context, name) for name in self.context.targets}


@dataclass
class Plasticity:
    """One rule with the projections it learns and the sources it listens to. `targets`: whom they serve.

    What is the same in all trials is found in the first one.
    """

    rule: Rule
    projections: list[Projection]
    targets: tuple[str, ...]
    sources: list[Source] = field(default_factory=list)

    @property
    def sequential(self) -> bool:
        """Whether a trial depends on the one before."""
        owners = (self.rule, *(source.factor for source in self.sources))
        return isinstance(self.rule, Prepares | Assigns | WithinTrial) or any(
            owner.batch_mode == "sequential" for owner in owners
        )

    def kinds(self, projection: Projection) -> list[SignalKind]:
        """What is known of the signals that the target of a projection hears."""
        if projection.target not in self.targets:
            return []
        return [source.kinds[projection.target] for source in self.sources]

    @cached_property
    def _graded(self) -> AfterTrial | None:
        """Its rule, where that makes a gradient of each trial."""
        return self.rule if isinstance(self.rule, AfterTrial) else None

    @cached_property
    def _over_batch(self) -> bool:
        """Whether a source has one signal for the whole batch."""
        return any(source.over_batch for source in self.sources)

    @cached_property
    def _hidden(self) -> list[Projection]:
        """Projections onto populations that its sources serve."""
        return [projection for projection in self.projections if projection.target in self.targets]

    @cached_property
    def _speaking(self) -> list[tuple[Speaks, Source]]:
        """Sources that take part in a trial."""
        return [(source.factor, source) for source in self.sources if isinstance(source.factor, Speaks)]

    @property
    def judged(self) -> list[str]:
        """Readouts of its sources of which the same is wanted as of the task's."""
        judges = [(s.factor, s.context) for s in self.sources if isinstance(s.factor, Judged)]
        return [name for factor, context in judges for name in factor.judged(context)]

    def values(self, segment: Segment, record: Record) -> Iterator[tuple[str, np.ndarray]]:
        """'population.variable' and the values that its sources set before a segment."""
        for factor, source in self._speaking:
            yield from factor.values(segment, record, source.context, source.state).items()

    def further(self, record: Record) -> list[Segment]:
        """Segments that its sources ask for after the response."""
        found: list[Segment] = []
        for factor, source in self._speaking:
            found += factor.further(record, source.context, source.state)
        return found

    def prepare(self, values: Mapping[str, np.ndarray], wiring: Mapping[str, Wiring]) -> None:
        """What its rule does to weights before a training trial."""
        if isinstance(self.rule, Prepares):
            for projection in self.projections:
                self.rule.prepare(projection, values[projection.name], wiring[projection.name])

    def assign(self, record: Record, values: Mapping[str, np.ndarray]) -> None:
        """What its rule sets after a training trial."""
        if isinstance(self.rule, Assigns):
            self.rule.assign(record, self.projections, values)

    def explore(self, network: Network, rng: np.random.Generator) -> list[Segment]:
        """Segments in which its rule tries something, in a training trial."""
        return self.rule.explore(network, self.projections, rng) if isinstance(self.rule, Explores) else []

    def gradient(self, record: Record, objective: Objective | None) -> dict[str, np.ndarray]:
        """Parameter name -> gradient of one trial. Asks every source for its signal once."""
        if self._graded is None:
            return {}
        return self._graded.gradient(record, self.projections, self.signals(record, objective))

    def unit_gradient(self, record: Record) -> dict[str, np.ndarray]:
        """Projection, or constant of neurons -> gradient of one trial for a trial signal of 1.

        Nothing where no source has one signal for the whole batch.
        """
        if self._graded is None or not self._over_batch:
            return {}
        ones = {name: [Signal(np.ones(record.network.populations[name].size), "trial")] for name in self.targets}
        found = self._graded.gradient(record, self._hidden, ones)
        return {name: found[name] for name in [*(p.name for p in self._hidden), *self._constants(record.network)]}

    def operations(self, record: Record) -> int:
        """How often the rule visits synapses in a trial: online at every step, factored at every spike they carry.

        Within a trial, at every spike of either end; at every step where it changes weights there.

        A factored gradient for a signal of 1, where a source's signal is that of the batch, is a sweep of its own.
        """
        twice = not self.rule.online and self._over_batch
        return sum(self._visits(record, p) for p in [*self.projections, *(self._hidden if twice else ())])

    def _visits(self, record: Record, projection: Projection) -> int:
        wiring = record.wiring[projection.name]
        if projection.every == "trial":
            return wiring.pre.size
        if self.rule.online:
            return record.steps * wiring.pre.size
        arrived = int(record.counts(projection.source) @ wiring.fan_out())
        if self._graded is not None:
            return arrived
        return arrived + int(record.counts(projection.target) @ np.bincount(wiring.post, minlength=wiring.shape[1]))

    def batch_gradient(self, units: Mapping[str, np.ndarray], records: Sequence[Record]) -> dict[str, np.ndarray]:
        """What the sources with one signal for the whole batch add, from the mean of the unit gradients."""
        pulls = [s.factor.batch_signal(records, s.context) for s in self.sources if isinstance(s.factor, OverBatch)]
        total = {name: np.sum([pull[name] for pull in pulls], axis=0) for name in self.targets}
        learnt = [projection for projection in self.projections if projection.name in units]
        found = {p.name: units[p.name] * total[p.target][records[0].wiring[p.name].post] for p in learnt}
        constants = self._constants(records[0].network)
        return found | {name: units[name] * total[name.partition(".")[0]] for name in constants if name in units}

    def _constants(self, network: Network) -> list[str]:
        """'population.constant' of what is learned of the neurons that its sources serve."""
        return [name for target in self.targets for name in learnt_constants(network, target)]

    def adapted(
        self, gradients: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], wiring: Mapping[str, Wiring]
    ) -> dict[str, np.ndarray]:
        """Gradients of what the sources themselves learn."""
        found: dict[str, np.ndarray] = {}
        for source in self.sources:
            if isinstance(source.factor, Adaptive) and source.factor.parameters(source.context):
                found |= source.factor.adapt(source.context, gradients, values, wiring)
        return found

    def parameters(self, network: Network) -> dict[str, Optimizer | None]:
        """Names of all that the rule and its sources learn -> own optimiser, None for the configured one."""
        own = [s.factor.parameters(s.context) for s in self.sources if isinstance(s.factor, Adaptive)]
        return {**self.rule.parameters(network, self.projections), **dict.fromkeys(name for n in own for name in n)}

    def signals(self, record: Record, objective: Objective | None) -> dict[str, list[Signal] | None]:
        """Population -> the signals of all sources, None while one is not ready; the readout's is its error."""
        signals: dict[str, list[Signal] | None] = {name: [] for name in self.targets}
        if objective is not None and objective.readout not in self.targets:
            error, once = record.series[f"{objective.readout}.error"], record.answers_once(objective.readout)
            signals[objective.readout] = [Signal(error[0] if once else error, "trial" if once else "step")]
        for source in self.sources:
            if source.over_batch:
                continue
            given = source.factor.signal(record, source.context, source.state)
            for name in self.targets:
                if name not in given:
                    raise UserError(f"third factor {source.factor.name!r} gives no signal for the population {name!r}")
                signal, heard = given[name], signals[name]
                if signal is None:
                    signals[name] = None
                elif heard is not None:
                    heard.append(Signal.of(signal, source.kinds[name], record.network.dt))
        return {name: given or None for name, given in signals.items()}

    def report(self) -> dict[str, float]:
        """Numbers the sources want recorded with the metrics."""
        reports = [factor.report(source.state) for factor, source in self._speaking]
        return {name: value for report in reports for name, value in report.items()}
