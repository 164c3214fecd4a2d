"""Traces derived from a neuron's code: both faces and both engines are one rule, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, ms, mV, nS, pA, pF

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Update
from snnplast.network.network import Network
from snnplast.network.neurons import ALIF, LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.network.weights import Uniform
from snnplast.rules.e_prop import EProp
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation

N, INPUTS = 5, 12
SYNAPSES = "dge/dt = -ge/te : 1\ndgi/dt = -gi/ti : 1"
TIMES = {"tau": 20 * ms, "te": 5 * ms, "ti": 10 * ms}
ADEX = {"gL": 10 * nS, "El": -70 * mV, "DT": 2 * mV, "VT": -50 * mV, "Ee": 0 * mV, "Ei": -80 * mV, "Cm": 200 * pF}
ADEX |= {"tw": 100 * ms, "a": 2 * nS, "b": 60 * pA, "Vr": -60 * mV, "te": 5 * ms, "ti": 10 * ms}
ADEX_EQUATIONS = """
    dv/dt = (gL*(El - v) + gL*DT*exp((v - VT)/DT) + ge*(Ee - v) + gi*(Ei - v) - w)/Cm : volt (unless refractory)
    dw/dt = (a*(v - El) - w)/tw : amp
    dge/dt = -ge/te : siemens
    dgi/dt = -gi/ti : siemens
"""
IZHIKEVICH = f"dv/dt = (0.04*v**2 + 5*v + 140 - u + ge - gi)/ms : 1\ndu/dt = 0.02*(0.2*v - u)/ms : 1\n{SYNAPSES}"
COBA = f"dv/dt = (-v + ge*(4 - v) + gi*(-1 - v))/tau : 1 (unless refractory)\n{SYNAPSES}"
CUBA = f"dv/dt = (ge - gi - v)/tau : 1\n{SYNAPSES}"
TWO = f"""
    dv/dt = (-v + 2*(vd - v))/tau : 1
    dvd/dt = (-vd + 0.5*(v - vd) + tanh(ge) - gi)/tau : 1
    {SYNAPSES}
