"""The code that a rule adds to small networks, as text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent
from typing import Any, cast

from snnplast.errors import UserError
from snnplast.learning.rule import AfterTrial, Rule
from snnplast.network.fragments import Fragment, Injection
from snnplast.network.network import Network
from snnplast.network.neurons import SpikingPopulation
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout, RateReadout
from snnplast.network.weights import Uniform
from snnplast.simulation.design import Design, design
from snnplast.task.objective import CrossEntropy


def injected(rule_class: type[Rule], networks: Sequence[Network]) -> Iterator[tuple[str, str]]:
    """The code a rule injects, for both faces where it has them: title, text."""
    if not issubclass(rule_class, AfterTrial):
        try:
            designed = _designed(cast(Any, rule_class)(), networks)
        except UserError as error:
            yield "Brian2 code it adds", str(error)
            return
        yield "Brian2 code it adds", _code(designed.injections) or "none"
        yield "What the library makes of it: learning is 1 in training trials, 0 in tests", _gated(designed)
        return
    for evaluation, meaning in (("online", "traces in the synapses"), ("factored", "from records, after the trial")):
        title = f"Brian2 code it adds, evaluation = {evaluation!r} ({meaning})"
        try:
            yield title, _code(injections(cast(Any, rule_class)(evaluation=evaluation), networks)) or "none"
        except UserError as error:
            yield title, str(error)


def injections(rule: Rule, networks: Sequence[Network]) -> Mapping[str, Injection]:
    """Projection -> what the rule injects, on the first network that the rule takes."""
    return _designed(rule, networks).injections


def _designed(rule: Rule, networks: Sequence[Network]) -> Design:
    """The first network that the rule takes, with all its code."""
    complaint: UserError | None = None
    for network in networks:
        try:
            return design(network, CrossEntropy(), rule, seed=0)
        except UserError as error:
            complaint = complaint or error
    assert complaint is not None
    raise complaint


def _gated(designed: Design) -> str:
    """What is written through the gate, line by line; "" where nothing is."""
    plan, gates = designed.plan, [name.partition(".") for name in designed.plan.gates]
    owners: dict[str, list[str]] = defaultdict(list)
    for owner, _, gate in gates:
        fragment = plan.synapses.get(owner) or plan.populations.get(owner) or plan.companions[owner].code
        lines = [line for block in fragment.blocks for line in block.splitlines()]
        found = [line for line in lines if gate in re.findall(r"[A-Za-z_]\w*", line)]
        owners["\n".join(dict.fromkeys(found))].append(owner.replace("_to_", " -> "))
    return "\n".join(f"{', '.join(names)}\n{indent(text, '    ')}" for text, names in owners.items())


def examples(hidden: SpikingPopulation) -> list[Network]:
    """Source -> recurrent hidden layer -> readout, for each kind of readout; then one whose weights have bounds."""
    readouts = LeakyReadout(2), RateReadout(2)
    return [*(_example(hidden, readout) for readout in readouts), _example(hidden, readouts[0], bounds=(0, 1))]


def _example(hidden: SpikingPopulation, readout: LeakyReadout | RateReadout, **settings: Any) -> Network:
    net = Network()
    net.add("input", PoissonSource(4))
    net.add("hidden", hidden)
    net.add("output", readout)
    settings |= {"weights": Uniform(low=0.0, high=1.0)} if settings else {}
    net.connect("input", "hidden", plastic=True, **settings)
    if "gi" in hidden.weight_units:
        net.connect("input", "hidden", name="inhibition", into="gi", plastic=True, **settings)
    net.connect("hidden", "hidden", plastic=True, self_connections=False, **settings)
    if isinstance(readout, LeakyReadout):
        net.connect("hidden", "output", plastic=True)
    else:
        net.connect("hidden", "output", plastic=True, kind="analog", variable="z", every="trial")
    return net


def _code(found: Mapping[str, Injection]) -> str:
    """Each piece of code once, with where it goes."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for location, where in (("pre", "source neurons"), ("post", "target neurons"), ("synapse", "synapses")):
        for projection, injection in found.items():
            fragment = getattr(injection, location)
            if fragment != Fragment():
                owners[where, fragment.text()].append(projection.replace("_to_", " -> "))
    parts = [f"{where} of {', '.join(names)}\n{indent(text, '    ')}" for (where, text), names in owners.items()]
    return "\n".join(parts)
