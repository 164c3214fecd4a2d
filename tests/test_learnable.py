"""What is learnable of neurons: names and bounds, how it is learned, and that all that keeps weights keeps it."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from brian2 import ms

import snnplast as snn
from snnplast.activity.observe import observe
from snnplast.engine import NUMPY
from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.network.neurons import ALIF, LIF
from snnplast.random_streams import TRAINING
from snnplast.rules.third_factors.firing_rate import BatchFiringRate, FiringRate
from snnplast.testing import small_task
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

CUBA = "dv/dt = (ge - v)/tau : 1\ndge/dt = -ge/te : 1"
DECAY = "dv/dt = -v/tau : volt\ntau : second (constant)"
Z = {"representation": snn.LayerNorm()}
SGD = snn.SGD(learning_rate=1e-3)


def own(equations=CUBA, **fields):
    fields = {"constants": {"tau": 20 * ms, "te": 5 * ms}, "threshold": "v > 1", "reset": "v = 0", **fields}
    return snn.CustomNeurons(4, equations=equations, **fields)


def network(neurons, **projection):
    net = Network()
    net.add("input", snn.PoissonSource(12))
    net.add("hidden", neurons)
    net.add("output", snn.LeakyReadout(3))
    net.connect("input", "hidden", **{"plastic": True, "weights": snn.Uniform(low=0, high=1.2), **projection})
    net.connect("hidden", "output", plastic=True)
    return net


def trainer(neurons, rule, iterations=3, **projection):
    task = small_task()
    simulation = open_simulation(network(neurons, **projection), task.objective, rule, 1, NUMPY)
    return Trainer(simulation, task, iterations)


# ---- names and bounds


@pytest.mark.parametrize(
    "make, sentence",
    [
        (
            lambda: LIF(4, learnable=("tau",)),
            r"LIF\.learnable: unknown constant 'tau': did you mean 'tau_m'\? Known: tau_",
        ),
        (lambda: LIF(4, learnable=("bias",)), "LIF.learnable: unknown constant 'bias'"),
        (lambda: LIF(4, v_min=0, learnable=("v_min",)), "LIF.learnable: unknown constant 'v_min'"),
        (lambda: LIF(4, learnable="tau_m"), "LIF.learnable: 'tau_m': names, or a table of names with"),
        (lambda: LIF(4, learnable=("tau_m", "tau_m")), "LIF.learnable = .*: 'tau_m' is named twice"),
        (lambda: LIF(4, learnable={"tau_m": 5}), r"LIF\.learnable = .*: \['tau_m'\] = 5: two entries"),
        (lambda: LIF(4, learnable={"tau_m": (5, 9)}), "LIF.learnable: tau_m: 5 has no unit: a time is needed"),
        (lambda: LIF(4, learnable={"tau_m": ("9 ms", "5 ms")}), "tau_m = .*: the lowest value must not exceed"),
        (lambda: LIF(4, learnable={"v_threshold": ("5 ms", None)}), "v_threshold = '5 ms': a number or an array"),
        (lambda: LIF(4, normalise_input=True, learnable=("tau_m",)), "LIF.learnable: 'tau_m' also scales input"),
        (lambda: own(learnable=("tu",)), r"CustomNeurons\.learnable: unknown constant 'tu': did you mean 'tau'"),
        (lambda: own(learnable=("v",)), "CustomNeurons.learnable: unknown constant 'v'"),
    ],
)
def test_what_cannot_be_learned_is_named(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()


@pytest.mark.parametrize(
    "neurons, sentence",
    [
        (
            LIF(4, tau_m="0.5 ms", learnable=("tau_m",)),
            "network.hidden.learnable: tau_m begins at 0.5 ms, beyond",
        ),
        (LIF(4, learnable={"tau_m": (None, "10 ms")}), "tau_m begins at 20 ms, beyond its bounds, 1 ms to 10 ms"),
        (LIF(4, learnable={"tau_m": ("0 ms", None)}), "tau_m >= 0 ms: above 0 is allowed"),
        (LIF(4, learnable={"v_threshold": (-1, None)}), "v_threshold >= -1: above 0 is allowed"),
        (ALIF(4, learnable={"beta": (-1, 1)}), "beta >= -1: at least 0 is allowed"),
        (own(learnable={"te": ("6 ms", None)}), "te begins at 5 ms, beyond its bounds, 6 ms to any"),
    ],
)
def test_a_constant_begins_within_its_bounds_and_they_within_its_range(neurons, sentence):
    with pytest.raises(UserError, match=sentence):
        Network().add("hidden", neurons)


def test_bounds_have_defaults_by_unit_and_field():
    neurons = ALIF(2, v_threshold=[1, 2], bias=0, learnable=("tau_m", "v_threshold", "beta", "bias"))
    assert neurons.limits(1e-3)["tau_m"] == (1e-3, None)
    assert np.array_equal(neurons.limits(1e-3)["v_threshold"][0], [1e-3, 2e-3])
    assert neurons.limits(1e-3)["beta"] == (0, None) and neurons.limits(1e-3)["bias"] == (None, None)
    assert LIF(2, learnable={"tau_m": ("0.1 ms", 50 * ms)}).limits(1e-3)["tau_m"] == (1e-4, 0.05)
    volts = own(DECAY, constants={"tau": "20 ms"}, threshold="v > 10*mV", initial={"v": "1 mV"}, learnable=("tau", "v"))
    assert volts.limits(1e-3) == {"tau": (1e-3, None), "initial_v": (None, None)}


def designed(rule, neurons=None, **projection):
    task = small_task()
    return open_simulation(
        network(neurons or LIF(4, learnable=("tau_m",)), **projection), task.objective, rule, 1, NUMPY
    )


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: designed(snn.EProp(), plastic=False), "network.hidden.learnable: rules learn what neurons are like"),
        (
            lambda: designed(snn.EProp(), own(constants={"tau": 20 * ms, "te": 5 * ms, "k": 1.0}, learnable=("k",))),
            "network.hidden: learnable: no spike depends on 'k'",
        ),
        (
            lambda: designed(snn.IBHebbian(third_factor="random"), LIF(4, bias=0, learnable=("bias",), **Z)),
            "network.hidden.learnable: homeostasis sets 'bias' already",
        ),
        (
            lambda: designed(snn.EProp(optimizers={"hidden.tau": SGD})),
            "unknown parameter; did you mean 'hidden.tau_m'",
        ),
    ],
)
def test_what_nothing_learns_is_refused(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()


def test_where_only_readouts_learn_constants_stay():
    assert "hidden.tau_m" not in designed(snn.Frozen()).parameters


# ---- learning


def test_a_step_is_a_part_of_the_first_value():
    """Adam's first step is its learning rate, whatever the gradient; bias, which begins at 0, has steps in SI units."""
    neurons = LIF(4, tau_m=["10 ms", "20 ms", "30 ms", "20 ms"], v_threshold=2, bias=0, learnable=("tau_m", "bias"))
    adam = snn.Adam(learning_rate=0.005, epsilon=1e-30)
    training = trainer(neurons, snn.EProp(optimizer=adam))
    before = training.simulation.values["hidden.tau_m"].copy()
    training.update()
    values = training.simulation.values
    np.testing.assert_allclose(np.abs(values["hidden.tau_m"] / before - 1), 0.005, rtol=1e-9)
    np.testing.assert_allclose(np.abs(values["hidden.bias"]), 0.005, rtol=1e-9)


