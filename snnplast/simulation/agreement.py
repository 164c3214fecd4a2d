"""Whether rules, third factors, objective, recording and network agree; what does not is said before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snnplast.errors import UserError, nearest
from snnplast.learning.capabilities import Adaptive, Assigns, OverBatch, Prepares
from snnplast.learning.eligibility import learnt_constants
from snnplast.learning.rule import AfterTrial, Rule
from snnplast.learning.third_factor import ThirdFactor
from snnplast.network.fragments import Injection
from snnplast.network.network import Network
from snnplast.network.projection import Projection
from snnplast.simulation.clocks import once_per_trial
from snnplast.simulation.plan import Plan
from snnplast.simulation.plasticity import Plasticity
from snnplast.task.objective import Objective


def refuse_untold(network: Network, objective: Objective | None, plasticities: Sequence[Plasticity]) -> None:
    """A readout learns from the objective's error, and there is one objective."""
    for projection in (p for plasticity in plasticities for p in plasticity.projections):
        about = None if objective is None else objective.readout
        if network.populations[projection.target].readout and projection.target != about:
            told = "the task has no objective" if about is None else f"the task's objective is for {about!r}"
            raise UserError(
                f"network.{projection.name}: nothing says what the readout {projection.target!r} should do: {told}; "
                "plastic=False keeps these weights"
            )


def refuse_two_batches(plasticities: Sequence[Plasticity]) -> None:
    """Rules of one network learn from the same trials."""
    first, *others = (plasticity.rule for plasticity in plasticities)
    for other in others:
        if other.trials != first.trials:
            told = [
                f"rules.{rule.name}.batch = {rule.trials}"
                if isinstance(rule, AfterTrial)
                else f"rule {rule.name!r} changes weights within a trial, so that a batch holds 1"
                for rule in (other, first)
            ]
            raise UserError(
                f"{told[0]}, but {told[1]}: rules of one network learn from the same trials, one number for all is "
                "allowed"
            )


def refuse_two_signals(plasticities: Sequence[Plasticity]) -> None:
    """Rules that learn different projections onto one population listen to the same sources of a name there."""
    heard: dict[tuple[str, str], tuple[Rule, ThirdFactor]] = {}
    for plasticity in plasticities:
        for factor in plasticity.rule.factors:
            for target in plasticity.targets:
                rule, other = heard.setdefault((factor.name, target), (plasticity.rule, factor))
                if rule is not plasticity.rule and other.model_dump() != factor.model_dump():
                    raise UserError(
                        f"rules.{plasticity.rule.name}: its third factor {factor.name!r} and that of {rule.name!r} "
                        f"reach {target!r} with different settings; the same for both, or one rule for that population"
                    )


def refuse_unlearnt(network: Network, plasticities: Sequence[Plasticity]) -> None:
    """Constants of neurons are learned by one rule, which learns weights onto them, too.

    Where rules learn readouts only, they stay as those weights do.
    """
    for name in network.populations:
        if not (constants := learnt_constants(network, name)):
            continue
        place = f"network.{name}.learnable"
        if not any(p.plastic for p in network.projections.values() if p.target == name):
            raise UserError(f"{place}: rules learn what neurons are like with weights onto them; none is plastic")
        owners = [plasticity for plasticity in plasticities if name in plasticity.targets]
        for plasticity in owners:
            known = plasticity.parameters(network)
            if lost := [constant for constant in constants if constant not in known]:
                raise UserError(f"{place}: rule {plasticity.rule.name!r} learns no {lost[0].partition('.')[2]!r}")
        if len(owners) > 1:
            both = " and ".join(repr(plasticity.rule.name) for plasticity in owners)
            raise UserError(f"{place}: {both} both learn weights onto it; one rule for all of them is needed")


