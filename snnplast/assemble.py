"""Putting an experiment together: network, rules, third factors, what they learn before the run, and engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from snnplast.agreement import refuse_batch, refuse_two_batches, refuse_two_signals, refuse_unrecorded, refuse_untold
from snnplast.assembly import Assembly, live_values
from snnplast.brian import BrianObjectException
from snnplast.build import Plan, construct, plan, refusal
from snnplast.capabilities import Pretrained
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
from snnplast.rule import Rule
from snnplast.signals import SignalKind
from snnplast.teacher import Source, Teacher
from snnplast.third_factor import Context


@dataclass(frozen=True)
class Design:
    """Everything about an experiment but its engine.

    plan: the network with all code merged, pairs and weights. teachers: its rules with their projections and sources.
    injections: projection -> what its rule adds. recorded: what is recorded beside what learning needs.
    """

    plan: Plan
    objective: Objective | None
    teachers: list[Teacher]
    injections: Mapping[str, Injection]
    recorded: tuple[str, ...]


def design(
    network: Network,
    objective: Objective | None,
    rule: Rule,
    seed: int,
    others: Mapping[str, Rule] | None = None,
    recorded: Sequence[str] = (),
) -> Design:
    """Decide everything about an experiment but the engine.

    objective: what is wanted of a readout; None where nothing is.
    rule: learns every plastic projection that names no other; others: those rules by name.
    recorded: neuron variables ('population.variable') to keep step by step beside those that learning needs.
    Raises `UserError` where rule, sources and network do not fit.
    """
    described, network = network, network.copy()
    needed: list[str] = []
    teachers = _teachers(network, rule, others or {})
    if objective is not None:
        needed += _readout(network, objective, any(teacher.rule.evaluation == "online" for teacher in teachers))
    refuse_untold(network, objective, teachers)
    refuse_two_batches(teachers)
    refuse_two_signals(teachers)
    for teacher in teachers:
        online = teacher.rule.evaluation == "online"
        for factor in teacher.rule.factors:
            if teacher.targets:
                network = factor.extend(Context(network, teacher.targets, objective, online, seed))
                context = Context(network, teacher.targets, objective, online, seed)
                teacher.sources.append(Source(factor, context, factor.init(context)))
        if teacher.rule.batch > 1:
            refuse_batch(teacher)
    injections: dict[str, Injection] = {}
    for teacher in teachers:
        for projection in teacher.projections:
            kinds = teacher.kinds(projection)
            injections[projection.name] = _injection(teacher.rule, network, projection, kinds)
        learnt = teacher.parameters(network)
        for name in teacher.rule.optimizers:
            if name not in learnt:
                place = f"rules.{teacher.rule.name}.optimizers.{name}"
                raise UserError(f"{place}: unknown parameter; {nearest(name, learnt)}")
    refuse_too_large(network)
    drawn = plan(network.freeze(), injections, [*needed, *recorded], seed)
    variables = {f"{name}.{v}" for name, code in drawn.populations.items() for v in code.variables()}
    for name in recorded:
        if name not in variables:
            raise UserError(f"record.variables: {unknown('variable', name, variables)}")
    refuse_unrecorded(described, drawn, teachers, recorded)
    return Design(drawn, objective, teachers, injections, tuple(recorded))


def _readout(network: Network, objective: Objective, online: bool) -> list[str]:
    """Add the error of the objective's readout where it is worked out step by step; names what must be recorded."""
    readout = network.population(objective.readout)
    if not readout.readout:
        raise UserError(
            f"objective: {objective.readout!r} is no readout; readouts are: {', '.join(network.readouts) or 'none'}"
        )
    if readout.clock == "trial":
        return []
    if online:
        network.attach(objective.readout, objective.fragment())
    return [f"{objective.readout}.y"]


def assemble(
    network: Network,
    objective: Objective | None,
    rule: Rule,
    seed: int,
    engine: str = "compiled",
    target: str = "auto",
    others: Mapping[str, Rule] | None = None,
    recorded: Sequence[str] = (),
) -> Assembly:
    """Design an experiment and open an engine on it."""
    designed = design(network, objective, rule, seed, others, recorded)
    drawn = designed.plan
    try:
        running = open_engine(construct(drawn), engine, target)
    except BrianObjectException as error:
        raise refusal(drawn, error) from error
    values = live_values(drawn, running)
    for source in (source for teacher in designed.teachers for source in teacher.sources):
        if isinstance(source.factor, Pretrained):
            for pretraining in source.factor.pretraining(source.context):
                for name, weights in pretrain(pretraining, assemble, engine, target).items():
                    values[name][:] = weights
    simulated = {f"{name}.{variable}" for name, code in drawn.populations.items() for variable in code.names()}
    once = [name for name in recorded if once_per_trial(drawn, name)]
    assembly = Assembly(
        drawn.network,
        drawn,
        running,
        objective,
        designed.teachers,
        values,
        frozenset(simulated),
        tuple(name for name, population in drawn.network.populations.items() if population.spiking),
        tuple(dict.fromkeys([*_response(drawn), *once])),
        frozenset(once),
        engine == "compiled",
    )
    assembly.tie()
    return assembly


def _response(drawn: Plan) -> Iterator[str]:
    """Variables that are read after the response: what acts once per trial carries and reaches."""
    populations = drawn.network.populations
    for projection in drawn.network.projections.values():
        if projection.every == "trial":
            yield f"{projection.source}.{projection.variable}"
            yield f"{projection.target}.{projection.into or populations[projection.target].input_variable_name}"
    yield from (f"{name}.y" for name, p in populations.items() if p.readout and p.clock == "trial")


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
    plastic = [projection for projection in network.projections.values() if projection.plastic]
    if not plastic:
        raise UserError("network: no projection is plastic; write plastic=True where the rule should learn")
    groups: dict[int, Teacher] = {}
    for projection in plastic:
        if projection.rule and projection.rule not in others:
            hint = nearest(projection.rule, others)
            raise UserError(f"network.{projection.name}.rule = {projection.rule!r}: no such rule is given; {hint}")
        chosen = others[projection.rule] if projection.rule else rule
        teacher = groups.setdefault(id(chosen), Teacher(chosen, [], ()))
        learnt = {"all": (True, False), "hidden": (False,), "readouts": (True,)}[chosen.learns]
        if network.populations[projection.target].readout in learnt:
            teacher.projections.append(projection)
    for teacher in groups.values():
        heard = teacher.rule.learns == "readouts" and bool(teacher.rule.factors)
        names = [p.target for p in teacher.projections if network.populations[p.target].readout == heard]
        teacher.targets = tuple(dict.fromkeys(names))
        if not teacher.projections:
            raise UserError(
                f"rule {teacher.rule.name!r} learns projections onto {teacher.rule.learns} only, and none of its "
                "plastic ones is one; write plastic=True on one of those"
            )
    return list(groups.values())
