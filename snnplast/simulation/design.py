"""Putting an experiment together: network, rules, third factors, what they learn before the run, and engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snnplast.errors import UserError, nearest, unknown
from snnplast.learning.capabilities import Extends, Follows
from snnplast.learning.rule import AfterTrial, Rule
from snnplast.learning.signals import SignalKind
from snnplast.learning.third_factor import Context
from snnplast.network.code import WrongCode
from snnplast.network.code_check import check_injection
from snnplast.network.fragments import Injection
from snnplast.network.memory import refuse_too_large
from snnplast.network.network import Network
from snnplast.network.projection import Projection
from snnplast.simulation.agreement import (
    refuse_batch,
    refuse_late,
    refuse_no_synaptic,
    refuse_two_batches,
    refuse_two_signals,
    refuse_unlearnt,
    refuse_unrecorded,
    refuse_unrun,
    refuse_untold,
)
from snnplast.simulation.learned_within import let_learn
from snnplast.simulation.plan import Plan, plan
from snnplast.simulation.plasticity import Plasticity, Source
from snnplast.task.objective import Objective


@dataclass(frozen=True)
class Design:
    """Everything about an experiment but its engine.

    plan: the network with all code merged, pairs and weights. plasticities: its rules with projections and sources.
    injections: projection -> what its rule adds. recorded: what is recorded beside what learning needs.
    """

    plan: Plan
    objective: Objective | None
    plasticities: list[Plasticity]
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
    recorded: what to keep beside what learning needs: neuron variables ('population.variable') step by step, synaptic
        ones ('projection.variable') as they are at the end of a trial.
    Raises `UserError` where rule, sources and network do not fit.
    """
    described, network = network, network.drawn(seed)
    needed: list[str] = []
    plasticities = _plasticities(network, rule, others or {})
    if objective is not None:
        needed += _readout(network, objective, any(plasticity.rule.online for plasticity in plasticities))
    refuse_untold(network, objective, plasticities)
    refuse_two_batches(plasticities)
    refuse_two_signals(plasticities)
    for plasticity in plasticities:
        if isinstance(plasticity.rule, Extends):
            network = plasticity.rule.extend(network, plasticity.projections)
        online = plasticity.rule.online
        for factor in plasticity.rule.factors:
            if plasticity.targets:
                network = factor.extend(Context(network, plasticity.targets, objective, online, seed))
                context = Context(network, plasticity.targets, objective, online, seed)
                plasticity.sources.append(Source(factor, context, factor.init(context)))
        needed += [f"{name}.y" for name in plasticity.judged]
        refuse_late(plasticity)
        if plasticity.rule.trials > 1:
            refuse_batch(plasticity)
    injections: dict[str, Injection] = {}
    for plasticity in plasticities:
        for projection in [*plasticity.projections, *_followed(network, plasticity)]:
            kinds = plasticity.kinds(projection)
            injections[projection.name] = _injection(plasticity.rule, network, projection, kinds)
        learnt = plasticity.parameters(network)
        for name in plasticity.rule.optimizers if isinstance(plasticity.rule, AfterTrial) else ():
            if name not in learnt:
                place = f"rules.{plasticity.rule.name}.optimizers.{name}"
                raise UserError(f"{place}: unknown parameter; {nearest(name, learnt)}")
    refuse_unlearnt(network, plasticities)
    refuse_too_large(network)
    synaptic = tuple(name for name in recorded if name.partition(".")[0] in network.projections)
    neuronal = [name for name in recorded if name not in synaptic]
    drawn = plan(network.freeze(), injections, [*needed, *neuronal], seed)
    let_learn(drawn)
    drawn.asked = synaptic
    variables = {f"{name}.{v}" for name, code in drawn.populations.items() for v in code.variables()}
    variables |= {f"{name}.{v}" for name, code in drawn.synapses.items() for v in code.variables()}
    for name in neuronal:
        if name not in variables:
            raise UserError(f"record.variables: {unknown('variable', name, variables)}")
    for name in synaptic:
        refuse_no_synaptic(drawn, name)
    refuse_unrecorded(described, drawn, plasticities, neuronal)
    return Design(drawn, objective, plasticities, injections, tuple(recorded))


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


def _followed(network: Network, plasticity: Plasticity) -> list[Projection]:
    """Projections that its rule does not learn, and yet has code for."""
    own = plasticity.rule
    return own.follow(network, plasticity.projections) if isinstance(own, Follows) else []


def _injection(rule: Rule, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> Injection:
    """What a rule adds for a projection, checked: what is wrong with it is said with rule, projection and line."""
    try:
        injection = rule.inject(network, projection, kinds)
        ends = (network.described(name) for name in (projection.source, projection.target))
        check_injection(injection, *ends, within=rule.changes == "within-trial")
        refuse_unrun(network, projection, injection)
    except WrongCode as error:
        raise UserError(f"rule {rule.name!r}: network.{projection.name}: {error}") from error
    return injection


def _plasticities(network: Network, rule: Rule, others: Mapping[str, Rule]) -> list[Plasticity]:
    plastic = [projection for projection in network.projections.values() if projection.plastic]
    if not plastic:
        raise UserError("network: no projection is plastic; write plastic=True where the rule should learn")
    groups: dict[int, Plasticity] = {}
    for projection in plastic:
        if projection.rule and projection.rule not in others:
            hint = nearest(projection.rule, others)
            raise UserError(f"network.{projection.name}.rule = {projection.rule!r}: no such rule is given; {hint}")
        chosen = others[projection.rule] if projection.rule else rule
        plasticity = groups.setdefault(id(chosen), Plasticity(chosen, [], ()))
        learnt = {"all": (True, False), "hidden": (False,), "readouts": (True,)}[chosen.learns]
        if network.populations[projection.target].readout in learnt:
            plasticity.projections.append(projection)
    for plasticity in groups.values():
        heard = plasticity.rule.learns == "readouts" and bool(plasticity.rule.factors)
        names = [p.target for p in plasticity.projections if network.populations[p.target].readout == heard]
        plasticity.targets = tuple(dict.fromkeys(names))
        if not plasticity.projections:
            raise UserError(
                f"rule {plasticity.rule.name!r} learns projections onto {plasticity.rule.learns} only, and none of its "
                "plastic ones is one; write plastic=True on one of those"
            )
    return list(groups.values())
