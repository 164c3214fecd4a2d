"""What is learned within trials: found in all code of a plan, whoever wrote it, and let through a gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from snnplast.network.fragments import LEARNING, Fragment
from snnplast.network.gate import Limits, gated, written
from snnplast.network.names import unused
from snnplast.simulation.plan import Plan, companion_name

_LARGEST = np.finfo(float).max


def let_learn(merged: Plan) -> None:
    """All code of a plan writes what is learned through a gate, and weights within their bounds."""
    populations = merged.network.populations
    for name, fragment in merged.populations.items():
        parameters = populations[name].parameters
        merged.learned += [f"{name}.{parameter}" for parameter in parameters if parameter in written(fragment)]
        learned: dict[str, Limits] = dict.fromkeys([*fragment.learned, *parameters])
        merged.populations[name] = _through_gate(merged, name, fragment, learned)
    for name, companion in merged.companions.items():
        code = _through_gate(merged, name, companion.code, dict.fromkeys(companion.code.learned))
        merged.companions[name] = replace(companion, code=code)
    for name, fragment in merged.synapses.items():
        p = merged.network.projections[name]
        at_ends = _learned_at_ends(merged, name)
        merged.learned += [at_ends[called] for called in sorted(written(fragment) & at_ends.keys())]
        learned = {"w": ("w_min", "w_max"), **dict.fromkeys([*fragment.learned, *at_ends])}
        if {"w_min", "w_max"} & fragment.identifiers() or "w" in written(fragment):
            low, high = (
                np.clip(sign * np.inf if side is None else side, -_LARGEST, _LARGEST)
                for side, sign in zip(p.limits(merged.wiring[name].pre), (-1, 1), strict=True)
            )
            fragment = replace(fragment, constants={**fragment.constants, "w_min": low, "w_max": high})
        merged.synapses[name] = _through_gate(merged, name, fragment, learned)
    merged.learned = list(dict.fromkeys(merged.learned))


def _learned_at_ends(merged: Plan, projection: str) -> dict[str, str]:
    """What is learned of the neurons at both ends: the names that synaptic code has for it -> 'owner.variable'."""
    p, own, found = merged.network.projections[projection], merged.synapses[projection].names(), dict[str, str]()
    for end, owner in (("pre", p.source), ("post", p.target)):
        for variable in (*merged.populations[owner].learned, *merged.network.populations[owner].parameters):
            found[f"{variable}_{end}"] = f"{owner}.{variable}"
            if end == "post" and variable not in own:  # Brian2 takes a name without an end for the target's
                found[variable] = f"{owner}.{variable}"
    companion = merged.companion(projection)
    if companion and (key := companion_name(companion)) in merged.companions:
        found |= {f"{variable}_pre": f"{key}.{variable}" for variable in merged.companions[key].code.learned}
    return found


def _through_gate(merged: Plan, owner: str, fragment: Fragment, learned: Mapping[str, Limits]) -> Fragment:
    merged.learned += [f"{owner}.{variable}" for variable in fragment.learned]
    asks = LEARNING in fragment.identifiers() - fragment.names()
    if not (asks or written(fragment) & learned.keys()):
        return fragment
    gate = LEARNING if asks else unused(LEARNING, fragment.names(), "now")
    merged.gates.append(f"{owner}.{gate}")
    return gated(replace(fragment, equations=(*fragment.equations, f"{gate} : 1 (shared)")), learned, gate)
