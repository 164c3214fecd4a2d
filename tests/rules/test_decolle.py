"""DECOLLE: local readouts and the gradient they make, against an independent transcription; on both engines."""

from __future__ import annotations

import numpy as np
import pytest
from small_runs import trainer

import snnplast as snn
from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.simulation.design import design
from snnplast.testing import check_rule, check_third_factor, small_network
from snnplast.testing.bench import Bench
from tests.reference import decolle as oracle

STEPS, WINDOW, CLASSES = 60, 45, 3
compiling = [pytest.mark.slow, pytest.mark.skipif(not compiler_available(), reason="no C++ compiler")]
SIZES = {"first": 8, "second": 7}


def network():
    """12 sources -> 8 recurrent LIF neurons -> 7 LIF neurons -> 3 readouts."""
    net = snn.Network()
    net.add("input", snn.SpikeSource(12))
    net.add("first", snn.LIF(8, tau_m="20 ms", v_threshold=0.8, reset="subtract-next"))
    net.add("second", snn.LIF(7, tau_m="12 ms", v_threshold=1.1, reset="subtract-next"))
    net.add("output", snn.LeakyReadout(CLASSES, tau_m="25 ms"))
    net.connect("input", "first", weights=snn.Normal(gain=1.0), plastic=True)
    net.connect("first", "first", weights=snn.Normal(gain=0.5), plastic=True)
    net.connect("first", "second", weights=snn.Normal(gain=2.0), plastic=True)
    net.connect("second", "output", weights=snn.Normal(gain=1.0), plastic=True)
    return net


class Shown(snn.Task):
    """One trial: random spikes, and a target that moves."""

    def __init__(self, objective):
        self.objective, self.seed, self.epoch, self.tests = objective, 3, 1, 1
        rng = np.random.default_rng(5)
        self.x, drawn = rng.random((STEPS, 12)) < 0.15, rng.random((STEPS, CLASSES))
        chosen = np.eye(CLASSES)[rng.integers(CLASSES, size=STEPS)]
        self.target = chosen if isinstance(objective, snn.CrossEntropy) else drawn

    def trial(self, index):
        yield snn.Segment(STEPS, {"input": np.nonzero(self.x)}, {"output.target": self.target})

    test = trial


def layers(simulation):
    """The oracle's layers with the weights drawn."""
    w = {name: wiring.matrix(simulation.values[name]).T for name, wiring in simulation.plan.wiring.items()}
    g = {name: w[f"{name}_to_{name}_readout"] for name in SIZES}
    yield "first", oracle.Layer(w["input_to_first"], w["first_to_first"], g["first"], 20.0, 0.8, late=False)
    yield "second", oracle.Layer(w["first_to_second"], None, g["second"], 12.0, 1.1, late=True)


def dense(spikes, size):
    found = np.zeros((STEPS, size))
    found[spikes] = 1
    return found


CASES = {
    "as published": ({}, "classification", oracle.boxcar),
    "filtered": ({"third_factor": {"name": "local-readout", "tau": "15 ms", "scale": 2.0}}, "regression", None),
}


@pytest.mark.parametrize(
    "engine",
    [pytest.param(NUMPY, id="runtime"), pytest.param(COMPILED, id="compiled", marks=compiling)],
)
@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_transcription(case, evaluation, engine):
    settings, task, sigma = CASES[case]
    surrogate = {} if sigma else {"surrogate": "piecewise-linear"}
    kind = snn.CrossEntropy if task == "classification" else snn.MeanSquaredError
    shown = Shown(kind(window=WINDOW))
    bench = Bench(network(), shown, engine)
    with bench.open(snn.DECOLLE(**settings, **surrogate, evaluation=evaluation)) as simulation:
        found, record = bench.gradients(simulation, 0), bench.record(simulation, 0)
        tau = 15.0 if "third_factor" in settings else 0.0
        x, in_window = shown.x.astype(float), np.arange(STEPS) >= STEPS - WINDOW
        for name, layer in layers(simulation):
            settled = {"tau": tau, "task": task, "sigma": sigma or oracle.triangle}
            spikes, y, wanted = oracle.run(layer, x, shown.target, in_window, **settled)
            assert np.array_equal(spikes, dense(record.spikes[name], SIZES[name])) and spikes.sum() > 20
            np.testing.assert_allclose(record.history[f"{name}_readout.y"], y, rtol=1e-12, atol=1e-13)
            source = "input" if name == "first" else "first"
            same(found[f"{source}_to_{name}"], wanted["w"])
            if layer.recurrent is not None:
                same(found["first_to_first"], wanted["recurrent"])
            x = spikes