@pytest.mark.parametrize("low, high", [("19.9 ms", "20.1 ms"), (None, None)])
def test_constants_stay_within_their_bounds(low, high):
    neurons = LIF(4, learnable={"tau_m": (low, high)})
    rule = snn.EProp(optimizers={"hidden.tau_m": snn.SGD(learning_rate=1e6)})
    training = trainer(neurons, rule)
    for _ in training:
        pass
    found = training.simulation.values["hidden.tau_m"]
    if low is None:
        assert np.any(found == 1e-3) and np.all(found >= 1e-3)
    else:
        assert np.all(np.isclose(found, 0.0199, rtol=1e-12) | np.isclose(found, 0.0201, rtol=1e-12))


def test_a_learned_first_value_is_where_trials_begin():
    training = trainer(own(initial={"v": 0.25}, into="ge", learnable=("v",)), snn.EProp())
    simulation = training.simulation
    simulation.values["hidden.initial_v"][:] = [0.1, 0.2, 0.3, 0.4]
    simulation.begin()
    assert simulation.engine["hidden.v"].tolist() == [0.1, 0.2, 0.3, 0.4]


def test_drawn_first_values_are_those_learning_begins_with():
    training = trainer(own(initial={"v": "0.1*rand()"}, into="ge", learnable=("v",)), snn.EProp())
    simulation = training.simulation
    assert np.ptp(simulation.values["hidden.initial_v"]) > 0
    simulation.begin()
    assert np.array_equal(simulation.engine["hidden.v"], simulation.values["hidden.initial_v"])


