"""Rules that learn after trials: every broken promise ends in the sentence that names it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from pydantic import ConfigDict, PrivateAttr

from snnplast.engine import NUMPY
from snnplast.learning.signals import Signal
from snnplast.network.neurons import LIF
from snnplast.rules.e_prop import EProp
from snnplast.testing import check_rule, small_network

HIDDEN = ("input_to_first", "first_to_first", "first_to_second")


class Broken(EProp):
    """E-prop whose gradients are changed on the way out."""

    name: ClassVar[str] = "broken"

    def gradient(self, record, projections, signals):
        return self.spoil(super().gradient(record, projections, signals))

    def spoil(self, gradients):
        return gradients


class TwoDefinitions(Broken):
    """Its evaluations are not one rule."""

    def spoil(self, gradients):
        return gradients if self.evaluation == "online" else {n: g * (1 + 1e-6) for n, g in gradients.items()}


class Wandering(Broken):
    """It changes weights without a signal."""

    def spoil(self, gradients):
        return {name: g + 1e-3 * (name in HIDDEN) for name, g in gradients.items()}


class Positive(Broken):
    """Only one way."""

    def spoil(self, gradients):
        return {name: np.abs(g) for name, g in gradients.items()}


class Squaring(Broken):
    """Not linear in the signal."""

    def spoil(self, gradients):
        return {name: g * np.abs(g) for name, g in gradients.items()}


class Transposed(Broken):
    """Gradients of another shape."""

    def spoil(self, gradients):
        return {name: g[:, None] for name, g in gradients.items()}


class Undeclared(Broken):
    """A gradient of what is not its own."""

    def spoil(self, gradients):
        return {**gradients, "first.bias": np.zeros(8)}


class Spilling(Broken):
    """A division by zero."""

    def spoil(self, gradients):
        gradients["input_to_first"][0] = np.nan
        return gradients


class Remembering(Broken):
    """It counts trials, and says that they are independent."""

    _seen: set = PrivateAttr(default_factory=set)

    def gradient(self, record, projections, signals):
        self._seen.add(record.index)
        return {n: g * len(self._seen) for n, g in super().gradient(record, projections, signals).items()}


class Guessing(Broken):
    """A signal that is missing is taken for zero."""

    def gradient(self, record, projections, signals):
        silent = [Signal(np.zeros(8), "trial")], [Signal(np.zeros(7), "trial")]
        assumed = dict(zip(("first", "second"), silent, strict=True))
        return super().gradient(record, projections, {**assumed, **signals})


class Undescribed(Broken):
    """A parameter without a description."""

    leak: float = 0.5


class Undocumented(Broken):
    pass


class Nameless(EProp):
    """It cannot be chosen."""

    name: ClassVar[str] = ""


class Swallowing(Broken):
    """It takes whatever it is given."""

    model_config = ConfigDict(extra="allow")


class Opaque(Broken):
    """Its constructor hides its parameters."""

    def __init__(self, **settings):
        super().__init__(**{key: value for key, value in settings.items() if key in type(self).model_fields})


class Deaf(Broken):
    """It takes step signals, and hears those of the trial alone."""

    def gradient(self, record, projections, signals):
        def kept(name, given):
            return given and ([x for x in given if name == "output" or x.timing == "trial"] or None)

        return super().gradient(record, projections, {name: kept(name, given) for name, given in signals.items()})


class HalfDeaf(Broken):
    """It takes step signals without a filter, and does not hear them."""

    def gradient(self, record, projections, signals):
        def kept(name, given):
            return given and [x for x in given if name == "output" or x.timing == "trial" or x.decay is not None]

        return super().gradient(record, projections, {name: kept(name, given) for name, given in signals.items()})


class Drawing(Broken):
    """Noise that no seed draws."""

    def spoil(self, gradients):
        return {name: g * (1 + 1e-3 * np.random.default_rng().random(g.shape)) for name, g in gradients.items()}


class Meddling(Broken):
    """It changes weights itself while it makes gradients."""

    def gradient(self, record, projections, signals):
        record.values["input_to_first"][0] += 1
        return super().gradient(record, projections, signals)


@pytest.mark.parametrize(
    "rule, sentence",
    [
        (Undescribed, "rule 'broken': the parameter 'leak' has no description"),
        (Undocumented, "rule 'broken': it has no docstring, whose first line its list shows"),
        (Nameless, "rule '': it has no name, by which configs choose it"),
        (Swallowing, r"rule 'broken': it takes keys that it does not declare \(\*\*kwargs\), so that a misspelt one"),
        (Opaque, r"rule 'broken': it takes keys that it does not declare \(\*\*kwargs\)"),
        (Meddling, r"gradient\(\) changes the parameter 'input_to_first'"),
        (Deaf, "factored: a step signal, filtered with 25 ms, alone leaves 'input_to_first' unchanged"),
        (HalfDeaf, "factored: a step signal alone leaves 'input_to_first' unchanged"),
        (Transposed, "the gradient of 'input_to_first' has shape"),
        (Undeclared, r"a gradient of 'first.bias', which parameters\(\) does not name"),
        (Spilling, "the gradient of 'input_to_first' is not finite in trial 0"),
        (Wandering, "factored: with a signal of zero 'input_to_first' still changes"),
        (Positive, "the opposite signal does not change 'input_to_first' by the opposite"),
        (Squaring, "the change of 'input_to_first' is not linear in the signal"),
        (Guessing, "a missing signal is taken for zero; it must raise"),
        (Drawing, "the gradient of 'input_to_first' depends|not linear|by the opposite|largest entry apart"),
        pytest.param(TwoDefinitions, "trial 0: online and factored .* are 1.0e-06 of", marks=pytest.mark.slow),
        pytest.param(Remembering, "depends on the trials before, though it is 'indep", marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_promise_of_a_rule_is_named(rule, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_rule(rule, trials=2, engine=NUMPY, workers=())


def test_a_network_in_which_nothing_spikes_checks_nothing():
    network = small_network()
    network.populations["second"] = LIF(7, v_threshold=1e6)
    with pytest.raises(AssertionError, match="trial 0: no neuron of second spikes; nothing can be checked"):
        check_rule(EProp, network=network, engine=NUMPY)
