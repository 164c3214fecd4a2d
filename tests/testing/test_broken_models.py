"""Models: every broken promise ends in the sentence that names it."""

from __future__ import annotations

import itertools
from typing import Annotated, ClassVar

import numpy as np
import pytest
from pydantic import ConfigDict, Field

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network import LIF
from snnplast.task import Classification, CrossEntropy, Model, Segment, Task
from snnplast.testing import check_model, small_network, small_task

COUNT = itertools.count()


class Small(Model):
    """The small network and its task."""

    name: ClassVar[str] = "small"

    classes: Annotated[int, Field(ge=2, description="number of classes")] = 3

    def network(self):
        return small_network()

    def task(self, seed):
        return small_task(seed)


class Shown(Task):
    """Spikes of the first source at steps that a function of the trial's number says."""

    def __init__(self, when, seed):
        self.when, self.seed, self.objective = when, seed, CrossEntropy()

    def trial(self, index):
        rng = np.random.default_rng((self.seed, index))
        yield Segment(60, {"input": rng.random((60, 12))}, {"output.target": self.when(index) * np.ones(3) / 3})


class Undescribed(Small):
    """A parameter without a description."""

    hidden: int = 8


class Swallowing(Small):
    """It takes whatever it is given."""

    model_config = ConfigDict(extra="allow")


class Wavering(Small):
    """Its network is another each time."""

    def network(self):
        net = small_network()
        net.connect("input", "second", weights=np.random.default_rng().random((12, 7)), plastic=True)
        return net


class Unseeded(Small):
    """Its task has a seed of its own."""

    def task(self, seed):
        return small_task(7)


class Remembering(Small):
    """Trial k depends on how many were shown."""

    def task(self, seed):
        return Shown(lambda index: float(next(COUNT) % 5), seed)


class Silent(Small):
    """No neuron of its second layer spikes."""

    def network(self):
        net = small_network()
        net.populations["second"] = LIF(7, v_threshold=1e6)
        return net


class Misfit(Small):
    """Samples with more features than there are sources."""

    def task(self, seed):
        x = np.zeros((3, 13))
        return Classification(x, [0, 1, 2], x, [0, 1, 2], steps=10, seed=seed)


class Rigid(Small):
    """Nothing to learn."""

    def network(self):
        net = small_network()
        for name in net.projections:
            net.projections[name] = net.projections[name].model_copy(update={"plastic": False})
        return net


class NoTask(Small):
    """Its task is none."""

    def task(self, seed):
        return "digits"


@pytest.mark.parametrize(
    "model, sentence",
    [
        (Undescribed, "model 'small': the parameter 'hidden' has no description"),
        (Swallowing, r"model 'small': it takes keys that it does not declare \(\*\*kwargs\)"),
        (Wavering, r"model 'small': network\(\) describes another network the second time"),
        (Unseeded, r"model 'small': task\(1\).seed is 7; the seed it is given is that of its trials"),
        (Remembering, r"model 'small': training trial 2 differs when others come before it; it must depend on"),
        (Silent, "model 'small': no neuron of 'second' spikes in the first 6 trials"),
        (Misfit, "task.x has 13 values per sample, but 'input' has 12 neurons"),
        (Rigid, "model 'small': no projection is plastic, so that there is nothing to learn"),
        (NoTask, r"model 'small': task\(\) gives 'digits', not a Task"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_promise_of_a_model_is_named(model, sentence):
    with pytest.raises((AssertionError, UserError), match=sentence):
        check_model(model, engine=NUMPY)


@pytest.mark.slow
def test_what_keeps_its_promises_passes():
    check_model(Small)
