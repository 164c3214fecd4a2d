"""Surrogate gradients through time are the derivative of the loss by everything, and without recurrence e-prop's."""

from __future__ import annotations

import numpy as np
import own_neurons
import pytest
from brian2 import ms
from reference import bptt as oracle
from reference import neurons as reference

import snnplast as snn
from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.network.connectivity import ExplicitPairs
from snnplast.network.weights import Transposed
from snnplast.simulation.design import design
from snnplast.simulation.run_trial import simulate
from snnplast.task.trial import Record
from snnplast.testing import check_rule, small_network
from snnplast.testing.bench import Given
from snnplast.training.pretrain import open_simulation

T, INPUTS, SIZES, OUTPUTS = 50, 7, {"first": 5, "second": 4}, 2
needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")

LIF = {"v_threshold": 0.6, "refractory": "2 ms", "reset": "subtract-next"}
KINDS = {
    "lif": (oracle.LIF(), lambda n: snn.LIF(n, **LIF), {"v": 0.4}),
    "alif": (
        oracle.LIF(beta=np.array([0.0, 0.1, 0.2, 0.3, 0.4])),
        lambda n: snn.ALIF(n, beta=np.arange(n) / 10, tau_adapt="60 ms", **LIF),
        {"v": 0.4},
    ),
    **{
        name: (kind(), lambda n, name=name: own_neurons.neurons(name, n), None)
        for name, kind in {
            "cuba": reference.CUBA,
            "coba": reference.COBA,
            "adex": reference.AdEx,
            "two compartments": reference.TwoCompartments,
        }.items()
    },
}
"""Oracle's neuron, the library's, and how strong its input is by variable."""


