"""Our loops around Brian2's code give what Brian2's own loops give, bit by bit, whatever the connectivity.

Neither connectivity nor delays are compiled in, so that one pair of libraries serves all cases.
"""

from __future__ import annotations

import functools

import brian2
import numpy as np
import pytest
from brian2 import Clock, Network, NeuronGroup, Synapses, ms
from engine_networks import needs_compiler, pairs, recurrent, sources
from hypothesis import given, settings
from hypothesis import strategies as st

from snnplast.engine import BrianModel, internals, internals_cpp
from snnplast.engine.compiled import Blueprint, CompiledEngine, draw_up
from snnplast.engine.internals_cpp import EngineDevice

pytestmark = needs_compiler

N = 24
SUB = slice(5, 17)
PLASTIC = """
w : 1
dpre/dt = -pre/(20*ms) : 1 (event-driven)
dpost/dt = -post/(20*ms) : 1 (event-driven)
"""


def zoo(connections: dict[str, tuple[np.ndarray, np.ndarray]], delay_steps: dict[str, int | np.ndarray]) -> BrianModel:
    """One population and every kind of synapse: plastic both ways, writing to the source, two pathways, subgroups."""
    clock = Clock(1 * ms, name="the_clock")
    inputs = sources(clock)
    group = NeuronGroup(
        N,
        "dv/dt = (x - v)/(10*ms) : 1 (unless refractory)\nx : 1\nsent : 1",
        threshold="v > 0.3",
        reset="v = 0",
        refractory=2 * ms,
        method="exact",
        clock=clock,
        name="group",
    )
    group.run_regularly("x = 0.8*x", when="end", name="decay", clock=clock)
    part = group[SUB]
    kinds = {
        "drive": (inputs, group, "w : 1", "x_post += w", None),
        "plastic": (group, group, PLASTIC, "x_post += w\npre += 1\nw -= 0.01*post", "post += 1\nw += 0.01*pre"),
        "counting": (group, group, "w : 1", "sent_pre += w\nx_post += 0.1*w", None),
        "twofold": (group, group, "w : 1", {"one": "x_post += w", "two": "x_post -= 0.5*w*v_pre"}, None),
        "partial": (part, part, "w : 1", "x_post += w*v_pre", "w *= 0.99"),
    }
    rng = np.random.default_rng(3)
    objects, variables, initial = [inputs, group], {}, {}
    for name, (source, target, model, on_pre, on_post) in kinds.items():
        synapses = Synapses(source, target, model, on_pre=on_pre, on_post=on_post, clock=clock, name=name)
        i, j = connections[name]
        synapses.connect(i=i, j=j)
        variables[f"{name}.w"] = synapses.variables["w"]
        initial[f"{name}.w"] = rng.normal(0.1, 0.3, len(i))
        for path in synapses._pathways:
            variables[f"{path.name}.delay"] = path.variables["delay"]
            steps = np.resize(delay_steps.get(path.name, 0), len(i))
            initial[f"{path.name}.delay"] = steps * 1e-3
        objects.append(synapses)
    variables |= {f"group.{v}": group.variables[v] for v in ("v", "x", "sent")}
    return BrianModel(
        Network(*objects, name="net"),
        variables,
        sources={"inputs": inputs},
        spiking={"group": group},
        recorded=("group.v", "group.x"),
        initial=initial,
    )


def sizes(name):
    part = len(range(*SUB.indices(N)))
    return {"drive": (10, N), "partial": (part, part)}.get(name, (N, N))


NAMES = ("drive", "plastic", "counting", "twofold", "partial")
PATHS = ("drive_pre", "plastic_pre", "plastic_post", "counting_pre", "twofold_one", "twofold_two", "partial_pre")


def everywhere(pattern):
    return {name: pattern(*sizes(name)) for name in NAMES}


def some(n, m, p, seed=0):
    i, j = pairs(n, m)
    keep = np.random.default_rng(seed).random(len(i)) < p
    return i[keep], j[keep]


def permuted(n, m):
    i, j = pairs(n, m)
    order = np.random.default_rng(2).permutation(len(i))
    return i[order], j[order]


