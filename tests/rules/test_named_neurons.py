"""e-prop on neurons off the shelf: both faces are one rule, on both engines."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast import COBA, CUBA, GLIF, AdEx, Izhikevich
from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.network.weights import Uniform
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation

N, INPUTS = 5, 12
NEURONS = {  # with the largest weights of excitation and inhibition
    "CUBA": (CUBA(N, method="exponential_euler"), (25.0, 4.0)),
    "CUBA, exact": (CUBA(N), (25.0, 4.0)),
    "COBA": (COBA(N), (16.0, 4.0)),
    "AdEx": (AdEx(N), (2500.0, 400.0)),
    "AdEx, conductance": (AdEx(N, synapses="conductance", refractory="2 ms"), (40.0, 10.0)),
    "AdEx, delta": (AdEx(N, synapses="delta", method="exponential_euler"), (15.0, 3.0)),
    "Izhikevich": (Izhikevich(N), (15.0, 4.0)),
    "Izhikevich, conductance": (Izhikevich(N, synapses="conductance"), (0.3, 0.1)),
    "GLIF 1": (GLIF(N), (400.0, 60.0)),
    "GLIF 2": (GLIF(N, level=2), (400.0, 60.0)),
    "GLIF 3": (GLIF(N, level=3), (400.0, 60.0)),
    "GLIF 4, conductance": (GLIF(N, level=4, synapses="conductance"), (8.0, 3.0)),
    "GLIF 5": (GLIF(N, level=5), (400.0, 60.0)),
}
NAMES = [pytest.param(name, marks=pytest.mark.slow) if "exact" in name else name for name in NEURONS]
"""sympy takes seconds to solve equations exactly."""
needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")


def network(name):
    population, (excite, inhibit) = NEURONS[name]
    net = Network(dt="0.5 ms")
    net.add("input", PoissonSource(INPUTS, peak_rate="400 Hz"))
    net.add("hidden", population)
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", name="excite", weights=Uniform(low=0.0, high=excite), plastic=True)
    into = "v" if "delta" in name else "gi"
    net.connect("input", "hidden", name="inhibit", weights=Uniform(low=0.0, high=inhibit), into=into, plastic=True)
    net.connect("hidden", "hidden", name="recur", weights=Uniform(low=0.0, high=0.3 * excite), plastic=True)
    net.connect("hidden", "output", plastic=True)
    return net


def gradients(name, evaluation, engine=NUMPY):
    task, rule = small_task(), EProp(evaluation=evaluation)
    with (simulation := open_simulation(network(name), task.objective, rule, 1, engine)).engine:
        record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
        (plasticity,) = simulation.plasticities
        found = plasticity.gradient(record, task.objective)
        return {name: g.copy() for name, g in found.items()}, [part.copy() for part in record.spikes["hidden"]]


def same(one, other, rtol):
    (found, spikes), (expected, again) = one, other
    assert len(spikes[0]) > 3 and all(map(np.array_equal, spikes, again))
    for projection, gradient in expected.items():
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(found[projection], gradient, rtol=0, atol=rtol * np.abs(gradient).max())


@pytest.mark.parametrize("name", NAMES)
def test_both_faces_are_one_rule(name):
    same(gradients(name, "online"), gradients(name, "factored"), 1e-12)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("name", NEURONS)
def test_both_engines_are_one_rule(name, evaluation):
    same(gradients(name, evaluation, COMPILED), gradients(name, evaluation), 1e-10)
