"""Any Brian2 network in process: `snnplast.compile`."""

from __future__ import annotations

import functools
import threading

import brian2 as b2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, Synapses, amp, ms, mV
from brian2_examples import EXAMPLES
from brian2_standalone import runtime, standalone
from engine_networks import needs_compiler

import snnplast
from snnplast import UserError
from snnplast.engine import Interrupted, compiled
from snnplast.native import cache

pytestmark = needs_compiler

OUTSIDE = NeuronGroup(2, "v : 1", threshold="v > 1", reset="v = 0", name="outside")
OUTER_NETWORK = Network(OUTSIDE)


def noisy() -> Network:
    """Given spikes -> noisy cells, by synapses with a delay each; everything is recorded."""
    tau = 5 * ms  # noqa: F841
    generator = SpikeGeneratorGroup(3, [0, 1, 2], [1, 2, 3] * ms, name="generator")
    cells = NeuronGroup(
        8,
        "dv/dt = (drive - v)/tau + 0.5*xi/tau**0.5 : 1\ndrive : 1 (constant)\nhits : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory=1 * ms,
        method="euler",
        name="cells",
    )
    cells.drive = np.linspace(0.5, 1.3, 8)
    synapses = Synapses(generator, cells, "w : 1", on_pre="v += w; hits += 1", name="synapses")
    synapses.connect(i=[0, 1, 2, 2], j=[0, 1, 2, 3])
    synapses.w, synapses.delay = [0.1, 0.2, 0.3, 0.4], [0.1, 0.5, 1.0, 1.5] * ms
    watch = [SpikeMonitor(cells, name="spikes"), StateMonitor(cells, "v", record=[0, 5], name="trace")]
    rate = b2.PopulationRateMonitor(cells, name="rate")
    return Network(generator, cells, synapses, SpikeMonitor(generator, name="given"), *watch, rate)


@pytest.fixture(scope="module")
def shared():
    with snnplast.compile(noisy, seed=3) as net:
        yield net


@pytest.fixture
def net(shared):
    shared.reset(seed=3)
    return shared


def recorded(net, names=("spikes.t", "spikes.i", "trace.v", "trace.t", "rate.rate", "given.i")):
    return {name: net[name] for name in names}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def run(net, duration=20 * ms):
    net.run(duration)
    return recorded(net)


@pytest.mark.parametrize("name", [pytest.param("f-I curve", marks=pytest.mark.slow), "several clocks"])
def test_a_network_without_chance_spikes_as_in_brian2s_runtime(name):
    make, duration = EXAMPLES[name]
    expected, _ = runtime(make, duration, 1, "numpy")
    with snnplast.compile(make) as net:
        net.run(duration)
        assert len(expected["spikes.i"]) > 100
        for variable in expected:
            np.testing.assert_allclose(net[variable], expected[variable], rtol=1e-12, atol=1e-12, err_msg=variable)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EXAMPLES))
def test_every_example_is_bitwise_what_brian2s_standalone_mode_gives(name, tmp_path):
    make, duration = EXAMPLES[name]
    expected, _, _ = standalone(make, duration, 42, tmp_path)
    with snnplast.compile(make, seed=42) as net:
        for chunk in (0.25, 0.75):
            net.run(duration * chunk)
        assert len(expected["spikes.i"]) > 50, "vacuous without spikes"
        assert_same({variable: net[variable] for variable in expected}, expected)
        net.reset(seed=7)
        net.run(duration)


@pytest.mark.slow
def test_a_cable_is_what_brian2s_standalone_mode_gives(tmp_path):
    expected, _, _ = standalone(cable, 5 * ms, 1, tmp_path)
    with snnplast.compile(cable) as net:
        for _ in range(2):
            net.reset()
            net.run(5 * ms)
            assert_same({variable: net[variable] for variable in expected}, expected)
        assert np.ptp(net["trace.v"]) > 0.01


def cable() -> Network:
    morphology = b2.Cylinder(length=100 * b2.um, diameter=1 * b2.um, n=10)
    model = "Im = 1e-4*siemens/cm**2*(-70*mV - v) : amp/meter**2\nI : amp (point current)"
    neuron = b2.SpatialNeuron(
        morphology, model, Cm=1 * b2.uF / b2.cm**2, Ri=100 * b2.ohm * b2.cm, method="exponential_euler", name="neuron"
    )
    neuron.v = -70 * mV
    neuron.I[0] = 0.1 * b2.nA
    return Network(neuron, StateMonitor(neuron, "v", record=[0, 9], name="trace"))


