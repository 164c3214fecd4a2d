"""Plugins by name: rules, third factors, models and neurons, built in or offered by installed distributions.

A distribution offers a plugin with an entry point, for instance in its setup.cfg:

    [options.entry_points]
    snnplast.rules =
        my-rule = my_package.my_rule:MyRule

Listing names imports no plugin. A plugin that cannot be imported is an error only for who asks for it by name.
"""

from __future__ import annotations

import importlib
import re
from importlib import metadata
from typing import Any, NamedTuple

from snnplast.errors import UserError, unknown

GROUPS = {
    "rule": "snnplast.rules",
    "third-factor": "snnplast.third_factors",
    "model": "snnplast.models",
    "neuron": "snnplast.neurons",
}

# The same lines as in setup.cfg: with them a checkout works uninstalled.
BUILT_IN = {
    "rule": {
        "e-prop": "snnplast.rules.e_prop:EProp",
        "bptt": "snnplast.rules.bptt:BPTT",
        "ib-hebbian": "snnplast.rules.ib_hebbian:IBHebbian",
        "frozen": "snnplast.rules.frozen:Frozen",
        "delta": "snnplast.rules.delta:Delta",
        "reward-hebbian": "snnplast.rules.reward_hebbian:RewardHebbian",
        "stdp": "snnplast.rules.stdp:STDP",
        "triplet-stdp": "snnplast.rules.triplet_stdp:TripletSTDP",
        "reward-stdp": "snnplast.rules.reward_stdp:RewardSTDP",
        "vogels-inhibitory": "snnplast.rules.vogels_inhibitory:VogelsInhibitory",
        "diehl-cook": "snnplast.rules.diehl_cook:DiehlCookSTDP",
        "votes": "snnplast.rules.votes:Votes",
        "decolle": "snnplast.rules.decolle:DECOLLE",
        "superspike": "snnplast.rules.superspike:SuperSpike",
    },
    "third-factor": {
        "readout-error": "snnplast.rules.third_factors.readout_error:ReadoutError",
        "local-readout": "snnplast.rules.third_factors.local_readout:LocalReadout",
        "firing-rate": "snnplast.rules.third_factors.firing_rate:FiringRate",
        "batch-firing-rate": "snnplast.rules.third_factors.firing_rate:BatchFiringRate",
        "hsic": "snnplast.rules.third_factors.hsic:HSIC",
        "class-memory": "snnplast.rules.third_factors.class_memory:ClassMemory",
        "backprop": "snnplast.rules.third_factors.backprop:Backprop",
        "reservoir": "snnplast.rules.third_factors.reservoir:Reservoir",
        "reward": "snnplast.rules.third_factors.reward:Reward",
        "dopamine": "snnplast.rules.third_factors.dopamine:Dopamine",
        "zero": "snnplast.rules.third_factors.zero:Zero",
        "random": "snnplast.rules.third_factors.random:Random",
    },
    "model": {
        "digits": "snnplast.models.digits:Digits",
        "evidence-accumulation": "snnplast.models.evidence_accumulation:EvidenceAccumulation",
        "linear": "snnplast.models.linear:Linear",
        "xor": "snnplast.models.xor:Xor",
        "idx": "snnplast.models.idx:Idx",
        "diehl-cook": "snnplast.models.diehl_cook:DiehlCook",
        "arrays": "snnplast.models.arrays:Arrays",
        "pattern-generation": "snnplast.models.pattern_generation:PatternGeneration",
        "spike-pattern": "snnplast.models.spike_pattern:SpikePattern",
        "store-recall": "snnplast.models.store_recall:StoreRecall",
        "t-maze": "snnplast.models.t_maze:TMaze",
        "cartpole": "snnplast.models.cartpole:CartPole",
        "pong": "snnplast.models.pong:Pong",
    },
    "neuron": {
        "lif": "snnplast.network.neurons:LIF",
        "alif": "snnplast.network.neurons:ALIF",
        "cuba": "snnplast.network.vogels_abbott:CUBA",
        "coba": "snnplast.network.vogels_abbott:COBA",
        "adex": "snnplast.network.adex:AdEx",
        "izhikevich": "snnplast.network.izhikevich:Izhikevich",
        "glif": "snnplast.network.glif:GLIF",
    },
}
_OWN = "snnplast"


class Offer(NamedTuple):
    """One distribution's plugin: where to import it from ("module:attribute")."""

    distribution: str
    target: str


def names(kind: str) -> list[str]:
    """Sorted names of all plugins of a kind of `GROUPS`; imports none of them."""
    return sorted(_offers(kind))


def load(kind: str, name: str) -> Any:
    """The plugin `name` of `kind`.

    Raises
    ------
    UserError
        Unknown name (lists the known and the nearest); offered by two distributions (names both); import failed
        (names the distribution and the cause).
    """
    offers = _offers(kind)
    if name not in offers:
        raise UserError(unknown(kind, name, offers))
    return _load(kind, name, offers[name])


def broken(kind: str) -> dict[str, str]:
    """Why plugins cannot be loaded, by name; {} when all can. Imports every plugin of `kind`."""
    reasons = {}
    for name, offers in _offers(kind).items():
        try:
            _load(kind, name, offers)
        except UserError as error:
            reasons[name] = str(error)
    return reasons


def _load(kind: str, name: str, offers: list[Offer]) -> Any:
    if len(offers) > 1:
        both = " and ".join(f"'{offer.distribution}'" for offer in offers)
        raise UserError(f"{kind} '{name}' is offered by the distributions {both}: uninstall all but one of them")
    (offer,) = offers
    module, _, attributes = offer.target.partition(":")
    try:
        found = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:  # whatever a stranger's module does while it is imported
        cause = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{kind} '{name}' of the distribution '{offer.distribution}' cannot be loaded:"
            f" {type(error).__name__} in importing '{offer.target}': {cause}"
        ) from error
    return found


def _offers(kind: str) -> dict[str, list[Offer]]:
    """All offers of `kind` by plugin name: the built-in table, then each distribution's entry points."""
    if kind not in GROUPS:
        raise ValueError(unknown("plugin kind", kind, GROUPS))
    offers = {name: [Offer(_OWN, target)] for name, target in BUILT_IN[kind].items()}
    seen = set()
    for distribution in metadata.distributions():
        points = [point for point in _entry_points(distribution) if point.group == GROUPS[kind]]
        if not points:
            continue
        name = distribution.metadata["Name"] or "unnamed"
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:  # an older copy further down sys.path
            continue
        seen.add(key)
        for point in points:
            if key == _OWN and point.name in BUILT_IN[kind]:
                continue
            offers.setdefault(point.name, []).append(Offer(name, point.value.partition("[")[0].strip()))
    return offers


def _entry_points(distribution: metadata.Distribution) -> list[metadata.EntryPoint]:
    """Entry points of one distribution; none from a file that cannot be parsed, which must not harm the others."""
    try:
        return list(distribution.entry_points)
    except Exception:
        return []
