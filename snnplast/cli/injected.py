"""The code that a rule adds to small networks, as text."""

from __future__ import annotations

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
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy


def injected(rule_class: type[Rule], networks: Sequence[Network]) -> Iterator[tuple[str, str]]:
    """The code a rule injects, for both faces where it has them: title, text."""
    if not issubclass(rule_class, AfterTrial):
        try:
            yield "Brian2 code it adds", _code(injections(cast(Any, rule_class)(), networks)) or "none"
        except UserError as error:
            yield "Brian2 code it adds", str(error)
        return
    for evaluation, meaning in (("online", "traces in the synapses"), ("factored", "from records, after the trial")):
        title = f"Brian2 code it adds, evaluation = {evaluation!r} ({meaning})"
        try:
            yield title, _code(injections(cast(Any, rule_class)(evaluation=evaluation), networks)) or "none"
        except UserError as error:
            yield title, str(error)


def injections(rule: Rule, networks: Sequence[Network]) -> Mapping[str, Injection]:
    """Projection -> what the rule injects, on the first network that the rule takes."""
    complaint: UserError | None = None
    for network in networks:
        try:
            return design(network, CrossEntropy(), rule, seed=0).injections
        except UserError as error:
            complaint = complaint or error
    assert complaint is not None
    raise complaint


def examples(hidden: SpikingPopulation) -> list[Network]:
    """Source -> recurrent hidden layer -> readout, one network for each kind of readout."""
    return [_example(hidden, readout) for readout in (LeakyReadout(2), RateReadout(2))]


def _example(hidden: SpikingPopulation, readout: LeakyReadout | RateReadout) -> Network:
    net = Network()
    net.add("input", PoissonSource(4))
    net.add("hidden", hidden)
    net.add("output", readout)
    net.connect("input", "hidden", plastic=True)
    if "gi" in hidden.weight_units:
        net.connect("input", "hidden", name="inhibition", into="gi", plastic=True)
    net.connect("hidden", "hidden", plastic=True, self_connections=False)
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