def test_the_same_seed_gives_the_same_bits(net):
    first = run(net)
    assert len(first["spikes.i"]) > 10
    net.reset(seed=3)
    assert_same(run(net), first)
    net.reset(seed=4)
    assert not np.array_equal(run(net)["trace.v"], first["trace.v"])
    net.reset()
    assert not np.array_equal(run(net)["trace.v"], first["trace.v"]), "without a seed the numbers go on"


def test_the_seed_of_compile_is_that_of_brian2(net):
    def seeded():
        b2.seed(3)
        return noisy()

    expected = run(net)
    with snnplast.compile(seeded, seed=99) as other:
        assert_same(run(other), expected)


def test_without_a_seed_one_is_drawn_and_told():
    with snnplast.compile(noisy) as one, snnplast.compile(noisy) as other:
        assert one.seed != other.seed
        expected = run(one)
        with snnplast.compile(noisy, seed=one.seed) as again:
            assert_same(run(again), expected)


def test_many_short_runs_equal_one_long_run(net):
    whole = run(net)
    net.reset(seed=3)
    for _ in range(200):
        net.run(0.1 * ms)
    assert_same(recorded(net), whole)
    assert net.t == pytest.approx(0.02) and net.dt == pytest.approx(1e-4)


def test_values_given_while_making_arrive_as_they_are(net):
    np.testing.assert_array_equal(net["cells.drive"], np.linspace(0.5, 1.3, 8))
    np.testing.assert_array_equal(net["synapses.w"], [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(net["synapses.delay"], np.array([0.1, 0.5, 1.0, 1.5]) * 1e-3)
    assert net["synapses.i"].tolist() == [0, 1, 2, 2] and net["synapses.j"].tolist() == [0, 1, 2, 3]


def test_a_view_is_live_and_what_brian2_holds_read_only_is_so(net):
    v = net["cells.v"]
    v[:] = 0.25
    net["cells.drive"][:] = 0.0
    net.run(0.1 * ms)
    assert np.all(v != 0.25) and np.all(np.abs(v - 0.25) < 0.5)
    for name in ("synapses.i", "synapses.N"):
        with pytest.raises(ValueError, match="read-only"):
            net[name][:] = 0


def test_what_is_recorded_has_brian2s_shape(net):
    net.run(3 * ms)
    assert net["trace.v"].shape == (2, 30) and net["trace.t"].shape == (30,)
    times, indices = net.spikes("generator")
    np.testing.assert_allclose(times, [1e-3, 2e-3])
    assert indices.tolist() == [0, 1]
    np.testing.assert_array_equal(net.spikes("given")[0], times)
    assert net["spikes.count"].sum() == len(net.spikes("cells")[0]) == net["spikes.N"][0]
    rate = np.bincount(np.rint(net["spikes.t"] / 1e-4).astype(int), minlength=30) / 8 / 1e-4
    np.testing.assert_allclose(net["rate.rate"], rate)
    before = times.copy()
    net.run(3 * ms)
    np.testing.assert_array_equal(times, before)


def test_reset_goes_back_to_what_compile_left(net):
    fresh = {name: net[name].copy() for name in net.names}
    first = run(net)
    for name in ("cells.drive", "synapses.w", "cells.v"):
        net[name][:] = 0.7
    net["synapses.delay"][:] = 0.0
    net.reset(seed=3)
    assert net.t == 0.0
    assert_same({name: net[name] for name in net.names}, fresh)
    assert_same(run(net), first)


def test_reset_keeps_what_it_is_told_to(net):
    net.run(5 * ms)
    net["synapses.w"][:] = [5.0, 0.0, 0.0, 0.0]
    net["cells.drive"][:] = 0.0
    net.reset(keep="synapses.w")
    np.testing.assert_array_equal(net["synapses.w"], [5.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(net["cells.drive"], np.linspace(0.5, 1.3, 8))
    net.reset(keep=["cells.drive", "synapses.w"])
    net.reset()
    np.testing.assert_array_equal(net["synapses.w"], [0.1, 0.2, 0.3, 0.4])


def arrivals(net):
    """Steps after which each of the first four cells has had its spike."""
    steps = np.zeros(4, int)
    for k in range(60):
        net.run(0.1 * ms)
        steps[(net["cells.hits"][:4] > 0) & (steps == 0)] = k
    return steps.tolist()


def test_delays_that_were_written_hold_from_the_reset_that_keeps_them(net):
    assert arrivals(net) == [11, 25, 40, 45]
    net["synapses.delay"][:] = np.array([0.3, 0.2, 0.1, 0.0]) * 1e-3
    net.reset(keep="synapses.delay")
    assert arrivals(net) == [13, 22, 31, 30]
    net.reset()
    assert arrivals(net) == [11, 25, 40, 45]


@pytest.mark.parametrize("delay", [-1e-3, np.nan, np.inf, 1e9])
def test_a_delay_that_no_queue_can_hold_is_refused(net, delay):
    net["synapses.delay"][1] = delay
    with pytest.raises(UserError, match=r"reset: 'synapses.delay' holds a delay of .* s; 0 to 100 s are allowed"):
        net.reset(keep="synapses.delay")
    net.reset(seed=3)
    assert arrivals(net) == [11, 25, 40, 45]


def test_spikes_handed_over_take_the_place_of_those_it_was_made_with(net):
    net.run(1.5 * ms)
    net.set_spikes("generator", [2, 4.05] * ms, [2, 0])
    net.run(2 * ms)
    net.set_spikes("generator", [5] * ms, [1])
    net.run(2 * ms)
    times, indices = net.spikes("generator")
    np.testing.assert_allclose(times, [1e-3, 2e-3, 4e-3, 5e-3])
    assert indices.tolist() == [0, 2, 0, 1]
    net.reset()
    net.run(4 * ms)
    assert net.spikes("generator")[1].tolist() == [0, 1, 2]


def test_a_clone_goes_its_own_way(net):
    expected = run(net)
    net["cells.drive"][:] = 0.9
    with net.clone() as twin:
        assert twin.t == 0.0 and twin["trace.v"].shape == (2, 0)
        np.testing.assert_array_equal(twin["cells.drive"], 0.9)
        twin["cells.drive"][:] = 0.1
        np.testing.assert_array_equal(net["cells.drive"], 0.9)
        twin.reset(seed=3)
        assert_same(run(twin), expected)


def test_networks_run_in_threads_of_their_own(net):
    expected = run(net)
    twins = [net.clone() for _ in range(3)]
    results = {}

    def work(k):
        twins[k].reset(seed=3)
        results[k] = run(twins[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results.values():
        assert_same(result, expected)


def test_a_run_can_be_stopped_from_another_thread(net):
    net.stop()
    with pytest.raises(Interrupted):
        net.run(1 * b2.second)
    net.run(1 * ms)


def test_a_closed_network_says_so():
    net = snnplast.compile(noisy)
    net.close()
    for call in (lambda: net.run(1 * ms), lambda: net["cells.v"], lambda: net.spikes("cells"), net.reset, net.clone):
        with pytest.raises(RuntimeError, match="has been closed"):
            call()


def leaky(n, clock=None):
    tau = n * ms  # noqa: F841
    cells = NeuronGroup(2, "dv/dt = -v/tau : 1", method="exact", name="cells")
    cells.v = 1
    return Network(cells)


class Maker:
    def __call__(self):
        return leaky(3)


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda: leaky(3), functools.partial(leaky, 3), Maker()])
def test_names_are_those_where_the_network_is_made(make):
    with snnplast.compile(make) as net:
        net.run(3 * ms)
        np.testing.assert_allclose(net["cells.v"], np.exp(-1))


def nameless():
    cells = NeuronGroup(1, "dv/dt = -v/unknown_tau : 1", method="exact", name="cells")
    cells.v = 1
    return Network(cells)


@pytest.mark.slow
def test_further_names_can_be_given():
    with snnplast.compile(nameless, namespace={"unknown_tau": 3 * ms}) as net:
        net.run(3 * ms)
        np.testing.assert_allclose(net["cells.v"], np.exp(-1))


@pytest.mark.slow
def test_the_default_time_step_is_the_one_set_outside_and_brian2_is_left_as_it_was():
    device, b2.defaultclock.dt = b2.get_device(), 0.5 * ms
    try:
        with snnplast.compile(functools.partial(leaky, 3)) as net:
            assert net.dt == 0.5e-3
        assert b2.get_device() is device and b2.defaultclock.dt == 0.5 * ms
        assert NeuronGroup(1, "v : 1", name="cells*").name == "cells"
    finally:
        b2.defaultclock.dt = 0.1 * ms


def test_values_do_not_make_another_library(monkeypatch):
    keys = []
    monkeypatch.setattr(compiled, "cache_key", lambda *a: keys.append(cache.cache_key(*a)) or keys[-1])

    def make(seed):
        rng = np.random.default_rng(seed)
        cells = NeuronGroup(6, "v : 1", threshold="v > 1", name="cells")
        synapses = Synapses(cells, cells, "w : 1", on_pre="v += w", name="synapses")
        i, j = np.nonzero(rng.random((6, 6)) < 0.5)
        synapses.connect(i=i, j=j)
        cells.v = rng.random(6)
        return Network(cells, synapses)

    for seed in (1, 2):
        snnplast.compile(functools.partial(make, seed), seed=seed).close()
    assert len(keys) == 2 and len(set(keys)) == 1


@pytest.mark.slow
def test_what_brian2_draws_while_making_is_the_same_in_a_clone():
    def make():
        cells = NeuronGroup(20, "v : 1", name="cells")
        synapses = Synapses(cells, cells, "w : 1", name="synapses")
        synapses.connect(p=0.3)
        synapses.w = "rand()"
        return Network(cells, synapses)

    with snnplast.compile(make, seed=5) as net, net.clone() as twin, snnplast.compile(make, seed=6) as other:
        assert 60 < len(net["synapses.w"]) < 180
        assert_same({n: net[n] for n in net.names}, {n: twin[n] for n in net.names})
        assert not np.array_equal(net["synapses.w"], other["synapses.w"])


@b2.implementation("cpp", "double doubled(double x) { return 2*x; }")
@b2.check_units(x=1, result=1)
def doubled(x):
    raise NotImplementedError


@pytest.mark.slow
def test_a_function_with_a_c_implementation_is_called():
    def make():
        cells = NeuronGroup(1, "v : 1", name="cells")
        cells.v = 1
        cells.run_regularly("v = doubled(v)")
        return Network(cells)

    with snnplast.compile(make) as net:
        net.run(0.3 * ms)
        assert net["cells.v"][0] == 8.0


@b2.check_units(x=1, result=1)
def in_python(x):
    return x


@b2.implementation("cpp", "double linked(double x) { return x; }", libraries=["m"])
@b2.check_units(x=1, result=1)
def linked(x):
    return x


def calling(name):
    cells = NeuronGroup(1, f"dv/dt = {name}(v)/ms : 1", method="euler", name="cells")
    return Network(cells)


def operation():
    @b2.network_operation(name="look")
    def look():
        pass

    return Network(NeuronGroup(1, "v : 1"), look)


def from_outside():
    cells = NeuronGroup(2, "v : 1", name="cells")
    synapses = Synapses(OUTSIDE, cells, on_pre="v += 1", name="synapses")
    synapses.connect(i=[0], j=[1])
    return Network(cells, synapses)


def running():
    network = leaky(3)
    network.run(1 * ms)
    return network


def reseeding():
    b2.seed()
    return leaky(3)


def counting():
    cells = NeuronGroup(5, "v : 1", name="cells")
    synapses = Synapses(cells, cells, "w : 1", name="synapses")
    synapses.connect(p=0.5)
    synapses.w = np.ones(len(synapses))
    return Network(cells, synapses)


def choosing():
    b2.set_device("runtime")
    return leaky(3)


def beyond():
    cells = NeuronGroup(5, "v : 1", name="cells")
    synapses = Synapses(cells, cells, "w : 1", name="synapses")
    synapses.connect("i == j")
    return Network(cells, synapses, StateMonitor(synapses, "w", record=[0, 5], name="weights"))


def with_gsl():
    return Network(NeuronGroup(1, "dv/dt = -v/ms : 1", method="gsl_rk4", name="cells"))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (3, "make_network must be a function that makes a network, not 3"),
        (lambda: None, r"must return a brian2.Network, such as Network\(collect\(\)\), not None"),
        (lambda: OUTER_NETWORK, "the network .* was made outside make_network"),
        (lambda: Network(OUTSIDE), "'outside' was made outside make_network; all objects of a network must be made"),
        (from_outside, "'synapses' uses 'outside', which was made outside make_network"),
        (lambda: Network(), "is empty"),
        (operation, "the network operation 'look' is Python code, .* run_regularly with Brian2 code"),
        (
            functools.partial(calling, "in_python"),
            "calls the Python function 'in_python', which has no C",
        ),
        (functools.partial(calling, "linked"), "implementation of 'linked', which 'cells' calls, asks for libraries"),
        (nameless, r'refuses \'cells\': The identifier "unknown_tau" could not be resolved; it can be given in names'),
        (running, "make_network runs 'network' itself"),
        (reseeding, r"calls seed\(\) without a number"),
        (counting, r"asks at test_brian_network.py:\d+ for what exists only in the running network"),
        (choosing, "chooses a Brian2 device itself"),
        (beyond, "'weights' records synapse 5 of 'synapses', which has 5 of them"),
        (with_gsl, "'cells' is integrated by method 'gsl_rk4'"),
    ],
)
def test_what_cannot_be_compiled_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(UserError, match=f"^compile: .*{sentence}"):
        snnplast.compile(make)
    assert isinstance(b2.get_device(), type(b2.all_devices["runtime"]))


def test_a_mistake_of_the_functions_own_is_left_as_it_is():
    def make():
        cells = NeuronGroup(1, "v : volt", name="cells")
        cells.v = 3 * amp

    with pytest.raises(b2.DimensionMismatchError):
        snnplast.compile(make)
    with pytest.raises(ZeroDivisionError):
        snnplast.compile(lambda: 1 / 0)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, "1"])
