"""Backprop: the slope of the loss by a layer's representation and, through the layer normalisation, by its rates."""

from __future__ import annotations

import numpy as np
from small_runs import matrices, trainer

from snnplast.engine import NUMPY
from snnplast.learning.optimizer import SGD
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import RateReadout
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.rules.third_factors.backprop import Backprop
from snnplast.rules.third_factors.readout_error import ReadoutError
from snnplast.rules.third_factors.transforms import LayerNormJacobian
from snnplast.testing import check_third_factor

OFFSET = 3.0


def network():
    """Source -> two layers side by side -> readout of both."""
    net = Network()
    net.add("input", PoissonSource(12, peak_rate="300 Hz"))
    net.add("output", RateReadout(3))
    for name, size in (("left", 6), ("right", 5)):
        net.add(name, LIF(size, representation=LayerNorm(offset=OFFSET)))
        net.connect("input", name, plastic=True)
        net.connect(name, "output", kind="analog", variable="z", every="trial", weights=0.0, plastic=True)
    return net


def losses(run, record):
    """The loss of a trial as a function of the rates of both layers, with the weights of now."""
    readout, bias = matrices(run.simulation), run.simulation.values["output.bias"].copy()
    target = record.series["output.target"][-1]

    def loss(rates, normalise):
        y = bias + sum(normalise(r) @ readout[f"{name}_to_output"] for name, r in rates.items())
        return np.log(np.sum(np.exp(y))) - target @ y

    return loss


def slopes(loss, values, normalise, name, step=1e-5):
    """Central differences by the values of one layer."""
    ends = [
        [loss({**values, name: values[name] + sign * shift}, normalise) for sign in (1, -1)]
        for shift in step * np.eye(values[name].size)
    ]
    return np.array([(above - below) / (2 * step) for above, below in ends])


def test_the_signal_is_the_slope_of_the_loss_by_representations_and_rates():
    run = trainer(IBHebbian(third_factor="backprop", readout_optimizer=SGD(learning_rate=0.3)), network())
    layers, heard = ("left", "right"), run.simulation.plasticities[0].sources[0].context
    list(run)
    record = run.run(0, 3)
    loss, norm = losses(run, record), LayerNorm(offset=OFFSET)
    rates = {name: record.rates(name) for name in layers}
    z = {name: norm(r) for name, r in rates.items()}
    raw = Backprop(transforms=()).signal(record, heard, {})
    through = Backprop(transforms=(LayerNormJacobian(),)).signal(record, heard, {})
    for name in layers:
        by_z = slopes(loss, z, lambda values: values, name)
        np.testing.assert_allclose(np.asarray(raw[name]), by_z, rtol=1e-6, atol=1e-10)
        scale = np.sqrt(rates[name].var() + OFFSET)
        by_rate = scale * slopes(loss, rates, norm, name, step=1e-3)
        assert np.abs(np.asarray(through[name]) - by_rate).max() < 1e-4 * np.abs(by_rate).max()
        assert not np.allclose(by_rate, by_z, rtol=1e-2)


def test_before_the_transforms_it_is_symmetric_feedback():
    symmetric = ReadoutError(feedback="symmetric")
    run = trainer(IBHebbian(third_factor=symmetric, readout_optimizer=SGD(learning_rate=0.3)), network())
    list(run)
    run.simulation.tie()
    record = run.run(0, 3)
    heard = run.simulation.plasticities[0].sources[0].context
    expected = symmetric.signal(record, heard, {})
    for name, signal in Backprop(transforms=()).signal(record, heard, {}).items():
        fed_back = expected[name]
        assert isinstance(fed_back, np.ndarray) and np.any(fed_back)
        np.testing.assert_allclose(np.asarray(signal), fed_back, rtol=1e-12)


def test_it_keeps_the_contract_of_third_factors():
    check_third_factor(Backprop, rule="ib-hebbian", network=network(), trials=4, engine=NUMPY, workers=())