def sorted_by_target(n, m):
    j, i = pairs(m, n)
    return i, j


def doubled(n, m):
    i, j = pairs(n, m)
    return np.repeat(i, 2), np.repeat(j, 2)


def one_to_one(n, m):
    return np.arange(min(n, m)), np.arange(min(n, m))


def one_synapse(n, m):
    return np.array([n - 1]), np.array([m - 1])


PATTERNS = {
    "all": pairs,
    "no self-connections": functools.partial(pairs, self_connections=False),
    "three in ten": functools.partial(some, p=0.3),
    "nine in ten": functools.partial(some, p=0.9),
    "none but a few": functools.partial(some, p=0.02),
    "permuted": permuted,
    "sorted by target": sorted_by_target,
    "two synapses per pair": doubled,
    "one to one": one_to_one,
    "a single synapse": one_synapse,
}
DELAYS = {
    "no delay": {},
    "one delay": dict.fromkeys(PATHS, 3),
    "one delay per path": {name: k for k, name in enumerate(PATHS)},
    "one delay per synapse": {name: np.array([0, 3, 1, 1, 7, 2, 0]) for name in PATHS},
}


def record(plan: Blueprint, steps=150):
    engine = CompiledEngine(plan)
    rng = np.random.default_rng(4)
    for _ in range(2):  # twice, so that reset is compared as well
        engine.reset()
        engine.set_spikes("inputs", *np.nonzero(rng.random((steps, 10)) < 0.3))
        engine.steps(steps)
    values = {name: engine[name].copy() for name in plan.variables}
    values.update({name: rows.copy() for name, rows in engine.history.items()})
    values["spikes"] = np.array(engine.spikes(next(iter(set(plan.spiking) - set(plan.sources)))))
    return values


def assert_bitwise_equal(construct):
    own, stock = (record(draw_up(construct, EngineDevice(own))) for own in (True, False))
    assert own.keys() == stock.keys()
    for name in own:
        np.testing.assert_array_equal(own[name], stock[name], err_msg=name)
    return own


@pytest.mark.slow
@pytest.mark.parametrize("delays", DELAYS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_results_are_bitwise_those_of_brian2s_loops(pattern, delays):
    values = assert_bitwise_equal(lambda: zoo(everywhere(PATTERNS[pattern]), DELAYS[delays]))
    if pattern not in ("a single synapse", "none but a few"):
        assert values["spikes"].shape[1] > 50, "vacuous without spikes"
        assert np.ptp(values["plastic.w"]) > 0


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0), st.integers(0, 9), st.booleans())
def test_results_are_bitwise_those_of_brian2s_loops_for_random_connectivity(seed, p, longest_delay, shuffled):
    rng = np.random.default_rng(seed)

    def pattern(n, m):
        number = max(1, int(p * n * m))
        i, j = rng.integers(0, n, number), rng.integers(0, m, number)
        order = np.arange(number) if shuffled else np.lexsort((j, i))
        return i[order], j[order]

    connections = everywhere(pattern)
    delays = {name: rng.integers(0, longest_delay + 1, 50) for name in PATHS}
    assert_bitwise_equal(lambda: zoo(connections, delays))


def test_the_standard_network_is_bitwise_the_same():
    assert_bitwise_equal(recurrent)


