"""Functions in equations: time arrays on both engines, in both faces, and functions of one's own with derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Function, TimedArray, check_units, ms, mV, nA

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.network import Network
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_task
from snnplast.training.digests import digest_of_description
from snnplast.training.pretrain import open_simulation

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
VALUES = np.linspace(-1, 1, 20)
EACH = np.linspace(0, 0.5, 40).reshape(10, 4)
EQUATIONS = """
    dv/dt = (-v + R*stimulus(t) + each(t, i))/(20*ms) : volt
    now = stimulus(t) : amp
"""


def neurons(**settings) -> CustomNeurons:
    given = {"stimulus": TimedArray(VALUES * nA, dt=2 * ms), "each": TimedArray(EACH * mV, dt=3 * ms), "R": "10 Mohm"}
    code = {"equations": EQUATIONS, "constants": given, "threshold": "v > 5*mV", "reset": "v = 0*mV"}
    return CustomNeurons(4, **{**code, "method": "euler", **settings})


def network(population, unit="mV") -> Network:
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("hidden", population)
    net.add("output", LeakyReadout(3))
    net.connect("input", "hidden", weights=1.0, unit=unit, plastic=True)
    net.connect("hidden", "output", plastic=True)
    return net


def run(net, rule, engine=NUMPY, recorded=("hidden.v",)):
    task = small_task()
    with (simulation := open_simulation(net, task.objective, rule, 1, engine, recorded=recorded)).engine:
        record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
        (plasticity,) = simulation.plasticities
        gradient = plasticity.gradient(record, task.objective)["input_to_hidden"].copy()
        spikes = [part.copy() for part in record.spikes["hidden"]]
        return gradient, record.history["hidden.v"].copy(), spikes, record.spikes["input"]


def test_the_values_of_each_step_drive_the_neurons():
    _, v, _, (steps, _) = run(network(neurons(threshold="v > 1*volt")), EProp())
    expected, state = [], np.zeros(4)
    for step in range(len(v)):
        drive = 1e-2 * VALUES[min(step // 2, 19)] + 1e-3 * EACH[min(step // 3, 9)]
        state = state + (drive - state) / 20 + 1e-3 * np.sum(steps == step)
        expected.append(state)
    np.testing.assert_allclose(v, expected, rtol=1e-12)


def test_both_faces_are_one_rule_in_a_network_with_time_arrays():
    factored, _, spikes, _ = run(network(neurons(method="rk4")), EProp())
    online, *_ = run(network(neurons(method="rk4")), EProp(evaluation="online"))
    assert spikes[0].size > 3 and np.abs(factored).max() > 0
    np.testing.assert_allclose(online, factored, rtol=0, atol=1e-12 * np.abs(factored).max())


@needs_compiler
def test_both_engines_take_time_arrays_alike():
    numpy, compiled = (run(network(neurons()), EProp(), engine) for engine in (NUMPY, COMPILED))
    assert all(map(np.array_equal, numpy[2], compiled[2]))
    np.testing.assert_allclose(compiled[1], numpy[1], rtol=1e-12, atol=1e-18)


def test_the_description_holds_the_values():
    net, same = network(neurons()), network(neurons())
    assert digest_of_description(net) == digest_of_description(same)
    for other in (
        TimedArray(VALUES * nA, dt=3 * ms),
        TimedArray(2 * VALUES * nA, dt=2 * ms),
    ):
        changed = neurons(constants={**neurons().constants, "stimulus": other})
        assert digest_of_description(network(changed)) != digest_of_description(net)
    assert "stimulus = 20 values, 2 ms each  (time array)" in neurons().own.text()
    assert "'stimulus': 20 values, 2 ms each  (time array)" in repr(neurons())
    assert "each = 10 values of 4 columns, 3 ms each  (time array)" in neurons().own.text()


def test_a_function_of_ones_own_is_learned_through_with_its_derivative():
    @check_units(x=1, result=1)
    def cube(x):
        return x**3

    own = {"equations": "dv/dt = (cube(g) - v)/(20*ms) : 1\ndg/dt = -g/(5*ms) : 1", "into": "g", "reset": "v = 0"}
    plain = {**own, "equations": own["equations"].replace("cube(g)", "g**3"), "threshold": "v > 1", "constants": {}}
    own |= {"threshold": "v > 1", "constants": {"cube": Function(cube)}, "derivatives": {"cube": ("3*x**2",)}}
    for evaluation in ("factored", "online"):
        rule = EProp(evaluation=evaluation)
        found, expected = (run(network(neurons(**code), None), rule)[0] for code in (own, plain))
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    with pytest.raises(UserError, match=r"the derivative of cube\(g\) by g is unknown; derivatives="):
        run(network(neurons(**{**own, "derivatives": {}}), None), EProp())


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"equations": EQUATIONS.replace("each(t", "eahc(t")}, "unknown function 'eahc': did you mean 'each'"),
        ({"equations": EQUATIONS + "each : 1 (constant)"}, "constants['each'] is a function: the equations call it"),
        (
            {"constants": {**neurons().constants, "each": TimedArray(EACH[:, :3] * mV, dt=1 * ms)}},
            "constants['each'] has 3 columns; each(t, i) needs one for each of 4 neurons",
        ),
    ],
)
def test_what_is_wrong_with_a_function_is_one_sentence(settings, sentence):
    with pytest.raises(UserError) as caught:
        neurons(**settings)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
