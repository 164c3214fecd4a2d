"""Any rule takes any source: each pair learns on either kind of readout, or says in one sentence what it lacks."""

from __future__ import annotations

import numpy as np
import pytest
from small_runs import RESERVOIR, trainer

from snnplast.assemble import design
from snnplast.errors import UserError
from snnplast.objective import CrossEntropy
from snnplast.optimizer import SGD
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.testing import small_network

pytestmark = pytest.mark.usefixtures("own_cache")

RULES = {"e-prop": EProp, "ib-hebbian": IBHebbian}
READOUTS = ("leaky", "rate")

SOURCES = {  # what a rule may be driven by -> what the network must have for it
    "readout-error, random": ({"name": "readout-error", "feedback": "random"}, None),
    "readout-error, symmetric": ({"name": "readout-error", "feedback": "symmetric"}, "readout of every layer"),
    "readout-error, adaptive": ({"name": "readout-error", "feedback": "adaptive"}, "readout of every layer"),
    "firing-rate": ({"name": "firing-rate"}, None),
    "hsic, exact": ({"name": "hsic", "window": 3}, "representation"),
    "hsic, reference": ({"name": "hsic", "window": 3, "xi": "reference"}, "representation"),
    "class-memory": ({"name": "class-memory"}, "representation"),
    "reservoir": ({"name": "reservoir", **RESERVOIR}, "representation"),
    "random": ({"name": "random"}, "representation"),
}
SENTENCES = {  # what a network may lack -> what is said
    "readout of every layer": r"third factor '{}': {} feedback to 'first' needs a (plastic )?projection "
    r"'first_to_output'",
    "representation": r"third factor '{}': population 'first' has no rate representation; "
    r"describe it with representation=LayerNorm\(\)",
}

each = pytest.mark.parametrize("source", list(SOURCES))
every_rule = pytest.mark.parametrize("rule", list(RULES))
both_readouts = pytest.mark.parametrize("readout", READOUTS)


def network(readout, lacks="nothing"):
    """The conformance kit's network with a readout of every layer, or without something."""
    net = small_network(readout)
    if lacks != "readout of every layer":
        carried = {"kind": "analog", "variable": "z", "every": "trial"} if readout == "rate" else {}
        net.connect("first", "output", plastic=True, **carried)
    if lacks == "representation":
        for name in ("first_to_output", "second_to_output"):
            net.change(name, plastic=name.startswith("second"))
        net.projections.pop("first_to_output")
        net.populations["first"] = net.populations["first"].model_copy(update={"representation": None})
    return net


def changes(rule, source, readout, evaluation):
    """What six trials change of all weights and biases."""
    factor, rate = SOURCES[source][0], SGD(learning_rate=0.02)
    own = {"readout_optimizer": rate} if rule == "ib-hebbian" else {}
    run = trainer(
        RULES[rule](third_factor=factor, evaluation=evaluation, optimizer=rate, **own), network(readout), iterations=6
    )
    before = {name: run.assembly.values[name].copy() for name in run.assembly.parameters}
    for step in run:
        assert all(step.trials[0].counts(name).any() for name in ("first", "second")), "no neuron spikes"
    return {name: run.assembly.values[name] - start for name, start in before.items()}


@each
@every_rule
@both_readouts
def test_a_rule_learns_from_a_source_the_same_in_both_evaluations(rule, source, readout):
    online, factored = (changes(rule, source, readout, evaluation) for evaluation in ("online", "factored"))
    hidden = {"input_to_first", "first_to_first", "first_to_second"}
    assert hidden | {"first_to_output", "second_to_output"} <= online.keys() == factored.keys()
    for name, change in online.items():
        largest = np.abs(change).max()
        assert np.all(np.isfinite(change)) and largest > 0, name
        assert np.abs(factored[name] - change).max() <= 1e-9 * largest, name


@pytest.mark.parametrize("source", [source for source, (_, needed) in SOURCES.items() if needed])
@every_rule
@both_readouts
@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_a_rule_says_what_its_source_lacks(rule, source, readout, evaluation):
    factor, needed = SOURCES[source]
    sentence = SENTENCES[needed].format(factor["name"], factor.get("feedback"))
    with pytest.raises(UserError, match=sentence):
        design(network(readout, needed), CrossEntropy(), RULES[rule](third_factor=factor, evaluation=evaluation), 1)
