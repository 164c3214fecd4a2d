"""What a rule could not learn exactly on a plain Brian2 script is refused in one sentence."""

from __future__ import annotations

import brian2 as b2
import pytest
from learning_scripts import (
    MS,
    N_IN,
    Script,
    cells,
)

import snnplast
from snnplast import (
    MeanSquaredError,
)
from snnplast.learning import Prepares
from snnplast.rules.delta import Delta
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.reward_hebbian import RewardHebbian
from snnplast.rules.stdp import STDP
from snnplast.rules.third_factors.readout_error import ReadoutError
from snnplast.rules.votes import Votes

pytestmark = pytest.mark.usefixtures("numpy_code")


def synapses(script, model="w : 1", **settings) -> None:
    other = b2.Synapses(script.inputs, script.cells, model, dt=MS, name="others", **settings)
    other.connect()
    script.synapses = [other]
    script.network.add(other)


def kicked(script) -> None:
    cells(script)
    script.cells.run_regularly("v += 0.1", dt=MS)


def floored_first(script) -> None:
    script.cells.run_regularly("v = clip(v, -1, inf)", when="after_groups", order=0, dt=MS)
    script.s_in.pre.order = 1


def halved(script) -> None:
    other = b2.Synapses(script.inputs, script.cells[:4], "w : 1", on_pre="v_post += w", dt=MS, name="others")
    script.synapses = [other]
    script.network.add(other)


def twice(script) -> None:
    synapses(script, on_pre="v_post += w")
    script.synapses[0].connect()


def two_steps(script) -> None:
    synapses(script, on_pre="v_post += w")
    script.inputs = b2.SpikeGeneratorGroup(N_IN, [0], [0] * MS, dt=0.5 * MS)
    other = b2.Synapses(script.inputs, script.cells, "w : 1", on_pre="v_post += w", dt=MS)
    other.connect()
    script.synapses = [other]
    script.network.add(other)


class Scaled(Prepares, EProp):
    """It makes weights smaller before each trial."""

    name = "scaled"


REFUSED = {
    "evaluation = 'online': 'factored', after each trial, is allowed": (None, EProp(evaluation="online"), {}),
    "rule 'reward-hebbian' explores in steps of its own": (None, RewardHebbian(), {}),
    "rule 'stdp' changes weights within a trial, which code of the script's": (None, STDP(), {}),
    "rule 'votes' learns without a gradient; a rule that learns after the trial": (None, Votes(), {}),
    "rule 'scaled' needs more of the network, or changes weights without": (None, Scaled(), {}),
    "rule = 'e-prop': a rule, such as EProp\\(\\), is needed": (None, "e-prop", {}),
    "third factor 'readout-error' learns weights of its own": (
        None, EProp(third_factor=ReadoutError(feedback="adaptive")), {}
    ),
    "third factor 'hsic': population 'cells' has no rate representation": (None, IBHebbian(), {}),
    "representation = 3: LayerNorm": (None, IBHebbian(), {"representation": 3}),
    "rule 'delta' has a schedule, which needs their number": (None, Delta(), {}),
    "updates = 0: an integer of at least 1": (None, Delta(), {"updates": 0}),
    "objective.readout = 'input', but readout is 'output'": (
        None, EProp(), {"objective": MeanSquaredError(readout="input")}
    ),
    "unknown name of synapses 'S_im': did you mean 'S_in'": (None, EProp(), {"bounds": {"S_im": (0, 1)}}),
    "S_in: initial weights span .* beyond bounds": (None, EProp(), {"bounds": {"S_in": (0, 1)}}),
    "objective = 'mse': an Objective": (None, EProp(), {"objective": "mse"}),
    "target 'output' does not spike; readout=... says": (None, EProp(), {"readout": None}),
    "synapses = .*: a list of Brian2's Synapses": (None, EProp(), {"synapses": []}),
    "network = .*: the Brian2 Network that runs": (None, EProp(), {"network": 3}),
    "S_in: it is not in the network": (lambda s: s.network.remove(s.s_in), EProp(), {}),
    "what its reset does depends on the state": (lambda s: cells(s, reset="v = 0.1*v**2"), EProp(), {}),
    "'milstein' takes noise whose strength depends on no state": (
        lambda s: cells(s, "dv/dt = -v/(20*ms) + 0.1*v*xi*second**-0.5 : 1", method="milstein"), EProp(), {}
    ),
    "S_in: its spikes arrive after 'v = clip\\(v, -1, inf\\)' has changed 'v'": (floored_first, EProp(), {}),
    "'v [+]= 0.1' changes 'v' in slot 'start'": (kicked, EProp(), {}),
    "threshold = 'v > 1 and v < 9' is not 'a > b'": (lambda s: cells(s, threshold="v > 1 and v < 9"), EProp(), {}),
    "a trial begins -50 below the threshold": (lambda s: cells(s, threshold="v > -50"), EProp(), {}),
    "surrogates: unknown name of neurons 'cell': did you mean 'cells'": (None, EProp(), {"surrogates": {"cell": {}}}),
    "surrogates\\['cells'\\]: unknown setting 'scale'": (None, EProp(), {"surrogates": {"cells": {"scale": 1}}}),
    "'w' has a unit; a weight without one, times a constant": (
        lambda s: synapses(s, "w : volt", on_pre="v_post += w/volt"), EProp(), {}
    ),
    "on_pre = 'v_post [+]= w\\*w': a constant times 'w'": (lambda s: synapses(s, on_pre="v_post += w*w"), EProp(), {}),
    "on_pre = 'v_post = w': one weight and one statement": (lambda s: synapses(s, on_pre="v_post = w"), EProp(), {}),
    "others: one on_pre": (lambda s: synapses(s, on_pre="v_post += w", on_post="w += 0.1"), EProp(), {}),
    "others: it has equations of its own": (
        lambda s: synapses(s, "w : 1\ndx/dt = -x/ms : 1 (event-driven)", on_pre="v_post += w"), EProp(), {}
    ),
    "target 'cells_subgroup' is part of a group": (halved, EProp(), {}),
    "some pair of neurons has two synapses": (twice, EProp(), {}),
    "several time steps": (two_steps, EProp(), {}),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_could_not_be_learned_exactly_is_refused(sentence):
    change, rule, settings = REFUSED[sentence]
    script = Script()
    if change is not None:
        change(script)
    given = {"network": script.network, "synapses": script.synapses, "readout": script.output} | settings
    before = {b2_object.name for b2_object in script.network.objects}
    with pytest.raises(snnplast.UserError, match=sentence) as told:
        snnplast.attach(rule, given.pop("network"), **given)
    assert "\n" not in str(told.value)
    assert {b2_object.name for b2_object in script.network.objects} == before