def same(found, wanted):
    wanted = wanted.T.reshape(-1)
    assert np.any(wanted)
    assert np.abs(found - wanted).max() <= 1e-10 * np.abs(wanted).max()


@pytest.mark.slow
def test_the_rule_keeps_its_contract():
    check_rule(snn.DECOLLE, trials=3)


@pytest.mark.slow
@pytest.mark.parametrize("tau", ["0 ms", "20 ms"])
@pytest.mark.parametrize("readout", ["leaky", "rate"])
@pytest.mark.parametrize("rule", ["decolle", "e-prop", "ib-hebbian"])
def test_the_third_factor_keeps_its_contract(rule, readout, tau):
    check_third_factor(snn.LocalReadout, rule=rule, network=small_network(readout), trials=3, tau=tau)


def test_a_layer_hears_nothing_of_what_comes_after_it():
    """Other weights after a layer, other errors there: its own gradient keeps every bit."""
    found = []
    for gain in (1.0, 3.0):
        net = network()
        net.change("first_to_second", weights=snn.Normal(gain=2.0 * gain))
        net.change("second_to_output", weights=snn.Normal(gain=gain))
        bench = Bench(net, Shown(snn.CrossEntropy()))
        with bench.open(snn.DECOLLE()) as simulation:
            found.append(bench.gradients(simulation, 0))
    assert all(np.array_equal(found[0][name], found[1][name]) for name in ("input_to_first", "first_to_first"))
    assert not np.array_equal(found[0]["first_to_second"], found[1]["first_to_second"])


class InParts(Shown):
    """The same trial in two segments, with a learning window of the task's own."""

    def trial(self, index):
        for first, last in ((0, 25), (25, STEPS)):
            counted = np.arange(first, last)[:, None] >= STEPS - WINDOW
            series = {"output.target": self.target[first:last], "output.in_window": counted.astype(float)}
            yield snn.Segment(last - first, {"input": np.nonzero(self.x[first:last])}, series)

    test = trial


@pytest.mark.parametrize("evaluation", ["factored", "online"])
def test_local_readouts_hear_the_windows_and_targets_of_a_task_segment_by_segment(evaluation):
    found = []
    for task in (Shown(snn.CrossEntropy(window=WINDOW)), InParts(snn.CrossEntropy())):
        bench = Bench(network(), task)
        with bench.open(snn.DECOLLE(evaluation=evaluation)) as simulation:
            found.append(bench.gradients(simulation, 0))
    whole, parts = found
    assert whole.keys() == parts.keys() and all(np.array_equal(whole[name], parts[name]) for name in whole)


def test_local_readouts_stay_as_drawn_and_are_no_part_of_the_answer():
    run = trainer(snn.DECOLLE(), iterations=3)
    before = {name: values.copy() for name, values in run.simulation.values.items()}
    records = [record for step in run for record in step.trials]
    after = run.simulation.values
    for name in ("first_to_first_readout", "second_to_second_readout"):
        assert np.array_equal(before[name], after[name])
    assert not np.array_equal(before["second_to_output"], after["second_to_output"])
    assert all(np.array_equal(r.series["output.error"], r.judgement.error) for r in records)
    assert any(not np.array_equal(r.series["first_readout.error"], r.series["output.error"]) for r in records)


def test_it_says_what_it_needs():
    net = small_network()
    net.change("second_to_output", plastic=False)
    with pytest.raises(UserError, match=r"task\.objective = None: this third factor needs a readout"):
        design(net, None, snn.DECOLLE(), 1)
    net.add("first_readout", snn.LIF(3))
    with pytest.raises(UserError, match="the name 'first_readout' is taken"):
        design(net, snn.CrossEntropy(), snn.DECOLLE(), 1)
    with pytest.raises(UserError, match=r"LocalReadout\.scale = 0: input should be greater than 0"):
        snn.LocalReadout(scale=0)
