"""Third factors: every broken promise ends in the sentence that names it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from pydantic import ConfigDict, PrivateAttr

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.learning.capabilities import Speaks
from snnplast.learning.signals import SignalKind
from snnplast.learning.third_factor import ThirdFactor
from snnplast.network.neurons import LIF
from snnplast.testing import check_third_factor


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
    """It extends the network that it was given."""

    def extend(self, context):
        context.network.add("mine", LIF(1))
        return context.network


class Long(Flat):
    """A trial signal with a value per step."""

    def value(self, record, size):
        return np.ones((record.steps, size))


class Late(Flat):
    """It is never ready."""

    def value(self, record, size):
        return None


class Dividing(Flat):
    """A division by zero."""

    def value(self, record, size):
        return np.full(size, np.inf)


class Drifting(Flat):
    """It counts trials, and says that they are independent."""

    _count: list = PrivateAttr(default_factory=list)

    def value(self, record, size):
        self._count.append(1)
        return np.full(size, float(len(self._count)))


class Undescribed(Flat):
    """A parameter without a description."""

    height: float = 1.0


class Swallowing(Flat):
    """It takes whatever it is given."""

    model_config = ConfigDict(extra="allow")


class Partial(Flat):
    """It forgets a population."""

    def signal(self, record, context, state):
        return {name: np.ones(context.network.population(name).size) for name in context.targets[:1]}


class Drawing(Flat):
    """Noise that no seed draws."""

    def value(self, record, size):
        return np.random.default_rng().random(size)


class Meddling(Speaks, Flat):
    """It writes what is learned, in tests as well."""

    def values(self, segment, record, context, state):
        return {"first.bias": np.full(8, 0.03)}


class Chatting(Speaks, Flat):
    """A metric that is no number."""

    def report(self, state):
        return {"mood": "good"}


class Remembering(Flat):
    """What it remembers is not in its state: a run that goes on has lost it."""

    batch_mode = "sequential"
    _mean: list = PrivateAttr(default_factory=lambda: [0.0])

    def value(self, record, size):
        self._mean[0] += 0.1 * (record.index + 1)
        return np.full(size, self._mean[0])


@pytest.mark.parametrize(
    "factor, sentence",
    [
        (Adding, r"extend\(\) changes the network it is given; it must extend a copy\(\)"),
        (Dividing, "is not finite in trial 0"),
        (Long, "shape"),
        (Late, "factored: the signal for 'first' is not ready after 2 trials"),
        (Undescribed, "third factor 'flat': the parameter 'height' has no description"),
        (Swallowing, r"third factor 'flat': it takes keys that it does not declare \(\*\*kwargs\)"),
        (Partial, "third factor 'flat' gives no signal for the population 'second'"),
        (Drawing, "third factor 'flat' with rule 'e-prop': trial 0: online and factored 'input_to_first' are"),
        (Chatting, r"third factor 'flat', factored: report\(\) gives 'good' for 'mood', not a float"),
        (Meddling, "third factor 'flat': a test changes 'first.bias'; only training may"),
        pytest.param(Drifting, "third factor 'flat': .*first. depends on", marks=pytest.mark.slow),
        pytest.param(Remembering, "third factor 'flat': .* one of them resumed from a check", marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_promise_of_a_third_factor_is_named(factor, sentence):
    with pytest.raises((AssertionError, UserError, ValueError), match=sentence):
        check_third_factor(factor, trials=2, engine=NUMPY, workers=())
