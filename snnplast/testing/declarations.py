"""What a rule declares, in an experiment: code that is the same each time, and variables that exist."""

from __future__ import annotations

from collections.abc import Sequence

from snnplast.learning.rule import Rule
from snnplast.learning.signals import SignalKind
from snnplast.network.network import Network
from snnplast.network.projection import Projection
from snnplast.simulation.simulation import Simulation
from snnplast.testing.bench import promise


def check_declarations(place: str, simulation: Simulation) -> None:
    """Everything that the rules of an experiment name is there, in the right shape."""
    for plasticity in simulation.plasticities:
        rule = plasticity.rule
        for p in plasticity.projections:
            kinds = plasticity.kinds(p)
            texts = [_printed(rule, simulation.network, p, kinds) for _ in range(2)]
            promise(texts[0] == texts[1], f"{place}: inject() gives something else the second time for {p.name!r}")
            size = simulation.plan.wiring[p.name].pre.size
            for called, name in simulation.plan.names[p.name].items():
                if not called.startswith("synapse."):
                    promise(name in simulation.engine.history, f"{place}: {name!r}, which it records, is no variable")
                    continue
                found = simulation.engine[name].shape
                promise(found == (size,), f"{place}: {name!r}, which it reads, has shape {found}, not ({size},)")
        for name in rule.parameters(simulation.network, plasticity.projections):
            promise(name in simulation.values, f"{place}: the network has no parameter {name!r}")


def _printed(rule: Rule, network: Network, projection: Projection, kinds: Sequence[SignalKind]) -> str:
    injection = rule.inject(network, projection, kinds)
    return "\n".join(fragment.text() for fragment in (injection.pre, injection.post, injection.synapse))