def gated() -> BrianModel:
    """One population with all that a boolean may switch off: a surrogate, infinities, random numbers, remainders."""
    clock = Clock(1 * ms, name="the_clock")
    inputs = sources(clock)
    group = NeuronGroup(
        67,  # no whole number of vectors, nor of words of marks
        "dv/dt = (x - v)/(10*ms) : 1\nx : 1\npsi : 1\nclipped : 1\ninverse : 1\nsum : 1\nnoise : 1\nk : integer",
        threshold="v > 0.3",
        reset="v = 0",
        refractory="(2 + i % 3)*ms",
        method="exact",
        clock=clock,
        name="group",
    )
    code = """
    k += 1
    psi = int(not_refractory)*clip(1 - abs((v - 0.3)/0.3), 0, 1)
    clipped = clip(v/(v - 0.3*int(k > 2)), clip(v, 0.1, 0.5), 0.3)
    inverse = int(not_refractory)/v
    sum -= int(not_refractory)*v
    noise = int(not_refractory)*randn() + 5 % (1 + k*int(not_refractory))
    """
    group.run_regularly(code, when="before_thresholds", name="gates", clock=clock)
    synapses = Synapses(inputs, group, "w : 1", on_pre="x_post += w", clock=clock, name="synapses")
    synapses.connect(i=pairs(10, 67)[0], j=pairs(10, 67)[1])
    names = ("v", "x", "psi", "clipped", "inverse", "sum", "noise", "k")
    return BrianModel(
        Network(inputs, group, synapses, name="net"),
        {f"group.{v}": group.variables[v] for v in names} | {"synapses.w": synapses.variables["w"]},
        sources={"inputs": inputs},
        spiking={"group": group},
        recorded=tuple(f"group.{v}" for v in names),
        initial={"synapses.w": np.random.default_rng(3).normal(0.1, 0.3, 670)},
        seed=4,
    )


@pytest.mark.slow
def test_masks_are_bitwise_brian2s_branches():
    values = assert_bitwise_equal(gated)
    assert np.ptp(values["group.psi"]) > 0
    assert not np.isfinite(values["group.inverse"]).all() and (values["group.inverse"] == 0).any()
    assert values["spikes"].shape[1] > 50


def leaky() -> BrianModel:
    """Neurons that decay with a time constant they share."""
    clock = Clock(1 * ms, name="the_clock")
    equations = "dv/dt = -v/tau : 1\ntau : second (shared, constant)"
    group = NeuronGroup(3, equations, method="exact", clock=clock, name="group")
    names = {f"group.{v}": group.variables[v] for v in ("v", "tau")}
    return BrianModel(Network(group, name="net"), names, initial={"group.v": 1.0, "group.tau": 0.02})


@pytest.mark.slow
def test_an_exponential_that_is_kept_follows_its_time_constant():
    found = []
    for own in (True, False):
        engine = CompiledEngine(draw_up(leaky, EngineDevice(own)))
        for tau in (0.02, 0.02, 0.005, 0.02):
            engine["group.tau"][:] = tau
            engine.steps(2)
            found.append(engine["group.v"].copy())
    np.testing.assert_array_equal(found[:4], found[4:])
    np.testing.assert_allclose(found[3][0], np.exp(-0.3 - 0.4), rtol=1e-12)


@pytest.mark.parametrize(
    ("code", "masked"),
    [
        ("psi = int(not_refractory)*clip(1 - v, 0, 1)", True),
        ("psi += v*int(not_refractory)", True),
        ("psi = int(not_refractory)*randn()", False),
        ("psi = int(not_refractory)*(5 % k)", False),
        ("psi = v + int(not_refractory)", False),
        ("k = int(not_refractory)*k", False),
    ],
)
def test_only_what_is_zero_and_may_be_evaluated_in_vain_is_masked(code, masked):
    device = EngineDevice()
    with internals.private_brian(device, **internals_cpp.PREFERENCES):
        group = NeuronGroup(3, "v : 1\npsi : 1\nk : integer", threshold="v > 1", refractory=1 * ms, name="group")
        group.run_regularly(code, name="update")
        internals.prepare(Network(group, name="net"))
        (text,) = [str(c.code.cpp_file) for name, c in device.code_objects.items() if name.startswith("update")]
    assert ("snnplast::masked<double>(" in text) == masked


def test_generated_code_is_kept_as_brian2_writes_it():
    """Ours are loops, and masks for branches, only: the text of the model's code appears in both sets of sources."""
    with_own, stock = (draw_up(recurrent, EngineDevice(own)) for own in (True, False))
    assert with_own.image != stock.image
    assert with_own.variables == stock.variables


def test_brian2s_own_device_is_untouched_by_our_templates():
    from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject

    assert "snnplast" not in CPPStandaloneCodeObject.templater.synapses.template_source
    assert brian2.get_device() is brian2.all_devices["runtime"]