def test_a_signal_of_the_whole_batch_reaches_constants_as_one_of_each_trial_does():
    """A batch of one trial."""
    neurons, found = LIF(4, learnable=("tau_m", "v_threshold")), []
    for factor in (FiringRate(), BatchFiringRate()):
        training = trainer(neurons, snn.EProp(third_factor=factor, optimizer=SGD), iterations=1)
        training.update()
        found.append({name: values.copy() for name, values in training.simulation.values.items()})
    assert np.any(found[0]["hidden.tau_m"] != 0.02)
    for name, values in found[0].items():
        np.testing.assert_allclose(found[1][name], values, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("evaluation", ["factored", "online"])
def test_ib_hebbian_learns_constants_by_its_own_step(evaluation):
    rule = snn.IBHebbian(third_factor="random", homeostasis=None, evaluation=evaluation)
    training = trainer(LIF(4, bias=0, learnable=("tau_m", "bias"), **Z), rule)
    record = training.run(TRAINING, 0)
    (plasticity,) = training.simulation.plasticities
    gradients = plasticity.gradient(record, training.simulation.objective)
    assert np.any(gradients["hidden.tau_m"]) and np.any(gradients["hidden.bias"])


class Copy(snn.Task):
    """Four patterns of spikes, and what another network says of each. What there is none of is 0."""

    STEPS = 150
    epoch = 4

    def __init__(self, answers=None):
        self.objective, self.seed, self.answers = snn.MeanSquaredError(readout="output"), 0, answers

    def trial(self, index):
        spikes = np.nonzero(np.random.default_rng(index % 4).random((self.STEPS, 12)) < 0.06)
        answer = np.zeros((self.STEPS, 2)) if self.answers is None else self.answers[index % 4]
        yield snn.Segment(self.STEPS, {"input": spikes}, {"output.target": answer})


def copying(tau_m, learnable=(), answers=None, iterations=1):
    rng, net = np.random.default_rng(5), Network()
    net.add("input", snn.SpikeSource(12))
    net.add("hidden", LIF(10, tau_m=tau_m, learnable=learnable))
    net.add("output", snn.LeakyReadout(2))
    net.connect("input", "hidden", plastic=True, weights=rng.uniform(0, 0.5, (12, 10)))
    net.connect("hidden", "output", plastic=True, weights=rng.normal(0, 1, (10, 2)))
    rule = snn.EProp(
        batch=4,
        third_factor={"name": "readout-error", "feedback": "symmetric"},
        optimizer=snn.SGD(learning_rate=1e-4),
        optimizers={"hidden.tau_m": snn.Adam(learning_rate=0.02)} if learnable else {},
    )
    task = Copy(answers)
    return Trainer(open_simulation(net, task.objective, rule, 1, NUMPY), task, iterations)


@pytest.mark.slow
def test_a_learned_time_constant_reduces_the_loss_further():
    """All weights begin as those of the network that is copied, but membranes are too fast."""
    other = copying("30 ms")
    answers = [other.run(TRAINING, k).history["output.y"].copy() for k in range(4)]
    fixed, learned = (
        [step.metrics["loss"] for step in copying("10 ms", learnable, answers, 40)] for learnable in ((), ("tau_m",))
    )
    assert fixed[0] == pytest.approx(learned[0], rel=1e-9)
    assert learned[-1] < 0.7 * fixed[-1] and fixed[-1] < 0.95 * fixed[0]


def test_a_drawn_trial_shows_the_threshold_that_was_learned():
    neurons = ALIF(4, beta=0.1, learnable=("v_threshold", "beta"))
    simulation, task = trainer(neurons, snn.EProp(evaluation="online")).simulation, small_task()
    simulation.values["hidden.v_threshold"][:], simulation.values["hidden.beta"][:] = 0.25, 0
    assert all(np.all(neuron.threshold == 0.25) for neuron in observe(simulation, task, TRAINING, 0).neurons)


# ---- runs


def experiment(path=None, epochs=3, workers=1, **fields):
    neurons = ALIF(6, bias=0.01, beta=0.1, learnable={"tau_m": ("5 ms", None), "beta": (None, None), "bias": (None, 1)})
    rule = snn.EProp(batch=5, optimizer=snn.Adam(learning_rate=0.01), **fields)
    about = {"epochs": epochs, "workers": workers, "engine": NUMPY, "record": path}
    return snn.Experiment(network(neurons), small_task(), rule, **about)


LEARNT = ("hidden.tau_m", "hidden.beta", "hidden.bias")


@pytest.mark.parametrize("evaluation", ["factored", "online"])
def test_a_run_that_goes_on_has_the_constants_of_one_that_never_stopped(tmp_path, evaluation):
    whole = snn.train(experiment(tmp_path / "whole.h5", evaluation=evaluation))

    def interrupts(moment):
        if moment.iteration == 6:
            os.kill(os.getpid(), signal.SIGINT)

    path = tmp_path / "run.h5"
    with pytest.raises(KeyboardInterrupt):
        snn.train(experiment(path, evaluation=evaluation), callbacks=[interrupts])
    run = snn.resume(path, experiment(path, evaluation=evaluation))
    for name in LEARNT:
        assert np.array_equal(run.weights[name], whole.weights[name]) and np.ptp(whole.weights[name]) > 0
    assert np.array_equal(run.metrics["loss"], whole.metrics["loss"])
    assert set(LEARNT) <= set(run.parameters) == set(whole.parameters)


def test_constants_are_saved_loaded_and_restored_with_weights(tmp_path):
    stopping = snn.EarlyStopping("test_loss", patience=1)
    run = snn.train(experiment(epochs=4), callbacks=[stopping])
    path = snn.save_weights(tmp_path / "kept.npz", run)
    with snn.open(experiment(), path) as sim:
        for name in LEARNT:
            assert np.array_equal(sim.weights[name], run.weights[name])
        assert sim.evaluate()["loss"] == stopping.best


def test_workers_learn_bitwise_what_one_learns():
    found = [snn.train(experiment(epochs=1, workers=workers)).weights for workers in (1, 2)]
    for name in LEARNT:
        assert np.array_equal(found[0][name], found[1][name])
