"""Histories too large to be kept: their steps are taken again, and learning has the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast import ALIF, LIF, SGD, AllToAll, FixedInDegree, LeakyReadout, Network, Normal, Segment, SpikeSource
from snnplast.engine import COMPILED, NUMPY, again, compiler_available
from snnplast.network.delays import UniformDelay
from snnplast.rules.e_prop import EProp
from snnplast.task.objective import MeanSquaredError
from snnplast.task.task import Task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
N, STEPS = 60, 230


class Spikes(Task):
    """Random spikes, in segments of these lengths."""

    objective = MeanSquaredError()
    seed = 0

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths

    def trial(self, index):
        rng = np.random.default_rng(index)
        steps, indices = np.nonzero(rng.random((sum(self.lengths), N)) < 0.02)
        first = 0
        for length in self.lengths:
            own = (steps >= first) & (steps < first + length)
            target = np.sin(np.arange(first, first + length) / 20)[:, None]
            yield Segment(length, {"input": (steps[own] - first, indices[own])}, {"output.target": target})
            first += length


def network(neurons=None, connectivity=None, delay=0) -> Network:
    net = Network(dt="1 ms")
    net.add("input", SpikeSource(N))
    net.add("hidden", LIF(N, refractory="3 ms") if neurons is None else neurons)
    net.add("output", LeakyReadout(1))
    few = {"connectivity": connectivity or FixedInDegree(8), "plastic": True}
    net.connect("input", "hidden", weights=Normal(gain=2), **few)
    net.connect("hidden", "hidden", weights=Normal(gain=0.7), delay=delay, **few)
    net.connect("hidden", "output", plastic=True)
    return net


def learned(net, lengths, engine=COMPILED, recorded=()):
    """Gradients of two trials, with an update between them; spikes of the last; which histories are there."""
    rule = EProp(optimizer=SGD(learning_rate=1e-3))
    with (simulation := open_simulation(net, Spikes.objective, rule, 1, engine, recorded=recorded)).engine:
        trainer, found = Trainer(simulation, Spikes(*lengths), 10), {}
        for index in range(2):
            gradients, records, _ = trainer.learned(range(index, index + 1))
            found |= {f"{index}/{name}": values.copy() for name, values in gradients.items()}
            trainer.update()
        found |= dict(zip(("steps", "indices"), simulation.engine.spikes("hidden"), strict=True))
        assert found["steps"].size > 50 and np.any(found["1/hidden_to_hidden"])
        return found, set(records[0].history)


CASES = {
    "refractory": {},
    "adaptive": {"neurons": ALIF(N, tau_m="20 ms")},
    "delayed": {"delay": "5 ms"},
    "unequally delayed": {"delay": UniformDelay(low="0 ms", high="9 ms")},
}


def compare(net, lengths, monkeypatch):
    whole, names = learned(net, lengths)
    assert "hidden.psi" in names
    for kept in (100, 1):  # steps
        monkeypatch.setattr(again, "KEPT", 8 * N * kept)
        found, names = learned(net, lengths)
        assert "hidden.psi" not in names
        for name in whole:
            np.testing.assert_array_equal(found[name], whole[name], err_msg=name)


@pytest.mark.slow
@needs_compiler
def test_steps_that_are_taken_again_teach_the_same(monkeypatch):
    compare(network(), [STEPS], monkeypatch)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("lengths", [[STEPS], [64, 7, 90, 69]], ids=["one segment", "several"])
def test_whatever_the_network_carries_from_step_to_step(case, lengths, monkeypatch):
    compare(network(**CASES[case]), lengths, monkeypatch)


@needs_compiler
@pytest.mark.slow
def test_what_is_recorded_or_learned_as_a_whole_is_kept(monkeypatch):
    monkeypatch.setattr(again, "KEPT", 1)
    assert "hidden.psi" in learned(network(), [STEPS], recorded=("hidden.psi",))[1]

    assert "hidden.psi" in learned(network(connectivity=AllToAll()), [STEPS])[1]


def test_the_runtime_engine_keeps_all(monkeypatch):
    monkeypatch.setattr(again, "KEPT", 1)
    assert "hidden.psi" in learned(network(), [STEPS], NUMPY)[1]
