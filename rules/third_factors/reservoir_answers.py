r"""How pools answer that each hold the average of a class: in the response step, before the sample is taken up.

    said_i     = r_i                         units of pool c: their state before the sample
    weighted_i = said_i e_c(i)               e: an error of each class, which analog synapses of weight 1 carry to them
    xi         = sum_i W_i weighted_i        through the weights W that were learned before the run: sum_c e_c m^_c

The errors e are, by what the teacher expects,

    readout    those of the task's readout, p - y, worked out in the simulation from its activity in the same step
    uniform    1 / (number of classes known so far) - y
    layer      softmax_c(a) - y of `<layer>_expected`, where a_c = b sum_j (m^_cj z_j - m^_cj^2 / 2)

For the last the average of each pool must be there by itself: units j of `<layer>_recalled`, one for each class and
neuron, hear their pool through W and the neuron's z, and say the product; what is weighted are then they. A class of
which nothing is known yet has a = 0 there, where the class memory leaves it out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snnplast.errors import UserError
from snnplast.learning import Context, State
from snnplast.network import Analog, ExplicitPairs, Fragment, Network, Update, slots
from snnplast.rules.third_factors.reservoir_teachers import Averaged
from snnplast.rules.third_factors.reservoir_training import connect_readout
from snnplast.rules.third_factors.reservoir_units import Feature, Units
from snnplast.task import CrossEntropy

_ONCE: dict[str, Any] = {"kind": "analog", "every": "trial"}
_LATE: dict[str, Any] = {**_ONCE, "feedback": True, "order": 2}
"""After errors have weighted what is said."""


def connect_answers(network: Network, lesson: Averaged, units: Units, readout: str, context: Context) -> None:
    """Everything between the pools of a layer's reservoir and the population whose variable `drive` is the signal."""
    said = Update("said = opened + closed", "before_synapses", 1, event="trial")
    network.attach(units.name, Fragment(("said : 1",), updates=(said,)))
    if lesson.expectation == "layer":
        _compare(network, lesson, units, readout)
        return
    source = f"{units.layer}_error"
    if lesson.expectation == "readout":
        source = _heard(network, context)
    else:
        network.add(source, Analog(units.classes, equations="error : 1", into="error"))
    _weigh(network, source, units.name, units.pool)
    connect_readout(network, [Feature("pools", units.name, "weighted")], readout, feedback=True, order=2)


def given(lesson: Averaged, layer: str, label: np.ndarray, state: State) -> dict[str, np.ndarray]:
    """What is set before the response step. label: y (C,), one-hot; state: the teacher's own."""
    if lesson.expectation == "uniform":
        return {f"{layer}_error.error": lesson.uniform(label, state)}
    if lesson.expectation == "layer":
        return {f"{layer}_expected.target": label, f"{layer}_expected.in_window": np.ones(1)}
    return {}


def _heard(network: Network, context: Context) -> str:
    """The task's readout, with its error in the simulation."""
    readout, objective, place = context.readout, context.objective, "third factor 'reservoir': teacher.expectation"
    if context.read.clock != "trial":
        raise UserError(f"{place} = 'readout': {readout!r} acts step by step; a RateReadout is needed")
    if not isinstance(objective, CrossEntropy):
        kind = type(objective).__name__
        raise UserError(f"{place} = 'readout': errors of {kind} do not sum to 0; a CrossEntropy objective is needed")
    if not network.attachments.get(readout):
        network.attach(readout, objective.fragment())
    return readout


def _weigh(network: Network, source: str, name: str, label: np.ndarray) -> None:
    """Let the variable `error` of a population, one value per class, weight what units of these classes (n,) say."""
    code = Update("weighted = said*weight\nweight = 0", *slots.SIGNALS, event="trial")
    network.attach(name, Fragment(("weight : 1", "weighted : 1"), updates=(code,)))
    units = np.argsort(label, kind="stable")
    pairs = ExplicitPairs(pre=label[units], post=units)
    carried = {**_ONCE, "feedback": True, "variable": "error", "into": "weight"}
    network.connect(source, name, connectivity=pairs, weights=1.0, **carried)


def _compare(network: Network, lesson: Averaged, units: Units, readout: str) -> None:
    """Units that say what each pool holds, and what the layer expects by their product with z."""
    size, classes = units.size, units.classes
    recalled, expected = f"{units.layer}_recalled", f"{units.layer}_expected"
    label, neuron = np.divmod(np.arange(classes * size), size)
    match = Update("match = sharpness*said*(z - said/2)", *slots.UNITS, event="trial")
    equations = "said : 1\nz : 1\nmatch : 1"
    sharpness = {"sharpness": lesson.averages.sharpness}
    network.add(recalled, Analog(label.size, equations=equations, into="said", updates=(match,), constants=sharpness))
    pre, post = np.divmod(np.arange(units.pool.size * size), size)
    own = ExplicitPairs(pre=pre, post=units.pool[pre] * size + post)
    network.connect(
        units.name, recalled, name=f"{readout}_from_pools", connectivity=own, weights=0.0, variable="said", **_ONCE
    )
    order = np.argsort(neuron, kind="stable")
    shown = ExplicitPairs(pre=neuron[order], post=order)
    network.connect(units.z_of, recalled, connectivity=shown, weights=1.0, variable="z", into="z", **_ONCE)
    update = Update("y = drive\ndrive = 0", *slots.READOUTS, event="trial")
    network.add(expected, Analog(classes, equations="drive : 1\ny : 1", updates=(update,)))
    network.attach(expected, CrossEntropy(readout=expected).fragment())
    gathered = ExplicitPairs(pre=np.arange(label.size), post=label)
    network.connect(recalled, expected, connectivity=gathered, weights=1.0, variable="match", **_ONCE, order=2)
    _weigh(network, expected, recalled, label)
    back = ExplicitPairs(pre=np.arange(label.size), post=neuron)
    network.connect(recalled, readout, connectivity=back, weights=1.0, variable="weighted", **_LATE)
