"""Gradients are slopes: where psi = 1 and nothing spikes, the rule's gradient is the derivative of sum_t L^t v^t.

The slopes are central differences of the library's own simulation: one population holds a neuron per weight and
direction, all alike but for that weight. psi = 1 would also speak for the jumps of an adaptation at spikes that never
come: `through` leaves them out. Where a floor makes a kink that central differences would straddle, another seed helps.
"""

from __future__ import annotations

import numpy as np
import own_neurons
import pytest
from neuron_runs import Constant, Drive, distance, run

from snnplast.network.neurons import ALIF, LIF

STEPS, SOURCES, STEP = 80, 3, 1e-5
FAR = 1e9
FIELDS = {"threshold": f"v > {FAR}", "distance": "v", "through": ()}


class Unmoved(ALIF):
    """No trace of its adaptation."""

    @property
    def through(self):
        return ()


def own(kind, method):
    """A maker of such neurons, and the weights they get."""
    strength = {"izhikevich": 0.15, "adex": 0.7, "two compartments": 3.0}.get(kind, 1.0)
    return lambda n: own_neurons.neurons(kind, n, method=method, **FIELDS), {
        into: strength * weight for into, weight in zip(("ge", "gi"), own_neurons.WEIGHTS[kind], strict=True)
    }


def built_in(kind, **fields):
    return lambda n: kind(n, v_threshold=FAR, **fields), {"v": 0.3}


CASES = {
    f"{kind} {method}": own(kind, method) for kind, methods in own_neurons.INTEGRATORS.items() for method in methods
}
USUAL = [f"{kind} {method}" for kind, method in own_neurons.METHODS.items()]
CASES |= {
    "lif": built_in(LIF, bias=0.05),
    "lif with a floor and a hard reset": built_in(LIF, bias=0.02, v_min=-0.1, reset=0.0),
    "lif with normalised input": built_in(LIF, normalise_input=True, reset="subtract-next"),
    "alif": built_in(Unmoved, beta=0.3, v_min=-0.1),
}


cases = [pytest.param(case, marks=[] if case in USUAL or "lif" in case else [pytest.mark.slow]) for case in CASES]
"""Every neuron with the integrator it usually has; with all others among the slow tests."""


def slopes(case, evaluation, ones=False, seed=3):
    """The rule's gradients and the central differences, {variable: (n_pre,)} each. ones: L = 1."""
    make, strength = case
    rng = np.random.default_rng(seed)
    signed = {"v": -1.0}
    base = {into: w * rng.uniform(signed.get(into, 0.2), 1, SOURCES) for into, w in strength.items()}
    synapses = [(into, i) for into in base for i in range(SOURCES)]
    n = 1 + 2 * len(synapses)
    weights = {into: np.repeat(w[:, None], n, axis=1) for into, w in base.items()}
    for k, (into, i) in enumerate(synapses):
        weights[into][i, 1 + 2 * k] += STEP * strength[into]
        weights[into][i, 2 + 2 * k] -= STEP * strength[into]
    spikes = {into: (rng.random((STEPS, SOURCES)) < 0.15).astype(int) for into in base}
    signal = np.ones(STEPS) if ones else rng.standard_normal(STEPS)
    found = run(
        make(n),
        Drive(weights, spikes, np.repeat(signal[:, None], n, axis=1)),
        evaluation,
        surrogate=Constant(),
    )
    assert not found.spikes.any() and np.ptp(found.membrane) > 0.01
    total = signal @ found.membrane
    numeric = {into: np.zeros(SOURCES) for into in base}
    for k, (into, i) in enumerate(synapses):
        numeric[into][i] = (total[1 + 2 * k] - total[2 + 2 * k]) / (2 * STEP * strength[into])
    return {into: found.gradients[into][:, 0] for into in base}, numeric


@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("case", cases)
def test_gradients_are_central_differences_of_the_membrane(case, evaluation):
    found, expected = slopes(CASES[case], evaluation)
    for into, slope in expected.items():
        assert distance(found[into], slope) <= 1e-6, into


@pytest.mark.parametrize("case", [case for case in cases if "lif" not in case.values[0]])
def test_a_signal_of_one_makes_excitation_rise_and_inhibition_fall(case):
    found, expected = slopes(CASES[case], "factored", ones=True)
    for gradients in (found, expected):
        assert np.all(gradients["ge"] > 0) and np.all(gradients["gi"] < 0)


@pytest.mark.parametrize("evaluation", ["factored", "online"])
def test_a_floor_cuts_what_a_spike_has_left(evaluation):
    """Without the floor's derivative the gradient would be that of neurons without one."""
    case, free = CASES["lif with a floor and a hard reset"], built_in(LIF, bias=0.02)
    found, other = slopes(case, evaluation)[0]["v"], slopes(free, evaluation)[0]["v"]
    assert distance(found, other) > 0.05
