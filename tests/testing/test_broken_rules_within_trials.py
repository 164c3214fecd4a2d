"""Rules that change weights within a trial: every broken promise ends in the sentence that names it."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pytest
from pydantic import ConfigDict, PrivateAttr

from snnplast.engine import NUMPY
from snnplast.learning import Assigns, Modulated, Prepares, WithinTrial
from snnplast.network import Fragment, Injection
from snnplast.simulation.simulation import Simulation
from snnplast.testing import check_rule


class Pairs(WithinTrial):
    """Weights grow with spikes of the target, and shrink with arrivals."""

    name: ClassVar[str] = "pairs"
    learns: ClassVar[Literal["all", "hidden", "readouts"]] = "hidden"

    def inject(self, network, projection, kinds):
        return Injection(synapse=Fragment(on_arrival=("w -= 0.01",), on_post=("w += 0.02",)))


class Idle(Pairs):
    """Nothing comes of its code."""

    def inject(self, network, projection, kinds):
        return Injection(synapse=Fragment(on_post=("w += 0*w",)))


class Growing(Prepares, Pairs):
    """It makes weights larger than they may be."""

    def prepare(self, projection, weights, wiring):
        weights *= 1.5


class Drawing(Prepares, Pairs):
    """Noise that no seed draws."""

    def prepare(self, projection, weights, wiring):
        weights *= np.random.default_rng().uniform(0.9, 1, weights.size)


class Forgetful(Prepares, Pairs):
    """It counts trials itself: a run that goes on counts from 0 again."""

    _trials: list = PrivateAttr(default_factory=list)

    def prepare(self, projection, weights, wiring):
        self._trials.append(projection.name)
        weights *= 1 - 0.01 * len(self._trials)


class Trespassing(Assigns, Pairs):
    """It changes what it does not name."""

    def assign(self, record, projections, values):
        values["first.bias"][:] = 0.03


class Wavering(Pairs):
    """Its code is another each time."""

    _asked: list = PrivateAttr(default_factory=list)

    def inject(self, network, projection, kinds):
        self._asked.append(1)
        return Injection(synapse=Fragment(on_post=("w += amount",), constants={"amount": 0.01 * len(self._asked)}))


class Overdue(Pairs):
    """It announces a threshold that is learned, and never changes it."""

    def inject(self, network, projection, kinds):
        kept = Fragment(("theta : 1",), learned=("theta",))
        return super().inject(network, projection, kinds).joined(Injection(post=kept))


class Undescribed(Pairs):
    """A parameter without a description."""

    rate: float = 0.1


class Swallowing(Pairs):
    """It takes whatever it is given."""

    model_config = ConfigDict(extra="allow")


class Deaf(Modulated, Pairs):
    """It takes a third factor, and does not hear it."""


@pytest.mark.parametrize(
    "rule, sentence",
    [
        (Idle, "rule 'pairs': training leaves 'input_to_first' as it was"),
        (Growing, "rule 'pairs': before trial 0: a weight of 'input_to_first' is 1.[0-9]+, beyond its bound 1"),
        (Drawing, "rule 'pairs': '[a-z_]+' differs between two runs of one experiment, one of them with tests in"),
        (Forgetful, "differs between two runs of one experiment, one of them resumed from a checkpoint; a rule keeps"),
        (Trespassing, r"rule 'pairs': training changes 'first.bias', which parameters\(\) does not name"),
        (Wavering, r"rule 'pairs': inject\(\) gives something else the second time for 'input_to_first'"),
        (Overdue, "rule 'pairs': training leaves 'first.theta' as it was"),
        (Undescribed, "rule 'pairs': the parameter 'rate' has no description"),
        (Swallowing, r"rule 'pairs': it takes keys that it does not declare \(\*\*kwargs\)"),
        (Deaf, "rule 'pairs': a step signal and its opposite leave the same: it does not hear its third factor"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_promise_of_a_rule_is_named(rule, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_rule(rule, trials=2, engine=NUMPY, workers=())


def test_a_gate_that_stays_open_is_noticed(monkeypatch):
    opened = Simulation.open_gates
    monkeypatch.setattr(Simulation, "open_gates", lambda simulation, learning: opened(simulation, True))
    with pytest.raises(AssertionError, match="rule 'pairs': a test changes 'input_to_first'; only training may"):
        check_rule(Pairs, trials=2, engine=NUMPY, workers=())


@pytest.mark.slow
def test_what_keeps_its_promises_passes():
    check_rule(Pairs)
