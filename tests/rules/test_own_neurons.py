"""Traces that are derived from equations are those that are derived by hand: spikes and gradients of five neurons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import own_neurons
import pytest
from brian2 import ms
from neuron_runs import Drive, distance, run
from reference import neurons as oracle

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError

STEPS, SOURCES, N = 150, 9, 5
ORACLES = {
    "cuba": oracle.CUBA,
    "coba": oracle.COBA,
    "adex": oracle.AdEx,
    "izhikevich": oracle.Izhikevich,
    "two compartments": oracle.TwoCompartments,
}
DIFFERING = {"adex": "Cm", "izhikevich": "a"}
"""The constant that neurons differ in where they do, by the oracle's name; tau of all others."""

engines = pytest.mark.parametrize(
    "engine",
    [
        NUMPY,
        pytest.param(
            COMPILED,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH"),
            ],
        ),
    ],
    ids=["runtime", "compiled"],
)


def experiment(kind, seed=1, delays=False, recurrent=True, tau=None, onto_v=None):
    """A drive of the library, and the oracle's projections. onto_v: largest weight of spikes straight onto v."""
    rng = np.random.default_rng(seed)
    weights, rates = own_neurons.weights(kind, SOURCES, N, rng), {"ge": 0.12, "gi": 0.06}
    if onto_v is not None:
        weights["v"], rates["v"] = onto_v * rng.random((SOURCES, N)), 0.15
    spikes = {into: (rng.random((STEPS, SOURCES)) < rate).astype(int) for into, rate in rates.items()}
    back = own_neurons.WEIGHTS[kind][0] * rng.random((N, N)) if recurrent else None
    late = {}
    if delays:
        late = {"ge": rng.integers(6, size=(SOURCES, N)), "gi": 3, "recurrent": rng.integers(6, size=(N, N))}
    drive = Drive(
        weights,
        spikes,
        rng.standard_normal((STEPS, N)),
        None if back is None else ("ge", back),
        late,
        None if tau is None else tau * 1e-3,
        ORACLES[kind]().dt * 1e-3,
    )
    projections = {name: oracle.Synapses(name, weights[name], spikes[name], late.get(name, 0)) for name in weights}
    if back is not None:
        projections["recurrent"] = oracle.Synapses("ge", back, delay=late.get("recurrent", 0))
    return drive, projections


def compare(kind, drive, projections, evaluation, engine, differ=False):
    """Both must have the same spikes, and gradients within 1e-10."""
    constants, given = {}, {}
    if differ:
        name = DIFFERING.get(kind, "tau")
        values = getattr(ORACLES[kind](), name) * np.linspace(0.8, 1.2, N)
        constants = {name: values}
        given = {"ak": values} if kind == "izhikevich" else {name: values * ms}
    tau = None if drive.tau is None else drive.tau * 1e3
    expected = oracle.simulate(ORACLES[kind](**constants), projections, drive.signal, tau)
    assert expected.spikes.sum() > N, "hardly any spikes: the test is vacuous"
    found = run(own_neurons.neurons(kind, N, constants=given), drive, evaluation, engine)
    assert np.array_equal(found.spikes, expected.spikes)
    quiet = expected.spikes == 0
    np.testing.assert_allclose(found.membrane[quiet], expected.v[quiet], rtol=1e-8, atol=1e-10)
    assert found.gradients.keys() == expected.gradients.keys()
    for name, gradient in expected.gradients.items():
        assert distance(found.gradients[name], gradient) <= 1e-10, name


@engines
@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("kind", ORACLES)
def test_spikes_and_gradients_are_those_derived_by_hand(kind, evaluation, engine):
    compare(kind, *experiment(kind), evaluation, engine)


@engines
@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("kind", ORACLES)
def test_with_delays_a_filter_and_constants_of_each_neuron_as_well(kind, evaluation, engine):
    compare(kind, *experiment(kind, seed=2, delays=True, tau=15.0), evaluation, engine, differ=True)


@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("kind, strength", [("coba", 0.3), ("adex", 0.3), ("cuba", 0.4)])
def test_spikes_straight_onto_the_membrane(kind, strength, evaluation):
    """A membrane that stands still while refractory hears none of them."""
    compare(kind, *experiment(kind, seed=3, onto_v=strength), evaluation, NUMPY)


@pytest.mark.parametrize("evaluation", ["factored", "online"])
def test_units_change_nothing(evaluation):
    """Neurons in mV with weights in mV are those without units, where their constants are the same numbers."""
    drive, _ = experiment("cuba")
    plain = run(own_neurons.neurons("cuba", N), drive, evaluation)
    equations = (own_neurons.EQUATIONS["cuba"] + "\n" + own_neurons.SYNAPSES).replace(" : 1", " : volt")
    spikes = {"threshold": "v >= 1*mV", "reset": "v -= 1*mV", "distance": "v - 1*mV", "threshold_scale": "1 mV"}
    with_units = own_neurons.neurons("cuba", N, equations=equations, **spikes)
    found = run(with_units, replace(drive, unit="mV"), evaluation)
    assert np.array_equal(found.spikes, plain.spikes) and plain.spikes.sum() > N
    for name, gradient in plain.gradients.items():
        assert distance(found.gradients[name], gradient) <= 1e-12, name


def test_time_constants_that_are_equal_are_named():
    drive, _ = experiment("cuba")
    with pytest.raises(UserError, match="are two of its constants equal"):
        run(own_neurons.neurons("cuba", N, constants={"tau": 5 * ms}), drive, "factored")
