"""When a variable takes its value: at every step, or once per trial, in the response step after the last segment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from snnplast.network.fragments import Update
from snnplast.simulation.plan import Plan


def once_per_trial(plan: Plan, name: str) -> bool:
    """Whether 'population.variable' takes its value in the response step, and stands still all else of a trial.

    It does where its population says so, where it is a rate representation, and where all code and all projections
    that name it act once per trial.
    """
    owner, _, variable = name.partition(".")
    population = plan.network.populations[owner]
    if population.clock == "trial" or (variable == "z" and population.rate_representation is not None):
        return True
    named = re.compile(rf"\b{re.escape(variable)}\b")
    return any(map(named.search, _code(plan, owner, "trial"))) and not any(
        map(named.search, _code(plan, owner, "step"))
    )


def _code(plan: Plan, owner: str, clock: str) -> Iterator[str]:
    """Everything that acts on a population at every step, or once per trial: its own code, projections, synapses."""
    fragment = plan.populations[owner]
    yield from (update.code for update in fragment.updates if _clock(update) == clock)
    for name, projection in plan.network.projections.items():
        if projection.simulated and projection.every == clock:
            if projection.source == owner and projection.variable is not None:
                yield projection.variable
            if projection.target == owner:
                yield projection.into or plan.network.populations[owner].input_variable_name or ""
        if clock == "step":
            yield from _synaptic(plan, name, owner)
    if clock == "step":
        yield from (line for line in fragment.equations if "=" in line)
        yield from fragment.on_spike


def _clock(update: Update) -> str:
    return "step" if update.event is None else "trial"


def _synaptic(plan: Plan, projection: str, owner: str) -> Iterator[str]:
    """What rules let the synapses of a projection do with a population's variables, under the names they have there."""
    description, fragment = plan.network.projections[projection], plan.synapses.get(projection)
    ends = [end for end, name in (("pre", description.source), ("post", description.target)) if name == owner]
    if fragment is None:
        return
    for code in (*fragment.on_spike, *fragment.on_arrival, *(update.code for update in fragment.updates)):
        for end in ends:
            yield re.sub(rf"\b(\w+)_{end}\b", r"\1", code)
