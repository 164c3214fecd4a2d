"""A linearised step is the derivative of the step: of what the integrator performs, of updates and of the reset."""

from __future__ import annotations

import numpy as np
import own_neurons
import pytest
from brian2 import ms
from neuron_steps import DT, MODELS, POINTS, TIMES, Neuron

from snnplast.errors import UserError
from snnplast.learning.derivative import shown
from snnplast.learning.linearised import linearise
from snnplast.learning.step_code import step_of
from snnplast.learning.traces import near_states
from snnplast.network.fragments import Fragment, Update, merge
from snnplast.network.neurons import ALIF, LIF


@pytest.mark.parametrize("kind", ["flow", "updates", "reset"])
@pytest.mark.parametrize("name", MODELS)
def test_entries_are_complex_steps_of_the_code(name, kind):
    neuron = Neuron(name)
    block = getattr(neuron.linearised, kind)
    expected, found = neuron.jacobian(kind), neuron.derived(block)
    assert found.keys() <= expected.keys() and len(neuron.h) > 0
    for (row, column), values in expected.items():
        scale = np.abs(neuron.h[row]).max() / np.abs(neuron.h[column]).max()
        entry = found.get((row, column), np.zeros(POINTS))
        largest = max(np.abs(values).max(), scale)
        assert np.abs(entry - values).max() <= 1e-11 * largest, (row, column)


@pytest.mark.parametrize("name", MODELS)
def test_kicks_are_the_jumps_of_the_reset(name):
    neuron = Neuron(name)
    after = neuron.after(neuron.block("reset"), neuron.h, gated=False)
    now = {**neuron.known, **neuron.h}
    for state, kick in neuron.linearised.kicks.items():
        np.testing.assert_allclose(neuron.value(shown(kick), now), (after[state] - neuron.h[state]).real, rtol=1e-11)


@pytest.mark.parametrize("name", MODELS)
def test_slopes_of_the_distance_are_complex_steps(name):
    neuron = Neuron(name)
    now = {**neuron.known, **neuron.h}
    for column, values in neuron.h.items():
        step = np.abs(values).max() * 1e-30
        moved = neuron.value(neuron.population.distance, {**now, column: values + 1j * step})
        found = neuron.value(shown(neuron.linearised.slope[column]), now) if column in neuron.linearised.slope else 0.0
        np.testing.assert_allclose(found, np.imag(moved) / step + np.zeros(POINTS), rtol=1e-13, atol=1e-14)


def test_an_entry_that_is_long_is_made_of_a_tape():
    flow = Neuron("adex rk4").linearised.flow
    tape = set(flow.tape)
    assert any(entry.free_symbols & tape for entry in flow.entries.values())
    assert not any(
        entry.free_symbols & set(Neuron("adex euler").linearised.flow.tape) for entry in flow.entries.values()
    )


# Structure


def linear(population):
    return linearise(step_of(population, population.fragment(DT), DT), population.through)


KICKS = {"cuba": (), "coba": (), "adex": ("wad",), "izhikevich": ("u",), "two compartments": ("u",)}


@pytest.mark.parametrize("kind", own_neurons.EQUATIONS)
def test_a_spike_acts_through_all_that_its_reset_writes_but_the_membrane(kind):
    assert tuple(linear(own_neurons.neurons(kind, 3)).kicks) == KICKS[kind]
    assert not linear(own_neurons.neurons(kind, 3, through=())).kicks
    assert tuple(linear(own_neurons.neurons(kind, 3, through=("v",))).kicks) == ("v",)


def test_a_threshold_that_jumps_at_a_spike_is_acted_through():
    falling = own_neurons.custom(
        2, "v", equations="dv/dt = -v/te : 1\ndth/dt = (1 - th)/te : 1", threshold="v > th", reset="v -= th\nth += 0.5",
        distance="v - th", threshold_scale=1, initial={"th": 1.0}, constants=TIMES,
    )  # fmt: skip
    whole = linear(falling)
    assert tuple(whole.kicks) == ("th",) and whole.reset.row("v") == {"v": 1, "th": -1}


