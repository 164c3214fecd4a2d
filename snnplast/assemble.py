"""Putting an experiment together: network, rules, third factors, what they learn before the run, and engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snnplast.agreement import refuse_batch, refuse_two_batches, refuse_two_signals, refuse_unrecorded, refuse_untold
from snnplast.assembly import Assembly, live_values
from snnplast.brian import BrianObjectException
from snnplast.build import Plan, construct, plan, refusal
from snnplast.clocks import once_per_trial
from snnplast.code import WrongCode
from snnplast.code_check import check_injection
from snnplast.engine import open_engine
from snnplast.errors import UserError, nearest, unknown
from snnplast.fragments import Injection
from snnplast.memory import refuse_too_large
from snnplast.network import Network, Projection
from snnplast.objective import Objective
from snnplast.pretrain import pretrain
from snnplast.readouts import LeakyReadout, RateReadout
from snnplast.rule import Rule
from snnplast.teacher import Teacher
from snnplast.third_factor import Context, SignalKind


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
    described, network = network, network.copy()
    readout = network.population(objective.readout)
    if not readout.readout:
        raise UserError(
            f"objective: {objective.readout!r} is no readout; readouts are: {', '.join(network.readouts) or 'none'}"
        )
    teachers = _teachers(network, rule, others or {})
    refuse_untold(network, objective, teachers)
    refuse_two_batches(teachers)
    if any(t.rule.evaluation == "online" for t in teachers) and isinstance(readout, LeakyReadout):
        network.attach(objective.readout, objective.fragment())
    needed = [f"{objective.readout}.y"] if isinstance(readout, LeakyReadout) else []
    refuse_two_signals(teachers)
    for teacher in teachers:
        online = teacher.rule.evaluation == "online"
        for factor in (teacher.rule.third_factor, *teacher.rule.regularisers):
            network = factor.extend(Context(network, teacher.targets, objective, online, seed))
            context = Context(network, teacher.targets, objective, online, seed)
            teacher.factors.append((factor, context))
            teacher.states.append(factor.init(context))
            needed += factor.needs(context)
        if teacher.rule.batch > 1:
            refuse_batch(teacher)
    injections: dict[str, Injection] = {}
    accumulators: list[str] = []
    for teacher in teachers:
        for projection in teacher.projections:
            kinds = _kinds(teacher, projection)
            injections[projection.name] = _injection(teacher.rule, network, projection, kinds)
            needed += teacher.rule.needs(network, projection)
            accumulators += teacher.rule.accumulators(network, projection, kinds)
        learnt = teacher.parameters(network)
        for name in teacher.rule.optimizers:
            if name not in learnt:
                place = f"rules.{teacher.rule.name}.optimizers.{name}"
                raise UserError(f"{place}: unknown parameter; {nearest(name, learnt)}")
    refuse_too_large(network)
    drawn = plan(network.freeze(), injections, recorded, seed, needed)
    variables = {f"{name}.{v}" for name, code in drawn.populations.items() for v in code.variables()}
    for name in recorded:
        if name not in variables:
            raise UserError(f"record.variables: {unknown('variable', name, variables)}")
    refuse_unrecorded(described, drawn, teachers, recorded)
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
        raise refusal(drawn, error) from error
    network = drawn.network
    values = live_values(drawn, running)
    for teacher in teachers:
        for factor, context in teacher.factors:
            for pretraining in factor.pretraining(context):
                for name, weights in pretrain(pretraining, assemble, engine, target).items():
                    values[name][:] = weights
    simulated = {f"{name}.{variable}" for name, code in drawn.populations.items() for variable in code.names()}
    spiking = tuple(name for name, population in network.populations.items() if population.spiking)
    responses = [f"{name}.y" for name, p in network.populations.items() if isinstance(p, RateReadout)]
    responses += [n for t in teachers for factor, context in t.factors for n in factor.responses(context)]
    responses += [n for t in teachers for p in t.projections for n in t.rule.responses(network, p)]
    once = [name for name in recorded if once_per_trial(drawn, name)]
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
        tuple(dict.fromkeys([*responses, *once])),
        frozenset(once),
        engine == "compiled",
    )


def _injection(rule: Rule, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
    """What a rule adds for a projection, checked: what is wrong with it is said with rule, projection and line."""
    try:
        injection = rule.inject(network, projection, kinds)
        ends = (network.described(name) for name in (projection.source, projection.target))
        check_injection(injection, *ends)
    except WrongCode as error:
        raise UserError(f"rule {rule.name!r}: network.{projection.name}: {error}") from error
    return injection


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


def _kinds(teacher: Teacher, projection: Projection) -> Sequence[SignalKind]:
    if projection.target not in teacher.targets:
        return ()
    return [factor.kind(context, projection.target) for factor, context in teacher.factors]
