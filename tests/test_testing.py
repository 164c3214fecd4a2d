"""The conformance kit finds what it is there to find: every broken promise ends in the sentence that names it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from pydantic import PrivateAttr

from snnplast.learning.signals import Signal, SignalKind
from snnplast.learning.third_factor import ThirdFactor
from snnplast.network.neurons import LIF
from snnplast.rules.e_prop import EProp
from snnplast.rules.frozen import Frozen
from snnplast.rules.third_factors.zero import Zero
from snnplast.testing import check_rule, check_third_factor, small_network

HIDDEN = ("input_to_first", "first_to_first", "first_to_second")


class Broken(EProp):
    """E-prop whose gradients are changed on the way out."""

    name: ClassVar[str] = "broken"

    def gradient(self, record, projections, signals):
        return self.spoil(super().gradient(record, projections, signals))

    def spoil(self, gradients):
        return gradients


class TwoDefinitions(Broken):
    def spoil(self, gradients):
        return gradients if self.evaluation == "online" else {n: g * (1 + 1e-6) for n, g in gradients.items()}


class Wandering(Broken):
    def spoil(self, gradients):
        return {name: g + 1e-3 * (name in HIDDEN) for name, g in gradients.items()}


class Positive(Broken):
    def spoil(self, gradients):
        return {name: np.abs(g) for name, g in gradients.items()}


class Squaring(Broken):
    def spoil(self, gradients):
        return {name: g * np.abs(g) for name, g in gradients.items()}


class Transposed(Broken):
    def spoil(self, gradients):
        return {name: g[:, None] for name, g in gradients.items()}


class Undeclared(Broken):
    def spoil(self, gradients):
        return {**gradients, "first.bias": np.zeros(8)}


class Spilling(Broken):
    def spoil(self, gradients):
        gradients["input_to_first"][0] = np.nan
        return gradients


class Remembering(Broken):
    _seen: set = PrivateAttr(default_factory=set)

    def gradient(self, record, projections, signals):
        self._seen.add(record.index)
        return {n: g * len(self._seen) for n, g in super().gradient(record, projections, signals).items()}


class Guessing(Broken):
    def gradient(self, record, projections, signals):
        silent = [Signal(np.zeros(8), "trial")], [Signal(np.zeros(7), "trial")]
        assumed = dict(zip(("first", "second"), silent, strict=True))
        return super().gradient(record, projections, {**assumed, **signals})


class Undescribed(Broken):
    leak: float = 0.5


@pytest.mark.parametrize(
    "rule, sentence",
    [
        (Undescribed, "rule 'broken', factored: the parameter 'leak' has no description"),
        (Transposed, "the gradient of 'input_to_first' has shape"),
        (Undeclared, r"a gradient of 'first.bias', which parameters\(\) does not name"),
        (Spilling, "the gradient of 'input_to_first' is not finite in trial 0"),
        (Wandering, "factored: with a signal of zero 'input_to_first' still changes"),
        (Positive, "the opposite signal does not change 'input_to_first' by the opposite"),
        (Squaring, "the change of 'input_to_first' is not linear in the signal"),
        (Guessing, "a missing signal is taken for zero; it must raise"),
        pytest.param(TwoDefinitions, "trial 0: online and factored .* are 1.0e-06 of", marks=pytest.mark.slow),
        pytest.param(Remembering, "depends on the trials before, though it is 'indep", marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_promise_of_a_rule_is_named(rule, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_rule(rule, trials=2)


def test_a_network_in_which_nothing_spikes_checks_nothing():
    network = small_network()
    network.populations["second"] = LIF(7, v_threshold=1e6)
    with pytest.raises(AssertionError, match="trial 0: no neuron of second spikes; nothing can be checked"):
        check_rule(EProp, network=network)


class Flat(ThirdFactor):
    """A fixed signal: ones."""

    name: ClassVar[str] = "flat"

    def kind(self, context, population):
        return SignalKind("flat", "trial")

    def signal(self, record, context, state):
        return {name: self.value(record, record.network.populations[name].size) for name in context.targets}

    def value(self, record, size):
        return np.ones(size)


class Adding(Flat):
    def extend(self, context):
        context.network.add("mine", LIF(1))
        return context.network


class Long(Flat):
    def value(self, record, size):
        return np.ones((record.steps, size))


class Late(Flat):
    def value(self, record, size):
        return None


class Dividing(Flat):
    def value(self, record, size):
        return np.full(size, np.inf)


class Drifting(Flat):
    _count: list = PrivateAttr(default_factory=list)

    def value(self, record, size):
        self._count.append(1)
        return np.full(size, float(len(self._count)))


@pytest.mark.parametrize(
    "factor, sentence",
    [
        (Adding, r"extend\(\) changes the network it is given; it must extend a copy\(\)"),
        (Dividing, "is not finite in trial 0"),
        (Long, "shape"),
        (Late, "factored: the signal for 'first' is not ready after 2 trials"),
        pytest.param(Drifting, "third factor 'flat'", marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_promise_of_a_third_factor_is_named(factor, sentence):
    with pytest.raises((AssertionError, ValueError), match=sentence):
        check_third_factor(factor, trials=2)


@pytest.mark.slow
def test_what_keeps_its_promises_passes():
    check_rule(Broken, trials=2)
    check_rule(Frozen, trials=2)
    check_third_factor(Flat, trials=2)
    check_third_factor(Zero, trials=2)
