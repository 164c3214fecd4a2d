"""IB-Hebbian: whole learning trajectories are the oracle's, sample by sample and in both evaluations."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import PrivateAttr
from reference import ib_hebbian as ib

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, SpikeSource
from snnplast.network.readouts import RateReadout
from snnplast.rules.ib_hebbian import IBHebbian
from snnplast.simulation.design import design
from snnplast.task.objective import CrossEntropy
from snnplast.task.task import Task
from snnplast.task.trial import Segment
from snnplast.testing import check_rule, small_network
from snnplast.training.pretrain import open_simulation
from snnplast.training.trainer import Trainer

WINDOW, SAMPLES = 4, 10
SIZES = [14, 7, 6, 3]  # input, two hidden layers, classes
MODEL = ib.Model(objective=ib.Objective(window=WINDOW), steps=50)
PROJECTIONS = [("input", "layer0"), ("layer0", "layer1")]
needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
ENGINES = [NUMPY, pytest.param(COMPILED, marks=[pytest.mark.slow, needs_compiler])]


class Watched(IBHebbian):
    """The rule, remembering the signals it was given."""

    _given: list = PrivateAttr(default_factory=list)

    def gradient(self, record, projections, signals):
        self._given.append({name: given and given[0].values.copy() for name, given in signals.items()})
        return super().gradient(record, projections, signals)


class Samples(Task):
    """Given spikes, with the values they stand for and a class; shared with the oracle."""

    def __init__(self, seed=0, says_values=True):
        self.objective, self.says_values = CrossEntropy(), says_values
        rng = np.random.default_rng(seed)
        self.x = rng.random((SAMPLES, SIZES[0]))
        self.y = np.eye(SIZES[-1])[rng.integers(SIZES[-1], size=SAMPLES)]
        self.spikes = [ib.poisson(MODEL, x, rng) for x in self.x]

    def trial(self, index):
        values = {"input.value": self.x[index]} if self.says_values else {}
        series = {"output.target": self.y[index], **values}
        yield Segment(MODEL.steps, {"input": np.nonzero(self.spikes[index])}, series)


def network(initial):
    net = Network()
    net.add("input", SpikeSource(SIZES[0]))
    for k, layer in enumerate(initial.layers):
        net.add(f"layer{k}", LIF(len(layer.b), tau_m="20 ms", v_min=-2.0, bias=0.0, representation=LayerNorm()))
        net.connect("layer0" if k else "input", f"layer{k}", weights=layer.w.T, plastic=True)
    net.add("output", RateReadout(SIZES[-1]))
    settings = {"kind": "analog", "variable": "z", "every": "trial"}
    net.connect("layer1", "output", weights=0.0, plastic=True, **settings)
    return net


def initial_network():
    initial = ib.network(MODEL, SIZES, np.random.default_rng(1))
    initial.layers[1].w *= 2  # its input is a layer that fires less than the source
    return initial


def weights_of(simulation):
    """The weights [post, pre], biases and readout of the library's network, in the oracle's terms."""
    matrix = {name: wiring.matrix(simulation.values[name]) for name, wiring in simulation.plan.wiring.items()}
    layers = [
        ib.Layer(matrix[f"{source}_to_{target}"].T.copy(), simulation.values[f"{target}.bias"].copy())
        for source, target in PROJECTIONS
    ]
    return ib.Network(layers, matrix["layer1_to_output"].copy(), simulation.values["output.bias"].copy())


@pytest.mark.parametrize("evaluation", ["factored", "online"])
@pytest.mark.parametrize("engine", ENGINES, ids=["numpy", "compiled"])
def test_every_sample_changes_what_the_oracle_changes(evaluation, engine, monkeypatch):
    modulated = []
    plain = ib.modulate
    monkeypatch.setattr(ib, "modulate", lambda *given: modulated.append(plain(*given)) or modulated[-1])
    task, expected = Samples(), initial_network()
    factors = [ib.Memory(MODEL.objective) for _ in expected.layers]
    rule = Watched(evaluation=evaluation, third_factor={"name": "hsic", "window": WINDOW})
    simulation = open_simulation(network(expected), task.objective, rule, 1, engine)
    for k, step in enumerate(Trainer(simulation, task, SAMPLES)):
        decay = 1 - 0.9 * k / SAMPLES
        modulated.clear()
        activities, _ = ib.learn(MODEL, expected, factors, task.x[k], task.y[k], task.spikes[k], decay)
        for layer, activity in enumerate(activities):
            assert activity.spikes.sum(axis=0).max() > 0, "no neuron spikes: the test is vacuous"
            assert np.array_equal(step.trials[0].counts(f"layer{layer}"), activity.spikes.sum(axis=0))
            signal = rule._given[k][f"layer{layer}"]
            assert (signal is None) == (k + 1 < WINDOW)
            if signal is not None:
                assert_close(signal, modulated[layer])
        found = weights_of(simulation)
        assert_close(found.V, expected.V)
        assert_close(found.c, expected.c)
        for ours, theirs in zip(found.layers, expected.layers, strict=True):
            assert_close(ours.w, theirs.w)
            assert_close(ours.b, theirs.b)


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_hidden_weights_wait_for_a_full_window_while_biases_and_readout_learn():
    rule = IBHebbian(third_factor={"name": "hsic", "window": WINDOW})
    task, initial = Samples(), initial_network()
    simulation = open_simulation(network(initial), task.objective, rule, 1, NUMPY)
    for k, _ in enumerate(Trainer(simulation, task, SAMPLES)):
        now = weights_of(simulation)
        for before, after in zip(initial.layers, now.layers, strict=True):
            assert np.any(after.w != before.w) == (k + 1 >= WINDOW)
            assert np.any(after.b)
        assert np.any(now.V)


def test_without_homeostasis_biases_stay():
    rule = IBHebbian(third_factor={"name": "hsic", "window": 2}, homeostasis=None)
    task = Samples()
    simulation = open_simulation(network(initial_network()), task.objective, rule, 1, NUMPY)
    list(Trainer(simulation, task, 3))
    assert not any(np.any(layer.b) for layer in weights_of(simulation).layers)


def test_hsic_asks_for_the_values_that_given_spikes_stand_for():
    task = Samples(says_values=False)
    rule = IBHebbian(third_factor={"name": "hsic", "window": 2})
    simulation = open_simulation(network(initial_network()), task.objective, rule, 1, NUMPY)
    with pytest.raises(UserError, match=r"'input' was given spikes; .* series 'input.value'"):
        Trainer(simulation, task, 1).update()


def test_a_batch_of_samples_is_refused():
    rule = IBHebbian(batch=2)
    with pytest.raises(UserError, match=r"rules.ib-hebbian.batch = 2: the rule 'ib-hebbian' takes trials one after"):
        design(network(initial_network()), CrossEntropy(), rule, 1)


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["leaky", "rate"])
def test_ib_hebbian_keeps_the_contract_of_rules(readout):
    check_rule(IBHebbian, network=small_network(readout), third_factor={"name": "hsic", "window": 3})
