"""The citations of a configured run."""

from __future__ import annotations

import re

from snnplast.config.experiment import Experiment
from snnplast.network.neurons import SpikingPopulation

BRIAN2 = """@article{stimberg2019brian,
  title = {Brian 2, an intuitive and efficient neural simulator},
  author = {Stimberg, Marcel and Brette, Romain and Goodman, Dan F. M.},
  journal = {eLife}, volume = {8}, pages = {e47314}, year = {2019}, doi = {10.7554/eLife.47314}
}"""

_KEY = re.compile(r"@\w+\{\s*([^,\s]+)\s*,")


def citations(experiment: Experiment) -> list[str]:
    """BibTeX entries of rules, third factors, neurons, model and simulator; of several with one key the longest."""
    rules = [experiment.rule, *experiment.others.values()]
    factors = [factor for rule in rules for factor in rule.factors]
    neurons = [p for p in experiment.network.populations.values() if isinstance(p, SpikingPopulation)]
    texts = [*(thing.reference for thing in (*rules, *factors, *neurons)), experiment.model.citation()]
    entries: dict[str, str] = {}
    for entry in (entry for text in (*texts, BRIAN2) for entry in _entries(text)):
        match = _KEY.match(entry)
        key = match.group(1) if match else entry
        entries[key] = max(entries.get(key, ""), entry, key=len)
    return list(entries.values())


def _entries(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?m)^(?=@)", text) if part.strip()]
