"""Any rule takes any source: each pair learns on either kind of readout, or says in one sentence what it lacks."""

from __future__ import annotations

import numpy as np
import pytest
from small_runs import RESERVOIR, trainer

from snnplast.errors import UserError
from snnplast.learning.optimizer import SGD
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy
from snnplast.testing import small_network

pytestmark = pytest.mark.usefixtures("own_cache")

RULES = {"e-prop": EProp, "ib-hebbian": IBHebbian}
READOUTS = ("leaky", "rate")

EVERY_LAYER, NORM, RATE = "a readout of every layer", "a representation", "a rate readout"
SYMMETRIC, ADAPTIVE = ({"name": "readout-error", "feedback": kind} for kind in ("symmetric", "adaptive"))
REFERENCE = {"name": "hsic", "window": 3, "xi": "reference"}

FEEDBACK = "'readout-error': {} feedback to 'first' needs one {}projection from 'first' to 'output'; found: none"

SOURCES = {  # what a rule may be driven by -> what the network must have, and what is said where it has not
    "readout-error, random": ({"name": "readout-error", "feedback": "random"}, {}),
    "readout-error, symmetric": (
        SYMMETRIC,
        {EVERY_LAYER: FEEDBACK.format("symmetric", "")},
    ),
    "readout-error, adaptive": (
        ADAPTIVE,
        {EVERY_LAYER: FEEDBACK.format("adaptive", "plastic ")},
    ),
    "firing-rate": ({"name": "firing-rate"}, {}),
    "hsic, exact": ({"name": "hsic", "window": 3}, {NORM: "'hsic'"}),
    "hsic, reference": (REFERENCE, {NORM: "'hsic'"}),
    "class-memory": ({"name": "class-memory"}, {NORM: "'class-memory'"}),
    "reservoir": ({"name": "reservoir", **RESERVOIR}, {NORM: "'reservoir'"}),
    "random": ({"name": "random"}, {NORM: "'random'"}),
    "backprop": (
        {"name": "backprop"},
        {
            NORM: "'backprop'",
            EVERY_LAYER: "'backprop': 'first' needs one projection to 'output'",
            RATE: "'backprop': 'output' acts step by step; a RateReadout is needed",
        },
    ),
}
NO_NORM = ": population 'first' has no rate representation; describe it with representation=LayerNorm()"

LEGAL = [(s, r) for s, (_, needed) in SOURCES.items() for r in READOUTS if r == "rate" or RATE not in needed]
LACKING = [(s, need, r) for s, r in LEGAL for need in SOURCES[s][1] if need != RATE]
LACKING += [(s, RATE, "leaky") for s, (_, needed) in SOURCES.items() if RATE in needed]

every_rule = pytest.mark.parametrize("rule", list(RULES))


def network(readout, lacks=None):
    """The conformance kit's network with a readout of every layer, or without something."""
    net = small_network(readout)
    if lacks not in (EVERY_LAYER, NORM):
        carried = {"kind": "analog", "variable": "z", "every": "trial"} if readout == "rate" else {}
        net.connect("first", "output", plastic=True, **carried)
    if lacks == NORM:
        net.populations["first"] = net.populations["first"].model_copy(update={"representation": None})
    return net


def changes(rule, source, readout, evaluation):
    """What six trials change of all weights and biases."""
    factor, rate = SOURCES[source][0], SGD(learning_rate=0.02)
    own = {"readout_optimizer": rate} if rule == "ib-hebbian" else {}
    run = trainer(
        RULES[rule](third_factor=factor, evaluation=evaluation, optimizer=rate, **own), network(readout), iterations=6
    )
    before = {name: run.simulation.values[name].copy() for name in run.simulation.parameters}
    for step in run:
        assert all(step.trials[0].counts(name).any() for name in ("first", "second")), "no neuron spikes"
    return {name: run.simulation.values[name] - start for name, start in before.items()}


@every_rule
@pytest.mark.parametrize("source, readout", LEGAL)
def test_a_rule_learns_from_a_source_the_same_in_both_evaluations(rule, source, readout):
    online, factored = (changes(rule, source, readout, evaluation) for evaluation in ("online", "factored"))
    hidden = {"input_to_first", "first_to_first", "first_to_second"}
    assert hidden | {"first_to_output", "second_to_output"} <= online.keys() == factored.keys()
    for name, change in online.items():
        largest = np.abs(change).max()
        assert np.all(np.isfinite(change)) and largest > 0, name
        assert np.abs(factored[name] - change).max() <= 1e-9 * largest, name


@every_rule
@pytest.mark.parametrize("source, need, readout", LACKING)
@pytest.mark.parametrize("evaluation", ["online", "factored"])
def test_a_rule_says_what_its_source_lacks(rule, source, need, readout, evaluation):
    factor, needed = SOURCES[source]
    with pytest.raises(UserError) as refusal:
        design(network(readout, need), CrossEntropy(), RULES[rule](third_factor=factor, evaluation=evaluation), 1)
    assert str(refusal.value) == f"third factor {needed[need]}{NO_NORM if need == NORM else ''}"