class Net:
    """Two populations that hear each other and themselves, in the library's terms and in the oracle's."""

    def __init__(self, kind, seed=0, represented="", delays=False, fixed=(), constants=None):
        rng = self.rng = np.random.default_rng(seed)
        neuron, make, strengths = KINDS[kind]
        if constants:
            neuron = oracle.LIF(**{name: values.astype(complex) for name, values in constants.items()})
            own = {
                "tau_m": constants["tau"] * ms,
                "v_threshold": constants["theta"],
                "learnable": ("tau_m", "v_threshold"),
            }
            make = lambda n: snn.LIF(n, **{**LIF, **own})  # noqa: E731
        strengths = strengths or dict(zip(("ge", "gi"), own_neurons.WEIGHTS[kind], strict=True))
        self.made, self.represented = make, represented
        self.sizes = {"input": INPUTS, **SIZES, "output": OUTPUTS}
        self.synapses, self.fixed = {}, fixed
        for into, strength in strengths.items():
            self._connect("input", "first", into, strength * rng.uniform(0.2, 1.6, (INPUTS, 5)), f"to_{into}")
        (into, strength), *_ = strengths.items()
        for source, size in SIZES.items():
            self._connect(source, "first", into, 0.5 * strength * rng.standard_normal((size, 5)), delays=delays)
        self._connect("first", "second", "v", 0.5 * rng.standard_normal((5, 4)) + 0.3, delays=delays)
        readers = {"first": 5, "second": 4} if not represented else {represented: SIZES[represented]}
        for source, size in readers.items():
            self._connect(
                source, "output", "y", rng.standard_normal((size, OUTPUTS)), delays=delays and not represented
            )
        target = np.eye(OUTPUTS)[1] if represented else rng.standard_normal((T, OUTPUTS))
        x = (rng.random((T, INPUTS)) < 0.3).astype(float)
        synapses = {
            name: oracle.Synapses(
                p.source, "y" if p.target == "output" else p.target, p.weights.astype(complex), p.into, p.delay
            )
            for name, p in self.synapses.items()
        }
        self.model = oracle.Model(
            {"first": (neuron, 5), "second": (oracle.LIF(), 4)}, {"input": x}, synapses, target,
            kappa=np.exp(-1 / 15), represented=represented,
        )  # fmt: skip
        self.model.run()

    def _connect(self, source, target, into, weights, name="", delays=False):
        steps = self.rng.integers(0, 5, weights.shape) if delays else 0
        self.synapses[name or f"{source}_to_{target}"] = oracle.Synapses(source, target, weights, into, steps)

    def network(self):
        net, represented = snn.Network(), self.represented
        norm = {name: snn.LayerNorm() if name == represented else None for name in SIZES}
        net.add("input", snn.SpikeSource(INPUTS))
        first = self.made(5)
        net.add("first", first if not norm["first"] else type(first)(5, representation=norm["first"], **LIF))
        net.add("second", snn.LIF(4, representation=norm["second"], **LIF))
        net.add("output", snn.RateReadout(OUTPUTS) if represented else snn.LeakyReadout(OUTPUTS, tau_m=15 * ms))
        for name, p in self.synapses.items():
            pre, post = np.nonzero(np.ones(p.weights.shape))
            rate = represented and p.target == "output"
            more = {"kind": "analog", "variable": "z", "every": "trial"} if rate else {"into": p.into}
            delay = {"delay": p.delay[pre, post] * ms} if np.ndim(p.delay) else {}
            net.connect(
                p.source, p.target, name=name, weights=p.weights, connectivity=ExplicitPairs(pre=pre, post=post),
                plastic=name not in self.fixed, **more, **delay,
            )  # fmt: skip
        return net

    def gradients(self, rule, engine=NUMPY, network=None, series=None, same_spikes=True):
        """Gradients of the only trial, as matrices; its spikes are those of the oracle."""
        x, target = self.model.inputs["input"], self.model.target
        objective = snn.CrossEntropy() if self.represented else snn.MeanSquaredError()
        simulation = open_simulation(network or self.network(), objective, rule, 1, engine)
        try:
            (plasticity,) = simulation.plasticities
            simulation.tie()
            trial = (s for s in [snn.Segment(T, {"input": np.nonzero(x)}, {"output.target": target, **(series or {})})])
            record = simulate(simulation, trial, 0, 0, np.random.default_rng(0))
            for name in SIZES if same_spikes else ():
                spikes = np.zeros((T, SIZES[name]))
                spikes[record.spikes[name]] = 1
                np.testing.assert_array_equal(spikes, self.model.kept[name].z)
                assert spikes.any(axis=0).sum() > 1
            found = plasticity.gradient(record, objective)
            wiring = simulation.plan.wiring
            return {n: (wiring[n].matrix(g) if n in wiring else g).copy() for n, g in found.items()}
        finally:
            simulation.engine.close()

    def expected(self, names):
        """Projection -> (entries, derivatives by their weights)."""
        return {name: self._some(self.model.synapses[name].weights) for name in names}

    def _some(self, values, most=8):
        every = list(np.ndindex(values.shape))
        entries = [every[k] for k in self.rng.permutation(len(every))[:most]]
        return entries, self.model.derivative(values, entries)


def assert_close(found, expected, tolerance=1e-10):
    for name, (entries, values) in expected.items():
        assert np.any(values), name
        mine = [found[name][at] for at in entries]
        np.testing.assert_allclose(mine, values, rtol=0, atol=tolerance * np.abs(values).max(), err_msg=name)


