"""One experiment put together: network, rules, third factors and engine, ready to run trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from brian2.core.base import BrianObjectException

from snnplast.build import Plan, construct, plan, refusal
from snnplast.engine import Engine, open_engine
from snnplast.errors import UserError, nearest
from snnplast.fragments import Injection
from snnplast.gradient import Signal
from snnplast.network import Network, Projection
from snnplast.objective import Objective
from snnplast.optimizer import Optimizer
from snnplast.pretrain import pretrain
from snnplast.readouts import LeakyReadout, RateReadout
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

    def adapted(self, gradients: Mapping[str, np.ndarray], assembly: Assembly) -> dict[str, np.ndarray]:
        """Gradients of what the sources themselves learn."""
        found: dict[str, np.ndarray] = {}
        for factor, context in self.factors:
            if factor.parameters(context):
                found |= factor.adapt(assembly.network, gradients, assembly.values, assembly.plan.wiring)
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


@dataclass
class Assembly:
    """Network, plan, engine and teachers of one experiment.

    values: projection -> weights (n_synapses,), 'population.bias' -> (n,): live views into the engine, or plain arrays
    for projections that are not simulated.
    """

    network: Network
    plan: Plan
    engine: Engine
    objective: Objective
    teachers: list[Teacher]
    values: dict[str, np.ndarray]
    accumulators: tuple[str, ...]
    series: frozenset[str]
    """Simulated variables that a task or the trial may set step by step."""
    spiking: tuple[str, ...]
    """Populations and sources whose spikes are recorded."""
    responses: tuple[str, ...]
    """Variables read at the end of the response step."""
    compiled: bool
    """Whether the engine, and with it the gradient, is compiled."""

    @property
    def parameters(self) -> dict[str, tuple[Rule, Optimizer | None]]:
        """Learnable parameter -> (its rule, its own optimiser or None)."""
        return {
            name: (teacher.rule, own)
            for teacher in self.teachers
            for name, own in teacher.parameters(self.network).items()
        }

    def clone(self) -> Assembly:
        """The same experiment on an engine of its own; plan, teachers and weights that are not simulated are shared."""
        twin = self.engine.clone()
        return replace(self, engine=twin, values=_values(self.plan, twin))

    def persistent(self) -> dict[str, np.ndarray]:
        """Live views of state that outlives trials."""
        return {
            f"{name}.{variable}": self.engine[f"{name}.{variable}"]
            for name, population in self.network.populations.items()
            for variable in getattr(population, "persistent", ())
        }


def design(
    network: Network,
    objective: Objective,
    rule: Rule,
    seed: int,
    others: Mapping[str, Rule] | None = None,
    recorded: Sequence[str] = (),
) -> tuple[Plan, list[Teacher], tuple[str, ...]]:
    """Decide everything about an experiment but the engine: (plan, teachers, accumulators).

    rule: learns every plastic projection that names no other; others: those rules by name.
    recorded: neuron variables ('population.variable') to keep step by step beside those that learning needs.
    Raises `UserError` where rule, sources and network do not fit.
    """
    network = network.copy()
    readout = network.population(objective.readout)
    if not readout.readout:
        raise UserError(
            f"objective: {objective.readout!r} is no readout; readouts are: {', '.join(network.readouts) or 'none'}"
        )
    teachers = _teachers(network, rule, others or {})
    if any(t.rule.evaluation == "online" for t in teachers) and isinstance(readout, LeakyReadout):
        network.attach(objective.readout, objective.fragment())
    needed = [f"{objective.readout}.y"] if isinstance(readout, LeakyReadout) else []
    for teacher in teachers:
        online = teacher.rule.evaluation == "online"
        for factor in (teacher.rule.third_factor, *teacher.rule.regularisers):
            network = factor.extend(Context(network, teacher.targets, objective, online, seed))
            context = Context(network, teacher.targets, objective, online, seed)
            teacher.factors.append((factor, context))
            teacher.states.append(factor.init(context))
            needed += factor.needs(context)
        if teacher.rule.batch > 1:
            _refuse_batch(teacher)
    injections: dict[str, Injection] = {}
    accumulators: list[str] = []
    for teacher in teachers:
        for projection in teacher.projections:
            kinds = _kinds(teacher, projection)
            injections[projection.name] = teacher.rule.inject(network, projection, kinds)
            needed += teacher.rule.needs(network, projection)
            accumulators += teacher.rule.accumulators(network, projection, kinds)
        learnt = teacher.parameters(network)
        for name in teacher.rule.optimizers:
            if name not in learnt:
                place = f"rules.{teacher.rule.name}.optimizers.{name}"
                raise UserError(f"{place}: unknown parameter; {nearest(name, learnt)}")
    drawn = plan(network.freeze(), injections, [*needed, *recorded], seed)
    variables = {f"{name}.{v}" for name, code in drawn.populations.items() for v in code.variables()}
    for name in recorded:
        if name not in variables:
            raise UserError(f"record.variables: unknown variable {name!r}; {nearest(name, variables)}")
    return drawn, teachers, tuple(accumulators)


def assemble(
    network: Network,
    objective: Objective,
    rule: Rule,
    seed: int,
    engine: str = "compiled",
    target: str = "auto",
    others: Mapping[str, Rule] | None = None,
    recorded: Sequence[str] = (),
) -> Assembly:
    """Design an experiment and open an engine on it."""
    drawn, teachers, accumulators = design(network, objective, rule, seed, others, recorded)
    try:
        running = open_engine(construct(drawn), engine, target)
    except BrianObjectException as error:
        raise refusal(error) from error
    network = drawn.network
    values = _values(drawn, running)
    for teacher in teachers:
        for factor, context in teacher.factors:
            for pretraining in factor.pretraining(context):
                for name, weights in pretrain(pretraining, engine, target).items():
                    values[name][:] = weights
    simulated = {f"{name}.{variable}" for name, code in drawn.populations.items() for variable in code.names()}
    spiking = tuple(name for name, population in network.populations.items() if population.spiking)
    responses = [f"{name}.y" for name, p in network.populations.items() if isinstance(p, RateReadout)]
    responses += [n for t in teachers for factor, context in t.factors for n in factor.responses(context)]
    responses += [n for t in teachers for p in t.projections for n in t.rule.responses(network, p)]
    return Assembly(
        network,
        drawn,
        running,
        objective,
        teachers,
        values,
        accumulators,
        frozenset(simulated),
        spiking,
        tuple(dict.fromkeys(responses)),
        engine == "compiled",
    )


def _values(drawn: Plan, running: Engine) -> dict[str, np.ndarray]:
    """Live views of all weights and biases; weights of projections that are not simulated are the plan's own."""
    weights = {
        name: running[f"{name}.w"] if projection.simulated else drawn.weights[name]
        for name, projection in drawn.network.projections.items()
    }
    biased = [name for name, code in drawn.populations.items() if "bias : 1" in code.equations]
    return weights | {f"{name}.bias": running[f"{name}.bias"] for name in biased}


