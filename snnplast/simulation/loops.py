"""Which simulations can run batches in one call of compiled code, and why others take the loop over trials."""

from __future__ import annotations

from collections.abc import Sequence

from snnplast.learning.capabilities import (
    Assigns,
    Compiled,
    Explores,
    Judged,
    OverBatch,
    Part,
    Prepares,
    Speaks,
    SweptBack,
)
from snnplast.learning.rule import AfterTrial
from snnplast.native.stage import stands
from snnplast.simulation.plasticity import Plasticity
from snnplast.simulation.simulation import Simulation


def parts_of(plasticity: Plasticity, simulation: Simulation) -> Sequence[Part] | None:
    """What makes the gradients of a rule; None where there is no such form."""
    rule = plasticity.rule
    if not isinstance(rule, SweptBack) or not stands(type(rule), "gradient", "swept"):
        return None
    return rule.swept(simulation.network, plasticity.projections)


def loops(simulation: Simulation) -> str:
    """Why trials of a simulation take the loop; "" where they can run in one call."""
    network, plan, objective = simulation.network, simulation.plan, simulation.objective
    if objective is None or not objective.compiled:
        return "the objective has no compiled form"
    once = network.populations[objective.readout].clock == "trial"
    if f"{objective.readout}.y" not in (simulation.responses if once else plan.recorded):
        return "nothing of the readout's activity is kept"
    if plan.flags.get("work") or plan.flags.get("explore"):
        return "code of a population waits for phases of its own"
    if simulation.noise:
        return f"{next(iter(simulation.noise))!r} is noisy"
    if lasting := simulation.persistent():
        return f"{next(iter(lasting))!r} outlives trials"
    if plan.gates or plan.gathered:
        return "weights change, or gather gradients, within trials"
    if simulation.written(f"{objective.readout}.target"):
        return "the network hears what is wanted of it"
    for plasticity in simulation.plasticities:
        if not isinstance(plasticity.rule, AfterTrial) or isinstance(plasticity.rule, Prepares | Assigns | Explores):
            return f"rule {plasticity.rule.name!r} changes weights or explores within trials"
        if parts_of(plasticity, simulation) is None:
            return f"the gradient of rule {plasticity.rule.name!r} has no compiled form"
        for source in plasticity.sources:
            factor = source.factor
            if isinstance(factor, Speaks | OverBatch | Judged) or not isinstance(factor, Compiled):
                return f"third factor {factor.name!r} has no compiled form"
            if not stands(type(factor), "signal", "compiled_signal"):
                return f"third factor {factor.name!r} has no compiled form of its own"
    handle = simulation.engine.handle(1)
    if handle is None:
        return "the engine is not compiled"
    return "" if all(rows.dtype == float for rows in handle.history.values()) else "its precision is single"