STRUCTURE = {
    "lif": (LIF(3), 1, 0, {"v": ("v",)}, {"v": ("v",)}),
    "lif, hard reset": (LIF(3, reset=0.0), 1, 0, {"v": ("v",)}, {"v": ()}),
    "lif, floor": (LIF(3, v_min=0.0), 1, 0, {"v": ("v",)}, {"v": ()}),
    "alif": (ALIF(3), 2, 0, {"v": ("v", "a")}, {"v": ("v",)}),
    "cuba": (
        own_neurons.neurons("cuba", 3), 5, 0,
        {"ge": ("v", "ge"), "gi": ("v", "gi"), "v": ("v",)}, {"ge": ("v", "ge"), "gi": ("v", "gi"), "v": ("v",)},
    ),
    "cuba, hard reset": (own_neurons.neurons("cuba", 3, reset="v = 0"), 5, 0, {"ge": ("v", "ge")}, {"ge": ("ge",)}),
    "cuba, tau of each": (
        own_neurons.neurons("cuba", 3, constants={"tau": [10, 20, 30] * ms}), 5, 0,
        {"ge": ("v", "ge")}, {"ge": ("ge",)},
    ),
    "coba": (
        own_neurons.neurons("coba", 3), 5, 3, {"ge": ("v", "ge"), "gi": ("v", "gi"), "v": ("v",)},
        {"ge": ("ge",), "gi": ("gi",), "v": ()},
    ),
    "adex": (
        own_neurons.neurons("adex", 3), 8, 1,
        {"ge": ("v", "wad", "ge"), "v": ("v", "wad")}, {"ge": ("ge",), "v": ()},
    ),
    "izhikevich": (own_neurons.neurons("izhikevich", 3), 8, 1, {"ge": ("v", "u", "ge")}, {"ge": ("ge",)}),
    "two compartments": (own_neurons.neurons("two compartments", 3), 8, 1, {"gi": ("v", "u", "gi")}, {"gi": ("gi",)}),
}  # fmt: skip
"""Population, entries of P, how many of them vary, what lives of a projection into a variable, what does per source."""


@pytest.mark.parametrize("name", STRUCTURE)
def test_only_traces_that_live_are_kept_and_those_that_are_alike_once_per_source(name):
    population, size, varying, live, near = STRUCTURE[name]
    whole = linear(population)
    assert len(whole.flow.entries) == size
    assert sum(not whole.step.keeps(entry) for entry in whole.flow.entries.values()) == varying
    for into, states in live.items():
        assert whole.live([into]) == states
        assert near_states(whole, states, into, alike=True) == near[into]
        assert near_states(whole, states, into, alike=False) == ()


def test_what_no_spike_depends_on_is_not_kept():
    aside = own_neurons.custom(
        2, "v", equations="dv/dt = -v/te : 1\ndx/dt = (v - x)/te : 1", threshold="v > 1", reset="v = 0",
        distance="v - 1", threshold_scale=1, constants=TIMES,
    )  # fmt: skip
    whole = linear(aside)
    assert whole.live(["v"]) == ("v",) and whole.live(["x"]) == ()


# Refusals


@pytest.mark.parametrize(
    "fields, sentence",
    [
        ({"updates": (Update("v = v**(3 % v)", "after_groups", 1),)}, r"updates: v = .*its divisor depends on it"),
        ({"updates": (Update("v = clip(v, -v, 1)", "after_groups", 1),)}, r"updates: v = .*its bounds depend on it"),
        ({"reset": "v = 3 % v"}, r"reset: v = .*its divisor depends on it"),
        ({"distance": "clip(1, v, 2) - 1"}, r"distance: .*its bounds depend on it"),
        ({"updates": (Update("v = 0.5*v", "before_groups", 0),)}, r"changes 'v' in slot 'before_groups', order 0"),
        ({"equations": "dv/dt = -v**3/te : 1", "method": "exact"}, r"method = 'exact': "),
    ],
)
def test_what_cannot_be_derived_is_refused(fields, sentence):
    given = {"equations": "dv/dt = -v/te : 1", "method": "euler", "reset": "v = 0", "distance": "v - 1", **fields}
    with pytest.raises(UserError, match=sentence):
        linear(own_neurons.custom(2, "v", threshold="v > 1", threshold_scale=1, constants=TIMES, **given))


class Noisy(LIF):
    """Neurons whose code, unlike that of users, draws random numbers."""

    line: str

    def code(self, dt):
        return merge("noisy", [super().code(dt), Fragment(updates=(Update(self.line, "after_groups", 1),))])


def test_noise_that_is_added_has_no_part_in_derivatives():
    assert linear(Noisy(2, line="v = 0.5*v + 0.1*randn()")).updates.row("v") == {"v": 0.5}


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("v *= 1 + rand()", r"updates: v = .*: rand\(.*\) multiplies 'v', and the draw would be another one in"),
        ("v = poisson(abs(v))", r"updates: v = poisson\(.*\): the derivative of .* by v.* it is a random draw"),
    ],
)
def test_noise_that_acts_with_a_state_is_refused(line, sentence):
    with pytest.raises(UserError, match=sentence):
        linear(Noisy(2, line=line))
