"""SuperSpike: the gradient of a van Rossum distance against an independent transcription, and the published task."""

from __future__ import annotations

import numpy as np
import pytest

import snnplast as snn
from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.models.spike_pattern import SpikePattern
from snnplast.simulation.design import design
from snnplast.testing import check_rule, small_network
from snnplast.testing.bench import Bench
from tests.reference import superspike as oracle

compiling = [pytest.mark.slow, pytest.mark.skipif(not compiler_available(), reason="no C++ compiler")]
STEPS, DT = 1000, 0.1


def raster(spikes, size):
    found = np.zeros((STEPS, size))
    found[spikes] = 1
    return found


@pytest.mark.parametrize(
    "engine",
    [pytest.param(NUMPY, id="runtime"), pytest.param(COMPILED, id="compiled", marks=compiling)],
)
@pytest.mark.parametrize("evaluation", ["factored", "online"])
def test_gradients_are_those_of_the_transcription(evaluation, engine):
    model = SpikePattern(duration="100 ms", inputs=30, rate="40 Hz", gain=6.0)
    task = model.task(2)
    with Bench(model.network(), task, engine).open(snn.SuperSpike(evaluation=evaluation)) as simulation:
        bench = Bench(model.network(), task, engine)
        found, record = bench.gradients(simulation, 0), bench.record(simulation, 0)
        w = simulation.plan.wiring["input_to_output"].matrix(simulation.values["input_to_output"]).T
    wanted = np.zeros((STEPS, 1))
    wanted[[100, 300, 500, 700, 900]] = 1
    spikes, distance, gradient = oracle.run(w, raster(record.spikes["input"], 30), wanted, dt=DT)
    assert np.array_equal(raster(record.spikes["output"], 1), spikes) and 3 <= spikes.sum() <= 30
    np.testing.assert_allclose(record.judgement.loss, distance, rtol=1e-10)
    assert np.abs(found["input_to_output"] - gradient.reshape(-1)).max() <= 1e-10 * np.abs(gradient).max()


def test_a_spike_train_that_is_as_wanted_has_no_distance_and_no_gradient():
    model = SpikePattern(duration="100 ms", inputs=30, rate="40 Hz", gain=6.0)
    task = model.task(2)
    bench = Bench(model.network(), task)
    with bench.open(snn.SuperSpike()) as simulation:
        fired = bench.record(simulation, 0).spikes["output"][0]
        train = np.zeros((STEPS, 1))
        train[fired] = 1
        target = oracle.alpha(train, DT, 5.0, 10.0)
        task.segment = snn.Segment(STEPS, task.segment.inputs, {"filtered.target": target})
        record = bench.record(simulation, 0)
        assert record.judgement.loss < 1e-28
        assert np.abs(bench.gradients(simulation, 0)["input_to_output"]).max() < 1e-14


@pytest.mark.slow
def test_the_rule_keeps_its_contract_with_either_readout():
    net, twice = small_network(), snn.Network()
    for name, population in net.populations.items():
        twice.add(name, snn.LeakyReadout(3, tau_m="25 ms", tau_rise="7 ms") if population.readout else population)
    for name, p in net.projections.items():
        learns = p.target != "output"
        twice.connect(p.source, p.target, name=name, weights=p.weights, connectivity=p.connectivity, plastic=learns)
    check_rule(snn.SuperSpike, trials=3)
    check_rule(snn.SuperSpike, trials=3, network=twice)


@pytest.mark.slow
@pytest.mark.skipif(not compiler_available(), reason="no C++ compiler")
def test_a_neuron_learns_to_fire_when_it_should():
    model = SpikePattern()
    task = model.task(0)
    rule = snn.SuperSpike(optimizer=snn.Adam(learning_rate=3e-2, schedule=snn.Schedule(name="linear")))
    experiment = snn.Experiment(model.network(), task, rule, iterations=600)
    with snn.open(experiment) as simulation:
        losses = [simulation.update().metrics["loss"] for _ in range(600)]
    assert losses[-1] < 0.02 * losses[0]


def test_of_one_layer_backpropagation_through_time_is_the_same_but_for_resets():
    model, found = SpikePattern(duration="100 ms", inputs=30, rate="40 Hz", gain=6.0), []
    task, rule = model.task(2), snn.SuperSpike()
    for chosen in (rule, snn.BPTT(surrogate=rule.surrogate, through_reset=False)):
        bench = Bench(model.network(), task)
        with bench.open(chosen) as simulation:
            found.append(bench.gradients(simulation, 0)["input_to_output"])
    assert np.abs(found[1] - found[0]).max() <= 1e-10 * np.abs(found[0]).max()


def test_a_readout_that_filters_twice_does_not_learn():
    net = SpikePattern().network()
    net.change("output_to_filtered", plastic=True)
    sentence = r"network\.output_to_filtered: 'filtered' has tau_rise, and weights onto a readout that filters twice"
    with pytest.raises(UserError, match=sentence):
        design(net, SpikePattern().task(0).objective, snn.SuperSpike(), 1)
