"""What sources remember is part of the state of a run: taken up in the middle, it goes on with the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from small_runs import trainer

from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.testing import small_network

TRIALS, WINDOW = 9, 4
SOURCES = {  # names of what is kept for each layer, and for all
    "exact": ({"name": "hsic", "window": WINDOW}, {"z"}, {"x", "y", "kernel", "seen"}),
    "reference": ({"name": "hsic", "window": WINDOW, "xi": "reference"}, {"z"}, {"x", "y", "kernel", "seen"}),
    "class-memory": ({"name": "class-memory"}, {"average"}, {"seen"}),
}

each = pytest.mark.parametrize("source", list(SOURCES))


def run_of(source):
    """Two hidden layers and a readout of the second, every piece of the rule with a state of its own."""
    rule = IBHebbian(third_factor=SOURCES[source][0], homeostasis={"rate": 1e-4}, optimizer={"name": "adam"})
    return trainer(rule, small_network("rate"), iterations=TRIALS)


def copied(run):
    return {name: values.copy() for name, values in run.state().items()}


def updated(run, updates):
    """Losses of so many updates."""
    return [run.update().metrics["loss"] for _ in range(updates)]


@each
def test_every_memory_is_in_the_state_of_the_trainer(source):
    run = run_of(source)
    start = copied(run)
    updated(run, 6)
    _, per_layer, shared = SOURCES[source]
    names = {f"{layer}.{name}" for layer in ("first", "second") for name in (*per_layer, "2-gain-control.mean_square")}
    found = {name.removeprefix("source/0/0/") for name in start if name.startswith("source/")}
    assert found == names | shared
    for name in [f"source/0/0/{name}" for name in found] + ["values/first.bias", "values/second.bias"]:
        assert not np.array_equal(start[name], run.state()[name], equal_nan=True), name


@each
@pytest.mark.parametrize("cut", [2, 6])
def test_a_run_that_is_taken_up_in_the_middle_goes_on_with_the_same_bits(source, cut):
    """Before the window is full, and after."""
    whole, first, second = run_of(source), run_of(source), run_of(source)
    losses = updated(whole, TRIALS)
    updated(first, cut)
    second.restore(copied(first))
    assert updated(second, TRIALS - cut) == losses[cut:]
    assert len(set(losses)) == TRIALS
    for name, values in whole.state().items():
        assert np.array_equal(values, second.state()[name]), name


@each
def test_without_its_memory_a_run_goes_on_differently(source):
    whole, second = run_of(source), run_of(source)
    forgotten = {name: values for name, values in copied(whole).items() if name.startswith("source/")}
    updated(whole, 6)
    second.restore(copied(whole) | forgotten)
    for run in (whole, second):
        updated(run, TRIALS - 6)
    for name in ("input_to_first", "first_to_second"):
        assert not np.array_equal(whole.simulation.values[name], second.simulation.values[name])
