"""From descriptions to Brian2: latencies, draws, and what rules inject for one population or several."""

from __future__ import annotations

import numpy as np
import pytest
from brian_runs import raster, running

from snnplast.engine import COMPILED, NUMPY, compiler_available
from snnplast.errors import UserError
from snnplast.learning.surrogate import PiecewiseLinear
from snnplast.network import slots
from snnplast.network.connectivity import Probability
from snnplast.network.fragments import Fragment, Injection, Update
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.own_equations import Analog
from snnplast.network.population import PoissonSource, SpikeSource
from snnplast.network.readouts import LeakyReadout
from snnplast.rules.e_prop import EProp
from snnplast.simulation.design import design
from snnplast.simulation.plan import plan
from snnplast.simulation.run_trial import simulate
from snnplast.testing import small_network, small_task
from snnplast.training.pretrain import open_simulation

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")


def chain():
    """One spike goes from the source through two neurons to a readout; every weight makes its target act at once."""
    net = Network()
    net.add("input", SpikeSource(1))
    for name in ("first", "second"):
        net.add(name, LIF(1))
    net.add("output", LeakyReadout(1))
    for source, target in (("input", "first"), ("first", "second"), ("second", "output"), ("input", "output")):
        net.connect(source, target, weights=1.5)
    return net


def test_a_sources_spike_acts_at_once_a_neurons_one_step_later_and_on_readouts_at_once():
    with running(chain(), ["output.y"]) as engine:
        engine.set_spikes("input", [3], [0])
        engine.steps(8)
        assert engine.spikes("first")[0].tolist() == [3]
        assert engine.spikes("second")[0].tolist() == [4]
        kappa = np.exp(-1 / 20)
        jump = 1.5 * (1 - kappa)
        np.testing.assert_allclose(
            engine.history["output.y"][2:6, 0], [0, jump, (1 + kappa) * jump, (kappa + kappa**2) * jump]
        )


def test_spikes_of_a_last_step_do_not_reach_the_next_trial():
    with running(chain(), ["output.y"]) as engine:
        engine.set_spikes("input", [3], [0])
        engine.steps(4)
        assert engine.spikes("first")[0].size == 1
        engine.reset()
        engine.steps(4)
        assert not engine.spikes("second")[0].size and not np.any(engine.history["output.y"])


def test_an_analog_projection_carries_the_value_of_the_same_step():
    net = Network()
    net.add("units", Analog(2, equations="x : 1\nz : 1", into="x", updates=(Update("z = t/ms", "after_groups"),)))
    net.add("sink", Analog(3, equations="drive : 1"))
    w = np.arange(6.0).reshape(2, 3)
    net.connect("units", "sink", kind="analog", variable="z", weights=w)
    with running(net, ["sink.drive"]) as engine:
        engine.steps(4)
        np.testing.assert_allclose(engine.history["sink.drive"], np.outer(np.arange(4.0), w.sum(axis=0)), atol=1e-9)


def test_a_projection_without_a_synapse_is_refused():
    net = chain()
    net.connect("first", "first", self_connections=False)
    with pytest.raises(UserError, match=r"network\.first_to_first: no pair of neurons is connected; leave"):
        plan(net, {}, (), 0)


def test_sparse_weights_act_between_their_own_pairs():
    rng = np.random.default_rng(1)
    spikes = np.nonzero(rng.random((30, 7)) < 0.3)
    net = Network()
    net.add("input", SpikeSource(7))
    net.add("sink", LIF(5, tau_m="1e9 second", v_threshold=1e9))
    net.connect("input", "sink", connectivity=Probability(0.4))
    drawn = plan(net.copy(), {}, (), seed=3)
    with running(net, seed=3) as engine:
        engine.set_spikes("input", *spikes)
        engine.steps(30)
        matrix = drawn.wiring["input_to_sink"].matrix(drawn.weights["input_to_sink"])
        assert 5 < np.count_nonzero(matrix) < 35
        np.testing.assert_allclose(engine["sink.v"], raster(spikes, 30, 7).sum(axis=0) @ matrix, rtol=1e-9)


def test_a_projections_weights_depend_on_the_seed_and_its_name_alone():
    def drawn(seed, *more):
        net = Network()
        for name in ("a", "b", "c"):
            net.add(name, LIF(6))
        for source, target in (*more, ("a", "b")):
            net.connect(source, target, connectivity=Probability(0.5))
        return plan(net, {}, (), seed)

    alone, among, other = drawn(1), drawn(1, ("b", "c"), ("c", "a")), drawn(2)
    assert np.array_equal(alone.weights["a_to_b"], among.weights["a_to_b"])
    assert np.array_equal(alone.wiring["a_to_b"].post, among.wiring["a_to_b"].post)
    assert alone.weights["a_to_b"].shape != other.weights["a_to_b"].shape or np.any(
        alone.weights["a_to_b"] != other.weights["a_to_b"]
    )
    assert not np.array_equal(among.weights["a_to_b"][:5], among.weights["b_to_c"][:5])


def test_a_misspelt_variable_of_an_analog_projection_is_named():
    net = chain()
    net.connect("second", "first", name="wrong", kind="analog", variable="vv")
    with pytest.raises(UserError, match=r"network.wrong.variable = 'vv': 'second' has no such variable; .*\bv\b"):
        plan(net, {}, (), 0)


# Injections


def psi(height):
    return Injection(post=Fragment(("psi : 1",), updates=(Update(f"psi = {height}*v", *slots.SURROGATE),)))


