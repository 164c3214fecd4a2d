"""Neurons: every broken promise ends in the sentence that names it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ConfigDict

from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network import LIF
from snnplast.testing import check_neuron


class Undescribed(LIF):
    """A parameter without a description."""

    depth: float = 1.0


class Swallowing(LIF):
    """It takes whatever it is given."""

    model_config = ConfigDict(extra="allow")


class Silent(LIF):
    """Its threshold is out of reach."""

    @property
    def threshold(self):
        return "v > 1e9"


class Misspelt(LIF):
    """Its code reads what is not there."""

    def code(self, dt):
        return replace(super().code(dt), equations=("dv/dt = -v/tau_q : 1",))


@pytest.mark.parametrize(
    "neuron, sentence",
    [
        (Undescribed, "neuron 'lif': the parameter 'depth' has no description"),
        (Swallowing, r"neuron 'lif': it takes keys that it does not declare \(\*\*kwargs\)"),
        (Silent, "trial 0: no neuron of hidden spikes; nothing can be checked"),
        (Misspelt, "unknown name 'tau_q'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_promise_of_a_neuron_is_named(neuron, sentence):
    with pytest.raises((AssertionError, UserError), match=sentence):
        check_neuron(neuron, engine=NUMPY)
