"""A rule at work: the projections it learns and the sources it listens to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnplast.errors import UserError
from snnplast.gradient import Signal
from snnplast.network import Network, Projection, Wiring
from snnplast.objective import Objective
from snnplast.optimizer import Optimizer
from snnplast.rule import Rule
from snnplast.third_factor import Broadcast, Context, SignalKind, State, ThirdFactor
from snnplast.trial import Record


@dataclass
class Teacher:
    """One rule with the projections it learns and the sources it listens to. `targets`: whom they serve."""

    rule: Rule
    projections: list[Projection]
    targets: tuple[str, ...]
    factors: list[tuple[ThirdFactor, Context]] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    @property
    def sequential(self) -> bool:
        """Whether a trial depends on the one before."""
        owners = (self.rule, *(factor for factor, _ in self.factors))
        return any(owner.batch_mode == "sequential" for owner in owners)

    def gradient(self, record: Record, objective: Objective) -> dict[str, np.ndarray]:
        """Parameter name -> gradient of one trial. Asks every source for its signal once."""
        return self.rule.gradient(record, self.projections, self.signals(record, objective))

    def unit_gradient(self, record: Record) -> dict[str, np.ndarray]:
        """Projection -> gradient of one trial for a trial signal of 1, where a source's signal is that of the batch."""
        if not any(factor.over_batch for factor, _ in self.factors):
            return {}
        ones = {name: [Signal(np.ones(record.network.populations[name].size), "trial")] for name in self.targets}
        hidden = [projection for projection in self.projections if projection.target in self.targets]
        found = self.rule.gradient(record, hidden, ones)
        return {projection.name: found[projection.name] for projection in hidden}

    def operations(self, record: Record) -> int:
        """Visits of synapses by the rule in one trial; a factored gradient for a signal of 1 is a sweep of its own."""
        twice = self.rule.evaluation == "factored" and any(factor.over_batch for factor, _ in self.factors)
        hidden = [projection for projection in self.projections if projection.target in self.targets]
        return self.rule.operations(record, [*self.projections, *(hidden if twice else ())])

    def batch_gradient(self, units: Mapping[str, np.ndarray], records: Sequence[Record]) -> dict[str, np.ndarray]:
        """What the sources with one signal for the whole batch add, from the mean of the unit gradients."""
        pulls = [factor.batch_signal(records, self.targets) for factor, _ in self.factors if factor.over_batch]
        total = {name: np.sum([pull[name] for pull in pulls], axis=0) for name in self.targets}
        learnt = [projection for projection in self.projections if projection.name in units]
        return {p.name: units[p.name] * total[p.target][records[0].wiring[p.name].post] for p in learnt}

    def adapted(
        self, gradients: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], wiring: Mapping[str, Wiring]
    ) -> dict[str, np.ndarray]:
        """Gradients of what the sources themselves learn."""
        found: dict[str, np.ndarray] = {}
        for factor, context in self.factors:
            if factor.parameters(context):
                found |= factor.adapt(context, gradients, values, wiring)
        return found

    def parameters(self, network: Network) -> dict[str, Optimizer | None]:
        """Names of all that the rule and its sources learn -> own optimiser, None for the configured one."""
        own = {name: None for factor, context in self.factors for name in factor.parameters(context)}
        return {**self.rule.parameters(network, self.projections), **own}

    def signals(self, record: Record, objective: Objective) -> dict[str, list[Signal] | None]:
        """Population -> the signals of all sources, None while one is not ready; the readout's is its error."""
        signals: dict[str, list[Signal] | None] = {name: [] for name in self.targets}
        readout = objective.readout
        error = record.series[f"{readout}.error"]
        once = f"{readout}.y" in record.response
        if readout not in self.targets:
            signals[readout] = [Signal(error[0] if once else error, "trial" if once else "step")]
        for (factor, context), state in zip(self.factors, self.states, strict=True):
            if factor.over_batch:
                continue
            given = factor.signal(record, self.targets, state)
            for name in self.targets:
                if name not in given:
                    raise UserError(f"third factor {factor.name!r} gives no signal for the population {name!r}")
                if given[name] is None:
                    signals[name] = None
                elif signals[name] is not None:
                    signals[name].append(_signal(given[name], factor.kind(context, name), record))  # type: ignore[union-attr]
        return {name: given or None for name, given in signals.items()}

    def report(self) -> dict[str, float]:
        """Numbers the sources want recorded with the metrics."""
        reports = [factor.report(state) for (factor, _), state in zip(self.factors, self.states, strict=True)]
        return {name: value for report in reports for name, value in report.items()}


def _signal(given: np.ndarray | Broadcast, kind: SignalKind, record: Record) -> Signal:
    decay = None if kind.tau is None else np.exp(-record.network.dt / kind.tau)
    if isinstance(given, Broadcast):
        return Signal(given.values, kind.timing, decay, given.feedback, kind.variable)
    return Signal(given, kind.timing, decay, variable=kind.variable)