def test_identical_injections_of_two_projections_are_computed_once():
    net = chain()
    merged = plan(net, {"input_to_first": psi(1), "first_to_second": psi(1)}, (), 0)
    assert merged.populations["first"].equations.count("psi : 1") == 1
    twice = chain()
    twice.connect("input", "first", name="again", weights=0.1)
    merged = plan(twice, {"input_to_first": psi(1), "again": psi(1)}, (), 0)
    assert sum("psi" in update.code for update in merged.populations["first"].updates) == 1


def test_two_meanings_of_one_injected_name_live_side_by_side():
    net = chain()
    net.connect("input", "first", name="again", weights=0.1)
    merged = plan(net, {"input_to_first": psi(1), "again": psi(2)}, (), 0)
    assert {"psi : 1", "psi_again : 1"} <= set(merged.populations["first"].equations)
    codes = [update.code for update in merged.populations["first"].updates]
    assert "psi = 1*v" in codes and "psi_again = 2*v" in codes


def test_a_name_with_two_meanings_cannot_be_recorded():
    net = chain()
    net.connect("input", "first", name="again", weights=0.1)
    with pytest.raises(UserError, match=r"network\.again: its rule's 'psi' differs from what 'first' already calls so"):
        plan(net, {"input_to_first": psi(1), "again": psi(2)}, ("first.psi",), 0)


def test_a_source_gets_a_companion_for_its_traces():
    trace = Fragment(("dx/dt = -x/(10*ms) : 1",), on_spike=("x = x + 1",))
    synapse = Fragment(("seen : 1",), updates=(Update("seen = x_pre", *slots.TRACES),))
    injections = {"input_to_first": Injection(pre=trace, synapse=synapse)}
    with running(chain(), injections=injections) as engine:
        engine.set_spikes("input", [0, 2], [0, 0])
        engine.steps(3)
        np.testing.assert_allclose(engine["input_to_first.seen"], 1 + np.exp(-0.2), rtol=1e-12)


def two_rules(evaluation, first, second):
    """Gradients of the two input projections of one population, each with a rule of its own."""
    net = small_network()
    net.projections["input_to_first"] = net.projections["input_to_first"].model_copy(update={"rule": "other"})
    rules = [EProp(evaluation=evaluation, surrogate=PiecewiseLinear(height=height)) for height in (first, second)]
    task = small_task()
    simulation = open_simulation(net, task.objective, rules[0], 1, NUMPY, {"other": rules[1]})
    record = simulate(simulation, task.trial(0), 0, 1, np.random.default_rng(0))
    found = {}
    for plasticity in simulation.plasticities:
        found |= plasticity.gradient(record, task.objective)
    return {name: np.array(gradient) for name, gradient in found.items()}


def test_two_rules_on_one_population_keep_their_own_surrogates():
    same, other = two_rules("online", 0.3, 0.3), two_rules("online", 0.3, 0.9)
    assert np.any(same["input_to_first"]) and np.any(same["first_to_first"])
    np.testing.assert_allclose(other["input_to_first"], 3 * same["input_to_first"], rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(other["first_to_first"], same["first_to_first"], rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("second", [0.3, 0.9])
def test_rules_on_one_population_read_what_each_of_them_recorded(second):
    factored = two_rules("factored", 0.3, second)
    for name, gradient in two_rules("online", 0.3, second).items():
        np.testing.assert_allclose(factored[name], gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "changed, sentence",
    [
        ({"plastic": False}, "network: no projection is plastic; write plastic=True where the rule should learn"),
        ({"rule": "stdp"}, "network.input_to_output.rule = 'stdp': no such rule is given; none is known"),
    ],
)
def test_an_experiment_in_which_nothing_can_learn_is_refused(changed, sentence):
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("output", LeakyReadout(3))
    net.connect("input", "output", **{"plastic": True, **changed})
    with pytest.raises(UserError, match=sentence):
        design(net, small_task().objective, EProp(), 1)


def test_the_objectives_readout_must_be_one():
    net = Network()
    net.add("input", PoissonSource(12))
    net.add("output", LIF(3))
    net.connect("input", "output", plastic=True)
    with pytest.raises(UserError, match="objective: 'output' is no readout; readouts are: none"):
        design(net, small_task().objective, EProp(), 1)
    net.add("motor", LeakyReadout(3))
    with pytest.raises(UserError, match="objective: 'output' is no readout; readouts are: motor"):
        design(net, small_task().objective, EProp(), 1)


@pytest.mark.parametrize("engine", [NUMPY, pytest.param(COMPILED, marks=needs_compiler)], ids=lambda one: one.name)
def test_pairs_and_weights_are_there_once(engine):
    net, task = small_network(), small_task()
    with (simulation := open_simulation(net, task.objective, EProp(), 1, engine)).engine:
        drawn = design(net, task.objective, EProp(), 1).plan.wiring
        simulated = [name for name in drawn if simulation.network.projections[name].simulated]
        for name in simulated:
            live, own = simulation.plan.wiring[name], simulation.engine
            for ends, of_engine in ((live.pre, own[f"{name}._pre"]), (live.post, own[f"{name}._post"])):
                assert np.shares_memory(ends, of_engine)
            np.testing.assert_array_equal(live.pre, drawn[name].pre)
            np.testing.assert_array_equal(live.post, drawn[name].post)
            assert simulation.plan.weights[name] is simulation.values[name] is own[f"{name}.w"]
        if engine is COMPILED:  # what a clone is made of
            made = {pairs.pre: pairs for pairs in own.plan.connections}
            for name in simulated:
                assert np.shares_memory(made[own.plan.variables[f"{name}._pre"]].sources, own[f"{name}._pre"])
                assert f"{name}.w" not in own.plan.initial