def refuse_unrecorded(
    described: Network, drawn: Plan, plasticities: Sequence[Plasticity], recorded: Sequence[str]
) -> None:
    """Variables whose values come after the trial, in steps that are not kept. described: the network as it was."""
    network, rng = drawn.network, np.random.default_rng(0)
    tried = [segment for plasticity in plasticities for segment in plasticity.explore(network, rng)]
    explored = {name.partition(".")[0] for segment in tried for name in segment.series}
    for name in recorded:
        population, _, variable = name.partition(".")
        if population in explored and variable in ("noise", "explored"):
            raise UserError(
                f"record.variables: {name!r} changes in the steps of exploration after a trial, which are not kept; "
                f"'{population}.y', what the trial gave, is allowed"
            )
        if variable == "z" and population in described.populations and not network.trial_clocked:
            raise UserError(
                f"record.variables: {name!r} is worked out in a response step, which nothing in this network asks for"
            )
        if population in drawn.flags["work"] and not once_per_trial(drawn, name):
            raise UserError(
                f"record.variables: {name!r} changes after the trial, while {population!r} takes it up, in steps that "
                "are not kept"
            )


def refuse_no_synaptic(drawn: Plan, name: str) -> None:
    """A synaptic variable must be one that the synapses of the projection have; factored, traces live elsewhere."""
    projection, _, variable = name.partition(".")
    code = drawn.synapses.get(projection)
    own = {"w", *code.variables()} if code and drawn.network.projections[projection].simulated else set()
    if variable not in own:
        there = nearest(variable, own) if own else "there are none"
        raise UserError(
            f"record.variables: {name!r}: the synapses of {projection!r} hold no such variable; traces are there "
            f"with evaluation = 'online'; {there}"
        )


def refuse_late(plasticity: Plasticity) -> None:
    """A rule that changes weights within a trial needs its signals there."""
    if plasticity.rule.changes != "within-trial":
        return
    for source in plasticity.sources:
        factor, context = source.factor, source.context
        kinds = [factor.kind(context, name) for name in plasticity.targets]
        after = isinstance(factor, OverBatch) or any(kind.timing == "trial" for kind in kinds)
        if after or (isinstance(factor, Adaptive) and factor.parameters(context)):
            what = "has its signal after the trial" if after else "learns from gradients, which there are none of"
            raise UserError(
                f"rules.{plasticity.rule.name}.third_factor = {factor.name!r}: it {what}, and this rule changes "
                "weights while the trial runs; a third factor with a signal at every step is allowed"
            )


def refuse_unrun(network: Network, projection: Projection, injection: Injection) -> None:
    """Code of a rule for events that a projection does not have."""
    code, place = injection.synapse, f"network.{projection.name}"
    if not projection.simulated and code.blocks:
        raise UserError(f"{place}.simulated = False: its rule has code for its synapses, which does not run there")
    if projection.kind == "analog" and (code.on_spike or code.on_arrival or code.on_post):
        raise UserError(f"{place} is analog, and its rule has code for spikes; plastic=False keeps these weights")
    if code.on_post and not network.populations[projection.target].spiking:
        raise UserError(
            f"{place}: its rule has code for spikes of {projection.target!r}, which has none; plastic=False keeps "
            "these weights"
        )


def refuse_batch(plasticity: Plasticity) -> None:
    """A rule that learns after every trial has one in a batch; a source may hear several, in their order."""
    rule = plasticity.rule
    if rule.batch_mode == "sequential" or isinstance(rule, Prepares | Assigns):
        raise UserError(
            f"rules.{rule.name}.batch = {rule.trials}: the rule {rule.name!r} takes trials one after another; "
            "batch = 1 is allowed"
        )


def refuse_in_pieces(plan: Plan, plasticities: Sequence[Plasticity]) -> None:
    """What does not go on over the trials of a continuous run."""
    for plasticity in plasticities:
        if isinstance(plasticity.rule, AfterTrial):
            raise UserError(
                f"task.continuous: rule {plasticity.rule.name!r} makes its gradient of trials that begin from nothing; "
                "a rule that changes weights within the trial is allowed"
            )
    code = {**plan.populations, **plan.synapses}
    for name, fragment in code.items():
        if "t" in fragment.identifiers() - fragment.names():
            raise UserError(
                f"task.continuous: the code of {name!r} reads the time t, which begins anew with each piece; "
                "input of the task, or a variable that counts steps, is allowed"
            )
