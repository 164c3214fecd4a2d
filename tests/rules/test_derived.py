"""Traces derived from a neuron's code: both faces, both engines, and finite differences of the simulation itself."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from brian2 import Hz, ms, mV, nS, pA, pF

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.learning.signals import Signal
from snnplast.learning.surrogate import Surrogate
from snnplast.network.custom_neurons import CustomNeurons
from snnplast.network.fragments import Update
from snnplast.network.network import Network
from snnplast.network.neurons import ALIF, LIF
from snnplast.network.population import PoissonSource
from snnplast.network.readouts import LeakyReadout
from snnplast.network.weights import Uniform
from snnplast.rules.e_prop import EProp
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


class One(Surrogate):
    """psi = 1."""

    name: ClassVar[str] = "one"
    shape: ClassVar[str] = "(1 + 0*{u})"


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


@pytest.mark.parametrize("name", NEURONS)
def test_without_spikes_it_is_the_derivative_of_the_distance(name):
    """psi = 1 and a threshold out of reach: sum_t L v^t, by central differences of the simulation."""
    custom = "LIF" not in name
    far = {"threshold": "v > 1e6*volt" if "AdEx" in name else "v > 1e6"} if custom else {"v_threshold": 1e6}
    scale = "1*volt" if "AdEx" in name else 1
    if custom:
        far |= {"distance": "v", "threshold_scale": scale, "through": ()}
    if "ALIF" in name:
        far["beta"] = 0.0  # as through=() above: no surrogate spike acts where no spike is
    net = network(name, **far)
    if "AdEx" in name or name == "Izhikevich":
        for projection in ("excite", "inhibit", "recur"):  # far from the upstroke
            low, high = net.projections[projection].weights.low, net.projections[projection].weights.high
            net.change(projection, weights=Uniform(low=0.1 * low, high=0.1 * high))
    height = 1.0 if custom else 1e6
    rule, task = EProp(surrogate=One(height=height)), small_task()
    signal = np.linspace(-1, 2, N)
    simulation = open_simulation(net, task.objective, rule, 1, NUMPY, recorded=("hidden.v",))
    with simulation.engine:

        def value():
            record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
            assert not record.counts("hidden").any()
            return record, float(np.sum(record.history["hidden.v"] @ signal))

        (plasticity,) = simulation.plasticities
        hidden = [p for p in plasticity.projections if p.name in ("excite", "inhibit")]
        given = {"hidden": [Signal(signal, "trial")]}
        found = {n: g.copy() for n, g in rule.gradient(value()[0], hidden, given).items()}
        for projection in ("excite", "inhibit"):
            weights = simulation.values[projection]
            for k in (0, 7, weights.size - 1):
                kept, step = weights[k], 1e-4 * max(abs(weights[k]), 1e-3)
                sides = []
                for sign in (1, -1):
                    weights[k] = kept + sign * step
                    sides.append(value()[1])
                weights[k] = kept
                expected = (sides[0] - sides[1]) / (2 * step)
                biggest = np.abs(found[projection]).max()
                assert found[projection][k] == pytest.approx(expected, rel=1e-6, abs=1e-6 * biggest)
        assert np.abs(found["excite"]).max() > 0


def test_excitation_and_inhibition_have_opposite_signs():
    for name in ("CUBA", "COBA", "AdEx"):
        net, task, rule = network(name), small_task(), EProp()
        with (simulation := open_simulation(net, task.objective, rule, 1, NUMPY)).engine:
            record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
            hidden = [p for p in simulation.plasticities[0].projections if p.target == "hidden"]
            found = rule.gradient(record, hidden, {"hidden": [Signal(np.ones(N), "trial")]})
            assert found["excite"].max() > 0 and found["inhibit"].min() < 0
            assert found["excite"].min() >= 0 and found["inhibit"].max() <= 0


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


@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("population", [LIF, ALIF])
def test_the_hand_written_forms_are_special_cases(monkeypatch, population, evaluation):
    settings = {"tau_m": ["10 ms", "15 ms", "20 ms", "25 ms", "30 ms"], "refractory": "3 ms", "reset": "subtract-next"}
    found = []
    for derived in (False, True):
        if derived:
            monkeypatch.setattr(LIF, "exponential", None)
        net = network("LIF, reset to a value, floor")
        net.populations["hidden"] = population(N, **settings)
        found.append(gradients(net, EProp(evaluation=evaluation))[0])
    for name, gradient in found[0].items():
        np.testing.assert_allclose(found[1][name], gradient, rtol=0, atol=1e-12 * np.abs(gradient).max())