def test_a_seed_is_a_number_of_32_bits(net, seed):
    for call in (lambda: snnplast.compile(noisy, seed=seed), lambda: net.reset(seed=seed)):
        with pytest.raises(UserError, match=r"seed = .* must be an integer of 0 to 4294967295"):
            call()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda n: n["cell.v"], "unknown variable 'cell.v': did you mean 'cells.v'"),
        (lambda n: n["cells.tau"], "unknown variable 'cells.tau'"),
        (lambda n: n.run(10), r"the duration must be a time such as 100\*ms, not 10"),
        (lambda n: n.run(10 * mV), r"the duration must be a time such as 100\*ms, not 10. mV|must be a time"),
        (lambda n: n.run([1, 2] * ms), "must be a time"),
        (lambda n: n.run(-1 * ms), "must be a finite time of at least 0 s"),
        (lambda n: n.run(np.inf * ms), "must be a finite time"),
        (
            lambda n: n.run(0.25 * ms),
            "the duration = 0.25 ms is no multiple of the time step, 0.1 ms; 0.2 and 0.3",
        ),
        (lambda n: n.spikes("synapses"), "unknown spike monitor 'synapses'.*a SpikeMonitor made in make_network"),
        (lambda n: n.set_spikes("cells", [1] * ms, [0]), "unknown spike generator 'cells'"),
        (lambda n: n.set_spikes("generator", [1.0], [0]), r"times must be Brian2 times such as \[1, 2\]\*ms"),
        (lambda n: n.set_spikes("generator", [9, np.nan] * ms, [0, 1]), "times must be finite, not nan"),
        (lambda n: n.set_spikes("generator", [1] * ms, [0]), "step 10 is not in 20 to .*, earlier ones have passed"),
        (lambda n: n.set_spikes("generator", [9] * ms, [3]), "index 3 is not in 0 to 2"),
        (lambda n: n.set_spikes("generator", [9, 9.01] * ms, [1, 1]), "neuron 1 spikes twice in step 90"),
        (lambda n: n.reset(keep="cells.w"), "unknown variable 'cells.w'"),
        (lambda n: n.reset(keep="trace.v"), "'trace.v' cannot be kept, because it is not written to from outside"),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(net, call, sentence):
    expected = run(net)
    net.reset(seed=3)
    net.run(2 * ms)
    with pytest.raises(UserError, match=sentence):
        call(net)
    net.run(18 * ms)
    assert_same(recorded(net), expected)


def test_a_group_that_two_monitors_record_is_asked_for_by_one_of_them():
    def make():
        cells = NeuronGroup(1, "v : 1", threshold="v > 1", name="cells")
        return Network(cells, SpikeMonitor(cells, name="one"), SpikeMonitor(cells, name="two"))

    with snnplast.compile(make) as net:
        assert net.spikes("two")[0].size == 0
        with pytest.raises(UserError, match="'cells' is recorded by one, two; the name of one of them is needed"):
            net.spikes("cells")


def test_writing_through_a_brian2_object_raises():
    objects = []

    def make():
        network = noisy()
        objects.extend(network.objects)
        return network

    with snnplast.compile(make):
        cells = next(obj for obj in objects if obj.name == "cells")
        with pytest.raises(UserError, match=r"read and write through net\['object.variable'\]"):
            cells.drive = 3
