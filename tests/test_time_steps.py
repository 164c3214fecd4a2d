"""Times become whole numbers of steps, or are refused with those that are next to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.delays import UniformDelay, delay_steps
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import PoissonSource
from snnplast.time_steps import steps_of, whole_steps


@given(st.integers(0, 10**7), st.sampled_from([1e-3, 1e-4, 5e-5, 2.5e-4, 0.3e-3]))
def test_a_whole_number_of_steps_is_found_whatever_rounding_made_of_the_time(steps, dt):
    assert whole_steps("t", steps * dt, dt) == steps
    assert whole_steps("t", float(f"{steps * dt:.12g}"), dt) == steps


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: whole_steps("t", 2.9e-3, 1e-3), "t = 2.9 ms is no multiple of the time step, 1 ms; 2 and 3 ms are"),
        (lambda: whole_steps("t", np.array([1e-3, 1.5e-3]), 1e-3), "t = 1.5 ms is no multiple"),
        (lambda: steps_of("t", 0.0, 1e-3), "t = 0 ms: at least one time step, 1 ms, is needed"),
        (lambda: steps_of("t", 0.3e-3, 1e-3), "t = 0.3 ms is no multiple of the time step, 1 ms; 0 and 1 ms are"),
    ],
)
def test_times_in_between_are_refused_with_their_neighbours(make, sentence):
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "population",
    [
        LIF(2, refractory="2.9 ms"),
        LIF(2, refractory=["2 ms", "2.5 ms"]),
        CustomNeurons(
            2, equations="v : 1", threshold="v > 1", distance="v - 1", threshold_scale="1", refractory="0.5 ms"
        ),
    ],
)
def test_a_refractory_time_is_a_number_of_steps_of_its_network(population):
    with pytest.raises(UserError, match=r"^network\.hidden\.refractory = .* ms is no multiple of the time step, 1 ms"):
        Network(dt="1 ms").add("hidden", population)
    Network(dt="0.1 ms").add("hidden", population)


def test_delays_are_given_in_steps_and_drawn_ones_rounded():
    net = Network(dt="1 ms")
    net.add("input", PoissonSource(4))
    net.add("hidden", LIF(4))
    with pytest.raises(UserError, match=r"^network\.input_to_hidden: delay = 1.5 ms is no multiple"):
        net.connect("input", "hidden", delay="1.5 ms")
    net.connect("input", "hidden", delay=UniformDelay(low="0.5 ms", high="3.2 ms"))
    drawn = delay_steps(UniformDelay(high="3.2 ms"), np.random.default_rng(0), 1000, 1e-3)
    assert np.unique(drawn).tolist() == [0, 1, 2, 3]