"""


def own(equations, into="ge", constants=TIMES, **settings):
    made = {"threshold": "v >= 1", "reset": "v = v - 1", "threshold_scale": 1, **settings}
    return lambda **more: CustomNeurons(
        N, **{"equations": equations, "into": into, "constants": constants, **made, **more}
    )


def adex(**settings):
    made = {"threshold": "v > -40*mV", "reset": "v = Vr; w += b", "refractory": "2 ms", "method": "euler"}
    start = {"v": "El", "w": "a*(v - El)"}
    equations = settings.pop("equations", ADEX_EQUATIONS)
    return own(equations, constants=ADEX, initial=start, threshold_scale=None, **{**made, **settings})


NEURONS = {
    "CUBA": (own(CUBA), (2.5, 0.6), None),
    "CUBA, rk4, hard reset": (
        own(
            CUBA.replace("tau : 1", "tau : 1 (unless refractory)"), method="rk4", reset="v = 0.1", refractory="4 ms"
        ),
        (1.6, 0.4), None,
    ),
    "COBA": (own(COBA, method="exponential_euler", reset="v = 0", refractory="3 ms"), (0.5, 0.25), None),
    "COBA, a condition": (
        own(COBA, method="exponential_euler", reset="v = 0", refractory="v > 1.5"), (0.5, 0.25), None
    ),
    "AdEx": (adex(), (8.0, 2.0), "nS"),
    "AdEx, rk4, noise": (
        adex(equations=ADEX_EQUATIONS.replace("/Cm :", "/Cm + 1*mV*ms**-0.5*xi :"), refractory="2 ms"), (8.0, 2.0), "nS"
    ),
    "AdEx, exponential Euler": (adex(method="exponential_euler"), (8.0, 2.0), "nS"),
    "Izhikevich": (
        own(IZHIKEVICH, threshold="v >= 30", reset="v = -65; u += 8", method="euler", distance="v + 50",
            threshold_scale=10, initial={"v": -65, "u": -13}), (6.0, 1.0), None,
    ),
    "two compartments": (own(TWO, method="rk2", threshold="v >= 0.2", threshold_scale=0.2), (3.0, 0.02), None),
    "floor, subexpression, clip": (
        own("dv/dt = (drive - v)/tau : 1\ndrive = clip(ge, 0, 4) + 0.3*abs(gi) : 1\n" + SYNAPSES, method="euler",
            updates=(Update("v = v + 0.001\nv = clip(v, -0.1, inf)"),), threshold="v >= 0.5", reset="v = 0",
            threshold_scale=0.5), (1.2, 0.3), None,
    ),
    "LIF, reset to a value, floor": (lambda **s: LIF(N, reset=0.1, v_min=-0.2, bias=0.01, **s), (0.9, -0.5), None),
    "ALIF, reset to a value, floor": (
        lambda **s: ALIF(N, **{"reset": 0.0, "v_min": -0.2, "beta": 0.3, **s}), (0.9, -0.5), None
    ),
}  # fmt: skip
needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")


def network(name, **settings) -> Network:
    make, (excite, inhibit), unit = NEURONS[name]
    population, net = make(**settings), Network(dt="0.5 ms" if name == "Izhikevich" else "1 ms")
    net.add("input", PoissonSource(INPUTS, peak_rate=300 * Hz))
    net.add("hidden", population)
    net.add("output", LeakyReadout(3))
    gi = {"into": "gi"} if isinstance(population, CustomNeurons) else {}
    given = {"plastic": True, "unit": unit}
    net.connect("input", "hidden", name="excite", weights=Uniform(low=0.2 * excite, high=excite), **given)
    ends = sorted((0.2 * inhibit, inhibit))
    net.connect("input", "hidden", name="inhibit", weights=Uniform(low=ends[0], high=ends[1]), **gi, **given)
    net.connect("hidden", "hidden", name="recur", weights=Uniform(low=0.0, high=0.3 * excite), delay="2 ms", **given)
    net.connect("hidden", "output", plastic=True)
    return net


def gradients(net, rule, engine=NUMPY):
    task = small_task()
    with (simulation := open_simulation(net, task.objective, rule, 1, engine)).engine:
        record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
        (plasticity,) = simulation.plasticities
        found = plasticity.gradient(record, task.objective)
        return {name: g.copy() for name, g in found.items()}, [part.copy() for part in record.spikes["hidden"]]


@pytest.mark.parametrize("name", NEURONS)
def test_both_faces_are_one_rule(name):
    factored, spikes = gradients(network(name), EProp())
    online, again = gradients(network(name), EProp(evaluation="online"))
    assert len(spikes[0]) > 3 and all(map(np.array_equal, spikes, again))
    for projection, gradient in factored.items():
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(online[projection], gradient, rtol=0, atol=1e-12 * np.abs(gradient).max())


def test_two_rules_on_one_population_keep_their_own_surrogates():
    """IB-Hebbian learns the inhibitory weights: e-prop learns the others as without it, and both faces agree."""
    found, task = {}, small_task()
    for evaluation in ("factored", "online"):
        net = network("AdEx", representation=LayerNorm())
        net.change("inhibit", rule="ib-hebbian")
        other = IBHebbian(evaluation=evaluation, third_factor="random", homeostasis=None)
        rules = {"rule": EProp(evaluation=evaluation), "others": {"ib-hebbian": other}}
        with (simulation := open_simulation(net, task.objective, seed=1, engine=NUMPY, **rules)).engine:
            record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
            learnt = [plasticity.gradient(record, task.objective) for plasticity in simulation.plasticities]
            found[evaluation] = {name: g.copy() for part in learnt for name, g in part.items()}
    alone, _ = gradients(network("AdEx"), EProp())
    for name, gradient in found["factored"].items():
        assert np.any(gradient)
        same = [found["online"][name], *([alone[name]] if name != "inhibit" else [])]
        for one in same:
            np.testing.assert_allclose(one, gradient, rtol=0, atol=1e-12 * np.abs(gradient).max())
    assert np.abs(found["factored"]["inhibit"] - alone["inhibit"]).max() > 1e-3 * np.abs(alone["inhibit"]).max()


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("name", NEURONS)
def test_both_engines_are_one_rule(name, evaluation):
    numpy, spikes = gradients(network(name), EProp(evaluation=evaluation))
    compiled, again = gradients(network(name), EProp(evaluation=evaluation), COMPILED)
    assert all(map(np.array_equal, spikes, again))
    for projection, gradient in numpy.items():
        np.testing.assert_allclose(compiled[projection], gradient, rtol=0, atol=1e-10 * np.abs(gradient).max())


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"equations": CUBA + "\ndx/dt = -x/te : 1", "into": "x"}, "'x', which no spike of 'hidden' depends on"),
        ({"equations": CUBA.replace("ge - gi", "ge*ge % (1 + v*v) - gi"), "method": "euler"}, "its divisor depends"),
        ({"updates": (Update("v = v + 0.1", when="start"),)}, "'v = v + 0.1' changes 'v' in slot 'start'"),
        ({"equations": CUBA.replace("ge - gi", "clip(ge, 0, v) - gi"), "method": "euler"}, "its bounds depend on it"),
        ({"method": "exact", "equations": COBA}, "method = 'exact'"),
    ],
)
def test_what_has_no_derivative_is_refused_with_the_term(settings, sentence):
    for rule in (EProp(), EProp(evaluation="online")):
        with pytest.raises(UserError, match="e-prop") as caught:
            gradients(network("CUBA", **settings), rule)
        assert sentence in str(caught.value) and "\n" not in str(caught.value)
