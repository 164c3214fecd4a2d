"""Noise in equations: numbers of the trial, the same on both engines, with the statistics of its process."""

from __future__ import annotations

import numpy as np
import pytest

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.task.trial import Segment
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
OU = "dv/dt = -v/(5*ms) + 0.5*(2/(5*ms))**0.5*xi : 1"
TWO = "dv/dt = -v/(5*ms) + 0.3*(5*ms)**-0.5*xi_slow - u/(9*ms) : 1\ndu/dt = -u/(9*ms) + 0.2*(1 + v)*(9*ms)**-0.5*xi : 1"


def neurons(equations=OU, size=300, **settings):
    code = {"method": "euler", "threshold": "v > 0.6", "reset": "v = 0", "refractory": "2 ms"}
    return CustomNeurons(size, equations=equations, **{**code, **settings})


def network(**populations) -> Network:
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("output", LeakyReadout(3))
    for name, population in populations.items():
        net.add(name, population)
        net.connect("input", name, weights=0.05, plastic=True)
        net.connect(name, "output", plastic=True)
    return net


def trials(net, engine=NUMPY, indices=(0, 1, 0), parts=1):
    task = small_task()

    def trial(index):
        def cut(values, k, length):
            return values if np.ndim(values) == 1 else values[k * length : (k + 1) * length]

        segment = next(iter(task.trial(index)))
        length = segment.steps // parts
        for k in range(parts):
            inputs = {name: ([], []) for name in segment.inputs}
            yield Segment(length, inputs, {name: cut(values, k, length) for name, values in segment.series.items()})

    simulation = open_simulation(net, task.objective, EProp(), 1, engine, recorded=("hidden.v",))
    with simulation.engine:
        for index in indices:
            record = simulate(simulation, trial(index), index, 1, np.random.default_rng(index))
            yield [part.copy() for part in record.spikes["hidden"]], record.history["hidden.v"].copy()


def test_a_trial_has_noise_of_its_own_however_it_is_cut_and_whoever_else_has_noise():
    (spikes, first), (_, second), (again, same) = trials(network(hidden=neurons(TWO)))
    assert spikes[0].size and all(map(np.array_equal, spikes, again)) and np.array_equal(first, same)
    assert not np.any(first[0] == second[0])
    ((_, cut),) = trials(network(hidden=neurons(TWO)), indices=[0], parts=2)
    np.testing.assert_array_equal(cut, first)
    ((_, beside),) = trials(network(other=neurons(OU), hidden=neurons(TWO)), indices=[0])
    np.testing.assert_array_equal(beside, first)


@needs_compiler
@pytest.mark.parametrize("equations", [OU, TWO])
def test_both_engines_have_the_same_spikes(equations):
    for numpy, compiled in zip(
        trials(network(hidden=neurons(equations))), trials(network(hidden=neurons(equations)), COMPILED), strict=True
    ):
        assert numpy[0][0].size > 10 and all(map(np.array_equal, numpy[0], compiled[0]))
        np.testing.assert_allclose(compiled[1], numpy[1], rtol=1e-12, atol=1e-14)


def test_an_ornstein_uhlenbeck_process_has_its_variance_and_its_correlation():
    """Euler's steps: a = 1 - dt/tau, variance sigma^2 (2 dt/tau)/(1 - a^2), correlation a^k after k steps."""
    still = neurons(size=4000, threshold="v > 100", distance="v - 1", refractory=0)
    ((_, v),) = trials(network(hidden=still), indices=[0])
    v, a = v[20:], 1 - 1 / 5
    assert np.mean(v) == pytest.approx(0, abs=0.02)
    assert np.var(v) == pytest.approx(0.25 * (2 / 5) / (1 - a**2), rel=0.03)
    for lag in (1, 5):
        assert np.mean(v[lag:] * v[:-lag]) / np.var(v) == pytest.approx(a**lag, abs=0.03)


@pytest.mark.parametrize("method", ["heun", "milstein"])
def test_methods_for_noise_are_eulers_where_it_is_added(method):
    ((spikes, v),) = trials(network(hidden=neurons()), indices=[0])
    ((same, w),) = trials(network(hidden=neurons(method=method)), indices=[0])
    assert all(map(np.array_equal, spikes, same))
    np.testing.assert_allclose(w, v, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"method": "exact"}, "CustomNeurons.method: 'exact': equations with noise are integrated by 'euler'"),
        ({"method": "rk4"}, "CustomNeurons.method: 'rk4': equations with noise are integrated by 'euler'"),
        ({"method": "heun", "equations": TWO}, "'heun' takes noise whose strength depends on no state; 'euler' (Euler"),
        ({"method": "gsl_rkf45"}, "CustomNeurons.method: 'gsl_rkf45' runs in the GNU Scientific Library"),
    ],
)
def test_other_methods_are_refused(settings, sentence):
    with pytest.raises(UserError) as caught:
        neurons(**settings)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_equations_that_a_method_cannot_integrate_are_told_those_that_can():
    quadratic = {"equations": "dv/dt = (v**2 - v)/(20*ms) : 1", "method": "exact", "threshold": "v > 2"}
    for rule in (EProp(), EProp(evaluation="online")):
        with pytest.raises(UserError, match=r"method = 'exact': .*'euler', 'rk2' and 'rk4' integrate any") as caught:
            open_simulation(network(hidden=neurons(**quadratic)), small_task().objective, rule, 1, NUMPY)
        assert "\n" not in str(caught.value)