def _signal(given: np.ndarray | Broadcast, kind: SignalKind, record: Record) -> Signal:
    decay = None if kind.tau is None else np.exp(-record.network.dt / kind.tau)
    if isinstance(given, Broadcast):
        return Signal(given.values, kind.timing, decay, given.feedback, kind.variable)
    return Signal(given, kind.timing, decay, variable=kind.variable)


def _teachers(network: Network, rule: Rule, others: Mapping[str, Rule]) -> list[Teacher]:
    groups: dict[int, Teacher] = {}
    for projection in network.projections.values():
        if not projection.plastic:
            continue
        if projection.rule and projection.rule not in others:
            hint = nearest(projection.rule, others)
            raise UserError(f"network.{projection.name}.rule = {projection.rule!r}: no such rule is given; {hint}")
        chosen = others[projection.rule] if projection.rule else rule
        teacher = groups.setdefault(id(chosen), Teacher(chosen, [], ()))
        teacher.projections.append(projection)
    for teacher in groups.values():
        wanted = teacher.rule.modulates == "readouts"
        names = [p.target for p in teacher.projections if network.populations[p.target].readout == wanted]
        teacher.targets = tuple(dict.fromkeys(names))
    if not groups:
        raise UserError("network: no projection is plastic; write plastic=True where the rule should learn")
    return list(groups.values())


def _refuse_batch(teacher: Teacher) -> None:
    rule = teacher.rule
    for owner, kind in [(rule, "rule"), *((factor, "third factor") for factor, _ in teacher.factors)]:
        if owner.batch_mode == "sequential":
            raise UserError(
                f"rules.{rule.name}.batch = {rule.batch}: the {kind} {owner.name!r} takes trials one after another; "
                "batch = 1 is allowed"
            )


def _kinds(teacher: Teacher, projection: Projection) -> Sequence[SignalKind]:
    if projection.target not in teacher.targets:
        return ()
    return [factor.kind(context, projection.target) for factor, context in teacher.factors]