@pytest.mark.parametrize("delays, through_reset", [(False, True), (True, True), (True, False)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_the_derivative_of_the_smooth_network(kind, delays, through_reset):
    net = Net(kind, delays=delays)
    net.model.through_reset = through_reset
    found = net.gradients(snn.BPTT(through_reset=through_reset))
    assert found.keys() == net.synapses.keys()
    assert_close(found, net.expected(found))


@pytest.mark.parametrize("represented", SIZES)
def test_a_rate_readout_is_heard_through_the_normalisation_of_rates(represented):
    net = Net("lif", seed=3, represented=represented)
    found = net.gradients(snn.BPTT())
    assert_close(found, net.expected(found.keys() - {"output.bias"}))


@pytest.mark.parametrize("fixed", [("first_to_first", "second_to_first"), ("first_to_second", "second_to_output")])
def test_what_stays_fixed_is_gone_back_through(fixed):
    """The second pair leaves a population between, onto which nothing is learned."""
    net, whole = Net("alif", fixed=fixed), Net("alif")
    found, all_of = net.gradients(snn.BPTT()), whole.gradients(snn.BPTT())
    assert found.keys() == net.synapses.keys() - set(fixed)
    for name in found:
        np.testing.assert_allclose(found[name], all_of[name], rtol=1e-12, atol=1e-12)


def test_a_regulariser_speaks_of_spikes_and_that_flows_back_too():
    net = Net("lif")
    pull = {name: net.rng.standard_normal(size) for name, size in SIZES.items()}
    net.model.pull = pull
    rule = snn.BPTT(regularisers=(Given(variable="given", timing="trial"),))
    found = net.gradients(rule, series={f"{name}.given": values for name, values in pull.items()})
    assert_close(found, net.expected(found))


def test_constants_of_neurons_are_learned_through_time():
    taus, thetas = np.linspace(15, 25, 5), np.linspace(0.5, 0.7, 5)
    net = Net("lif", constants={"tau": taus, "theta": thetas})
    found = net.gradients(snn.BPTT())
    for name, values, scale in (
        ("tau_m", net.model.neurons["first"][0].tau, 1e-3),
        ("v_threshold", net.model.neurons["first"][0].theta, 1),
    ):
        expected = net.model.derivative(values, [(k,) for k in range(5)]) / scale
        np.testing.assert_allclose(found[f"first.{name}"], expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize(
    "kind, represented, alone", [("alif", "", False), ("lif", "second", False), ("coba", "", True)]
)
def test_both_engines_have_one_gradient(kind, represented, alone):
    net = Net(kind, seed=3, represented=represented, delays=True)
    network = without_ways(net) if alone else None
    given = {"network": network, "same_spikes": not alone}
    found, other = net.gradients(snn.BPTT(), **given), net.gradients(snn.BPTT(), COMPILED, **given)
    assert any(np.any(gradient) for gradient in found.values())
    for name, gradient in found.items():
        np.testing.assert_allclose(other[name], gradient, rtol=1e-9, atol=1e-12 * np.abs(gradient).max())


def without_ways(net):
    """The network whose neurons do not hear each other."""
    network = net.network()
    for name in ("first_to_first", "second_to_first", "first_to_second", "second_to_output"):
        del network.projections[name]
    return network


@pytest.mark.parametrize("kind", ["lif", "alif", "coba"])
def test_without_recurrence_resets_and_layers_it_is_e_prop_with_symmetric_feedback(kind):
    found = {}
    for rule in (snn.BPTT(through_reset=False), snn.EProp(third_factor=snn.ReadoutError(feedback="symmetric"))):
        net = Net(kind)
        found[rule.name] = net.gradients(rule, network=without_ways(net), same_spikes=False)
    for name, gradient in found["e-prop"].items():
        assert np.any(gradient)
        np.testing.assert_allclose(found["bptt"][name], gradient, rtol=0, atol=1e-10 * np.abs(gradient).max())


@pytest.mark.parametrize("kind", ["leaky", "rate"])
@pytest.mark.slow
def test_it_keeps_the_contract_of_rules(kind):
    check_rule(snn.BPTT, network=small_network(kind))


def refused(network, rule=None, **settings):
    with pytest.raises(UserError) as caught:
        design(network, snn.MeanSquaredError(), rule or snn.BPTT(), 1, **settings)
    return str(caught.value)


def test_what_it_cannot_differentiate_is_refused():
    net = Net("lif").network()
    net.connect("second", "first", name="voltage", kind="analog", variable="v", into="felt")
    assert refused(net).startswith("rule 'bptt': network.voltage: what it carries from 'second' to 'first' has a part")
    net = Net("lif").network()
    net.connect("second", "first", name="back", weights=Transposed(of="first_to_second"))
    assert refused(net).startswith("rule 'bptt': network.back: its weights are those of 'first_to_second', which are")
    rule = snn.BPTT(regularisers=("batch-firing-rate",))
    assert "'batch-firing-rate' has one signal for a batch" in refused(Net("lif").network(), rule)
    net = Net("lif").network()
    net.change("first_to_second", rule="e-prop")
    assert "another rule learns it, and 'second' lies between" in refused(net, others={"e-prop": snn.EProp()})


def test_without_a_readout_that_something_is_wanted_of_there_is_nothing_to_differentiate():
    with pytest.raises(UserError, match=r"task.objective = None: a readout that something is wanted of is needed"):
        snn.BPTT().gradient(Record(snn.Network(), {}, {}), [], {})
