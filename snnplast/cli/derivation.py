"""What `snnplast rules show RULE --neuron NEURON` prints: the rule's traces, derived from the code of that neuron."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from snnplast import registry
from snnplast.cli.injected import examples, injected, injections
from snnplast.cli.sections import neuron_code
from snnplast.cli.show import section
from snnplast.errors import UserError
from snnplast.learning.appendix import appendix
from snnplast.learning.derived import DerivedTraces
from snnplast.network.population import LayerNorm
from snnplast.report.console import emit


def show_derivation(console: Console, rule: str, neuron: str) -> None:
    """Equations of the neuron, what is derived from them, and the code that the rule adds."""
    kind, population = registry.load("rule", rule), registry.load("neuron", neuron)
    networks = examples(population(3, representation=LayerNorm()))
    projections = networks[0].projections
    if all(projections[name].target != "hidden" for name in injections(kind(), networks) if name in projections):
        raise UserError(f"rule {rule!r} keeps no traces of spiking neurons: there is nothing to derive for it")
    emit(console, Text(f"{rule} of {neuron} neurons", style="bold"), wrap=False)
    section(console, "Neuron", neuron_code(population(3)))
    for title, text in appendix(DerivedTraces(networks[0], "hidden", kind().postsynaptic(population(3)))):
        section(console, title, text)
    for title, code in injected(kind, networks):
        section(console, title, code)
    section(console, "References", "\n".join(filter(None, [kind.reference, population.reference])))
