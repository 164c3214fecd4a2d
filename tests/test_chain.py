"""A neuron's linearised step run backwards is its eligibility traces run forwards, and the kernel is the numpy form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snnplast.engine import compiler_available
from snnplast.learning.chain import POINTS, ByParameter, Chain, Variable, run_back
from snnplast.learning.gradient import adjoint_sweep, chain_sweep, modulation
from snnplast.learning.signals import Signal
from snnplast.network.projection import Wiring

T, N = 40, 37  # more neurons than the kernel holds in one block
KINDS = ["full", "no-diagonal", "sparse"]
COMPILED = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")
EVALUATIONS = [False, pytest.param(True, marks=COMPILED)]
CHAINS = [(d, k) for d in (1, 2, 3, 4) for k in range(3)]


def values(random, scale):
    """Constant or from step to step."""
    return scale * random.standard_normal((T, N) if random.random() < 0.5 else N)


def entries(random, d, rows, density=0.6):
    pattern = random.random((d, d)) < density
    return [(x, y, values(random, 0.5)) for x in rows for y in range(d) if pattern[x, y]]


def vector(random, d, density=0.7):
    return [(x, values(random, 0.4)) for x in range(d) if random.random() < density]


def some_chain(d, seed):
    """A random pattern; seed 0 has neither updates, reset nor kicks."""
    random = np.random.default_rng([d, seed])
    flow = entries(random, d, range(d)) + [(x, x, values(random, 0.3)) for x in range(d)]  # two add up
    slope = [(x, values(random, 1.0)) for x in states_written(d)] + vector(random, d)
    if seed == 0:
        return Chain(d, flow, slope)
    updated, written = frozenset(range(0, d, 2)), frozenset(range(d - 1, d))
    return Chain(
        d,
        flow,
        slope,
        updates=entries(random, d, updated) + [(x, x, values(random, 0.5)) for x in updated],
        reset=entries(random, d, written),
        kicks=[(0, values(random, 0.3)), *vector(random, d)],
        updated_rows=updated,
        reset_rows=written,
        spiked=None if seed == 3 else random.random((T, N)) < 0.2,
    )


def some_parameters(d):
    random = np.random.default_rng([d, 99])
    everywhere = ByParameter(
        values(random, 1.0),
        *(vector(random, d, 1.0) for _ in range(3)),
        [(x, random.standard_normal(N)) for x in range(d)],
    )
    return [everywhere, ByParameter(flow=vector(random, d, 1.0)), ByParameter(), ByParameter(slope=values(random, 1.0))]


def some_psi():
    return np.random.default_rng(5).random((T, N)) * 0.5


def signals(which="all"):
    random = np.random.default_rng(7)
    several = {
        "filtered": Signal(random.standard_normal((T, N)), "step", 0.9),
        "plain": Signal(random.standard_normal((T, N)), "step"),
        "broadcast": Signal(
            random.standard_normal((T, 3)), "step", np.array([0.5, 0.8, 0.95]), random.standard_normal((3, N))
        ),
        "unfiltered broadcast": Signal(random.standard_normal((T, 2)), "step", None, random.standard_normal((2, N))),
        "trial": Signal(random.standard_normal(N), "trial"),
        "another trial": Signal(random.standard_normal(N), "trial"),
    }
    return list(several.values()) if which == "all" else [several[which]]


def wiring(kind, n_pre=N, longest=0):
    random, connected = np.random.default_rng(3), np.ones((n_pre, N), bool)
    if kind == "no-diagonal":
        np.fill_diagonal(connected, False)
    elif kind == "sparse":
        connected = random.random((n_pre, N)) < 0.3
    pre, post = np.nonzero(connected)
    delays = random.integers(0, longest + 1, pre.size) if longest else None
    result = Wiring.of(pre, post, (n_pre, N), delays)
    assert result.layout == kind
    return result


def spikes(n_pre=N, seed=1):
    """About one in ten steps, the last step always."""
    x = np.random.default_rng(seed).random((T, n_pre)) < 0.1
    x[-1] = True
    return np.nonzero(x)


def projections(d, longest=0, kinds=KINDS):
    """Of every layout onto the first and the last state."""
    random = np.random.default_rng(11)
    return [
        (wiring(kind, N, longest), spikes(N, k), k % 3, k % min(d, 2), random.uniform(0.5, 2, N))
        for k, kind in enumerate(2 * kinds)
    ]


def states_written(d):
    return [0] if d == 1 else [0, d - 1]


def variables(d, point="before threshold"):
    """The first state, and where there is another, the last one, behind a gate."""
    gate = (np.random.default_rng(13).random((T, N)) < 0.8).astype(float)
    return [Variable(x, gate if x else None, point) for x in states_written(d)]


def close(found, expected, tolerance):
    assert np.any(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def matrices(listed, d, replaced=None):
    """(T, N, d, d) of entries: unit rows where none are replaced."""
    result = np.zeros((T, N, d, d))
    result[:] = np.eye(d)
    for row in range(d) if replaced is None else replaced:
        result[:, :, row] = 0
    for row, column, entry in listed:
        result[:, :, row, column] += entry
    return result


def vectors(listed, d):
    result = np.zeros((T, N, d))
    for row, entry in listed:
        result[:, :, row] += entry
    return result


def forward(chain, psi, total, added, by=None, point="before threshold"):
    """sum_t C^t e^t, (n_pre, N), e = psi g . eps, of traces eps that a step's arrivals `added` (T, n_pre, N, d) start.

    eps = U P eps before the spike, R eps + k e after it, with the arrivals added at a point. by: of a parameter that
    acts in every step instead.
    """
    early, now, late = (
        added if point == at else 0 * added for at in ("before flow", "before threshold", "before reset")
    )
    d = chain.size
    P, U = matrices(chain.flow, d), matrices(chain.updates, d, chain.updated_rows)
    R = matrices(chain.reset, d, chain.reset_rows)
    spiked = np.ones((T, N)) if chain.spiked is None else chain.spiked.astype(float)
    g, k = vectors(chain.slope, d), vectors(chain.kicks, d)
    of = {name: vectors(getattr(by, name) if by else (), d) for name in ("flow", "updates", "reset")}
    direct = np.zeros((T, N)) if by is None or by.slope is None else np.broadcast_to(by.slope, (T, N))
    eps, result = np.zeros(added.shape[1:]), 0.0
    for x, start in by.initial if by else ():
        eps[..., x] += start
    for t in range(T):
        eps = np.einsum("nxy,iny->inx", P[t], eps + early[t]) + of["flow"][t] + now[t]
        eps = np.einsum("nxy,iny->inx", U[t], eps) + of["updates"][t]
        e = psi[t] * (np.einsum("nx,inx->in", g[t], eps) + direct[t])
        result = result + total[t] * e
        eps = eps + late[t]
        after = np.einsum("nxy,iny->inx", R[t], eps) + of["reset"][t]
        eps = np.where(spiked[t][:, None] > 0, after, eps) + k[t] * e[..., None]
    return result


def arrivals(chain, variable, wires, events, latency, gain):
    """What a unit weight of each pair adds to the states: (T, n_pre, N, d)."""
    added = np.zeros((T, *wires.shape, chain.size))
    gate = np.ones((T, N)) if variable.gate is None else variable.gate
    delays = wires.delays if wires.delays is not None else np.zeros(wires.pre.size, int)
    for step, source in zip(*events, strict=True):
        own = slice(wires.starts[source], wires.starts[source + 1])
        arrival, post = step + latency + delays[own], wires.post[own]
        kept = arrival < T
        added[arrival[kept], source, post[kept], variable.state] += gain[post[kept]] * gate[arrival[kept], post[kept]]
    return added


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("compiled", EVALUATIONS)
@pytest.mark.parametrize("d, seed", CHAINS)
def test_the_adjoint_is_the_sum_over_forward_traces_of_each_synapse(d, seed, compiled, point):
    chain, psi, into = some_chain(d, seed), some_psi(), variables(d, point)
    n_pre, latency = 6, 1
    gain, wires, events = np.random.default_rng(2).uniform(0.5, 2, N), wiring("sparse", n_pre, 4), spikes(n_pre)
    total = np.broadcast_to(modulation(signals()), (T, N))
    for k, x in enumerate(into):
        listed = [(wires, events, latency, k, gain)]
        (found,), _ = chain_sweep(chain, psi, signals(), into, listed, compiled)
        traces = forward(chain, psi, total, arrivals(chain, x, wires, events, latency, gain), point=point)
        close(found, traces[wires.pre, wires.post], 1e-12)


@pytest.mark.parametrize("d, seed", CHAINS)
def test_the_derivative_by_a_parameter_is_the_trace_that_it_starts_in_every_step(d, seed):
    chain, psi, parameters = some_chain(d, seed), some_psi(), some_parameters(d)
    del parameters[2]  # on which nothing depends
    total = np.broadcast_to(modulation(signals()), (T, N))
    _, found = run_back(chain, psi, modulation(signals()), [Variable(0)], parameters)
    none = np.zeros((T, 1, N, d))
    for by, derivative in zip(parameters, found, strict=True):
        expected = forward(chain, psi, total, none, by)[0]
        close(derivative, expected, 1e-12)


@COMPILED
@pytest.mark.parametrize("longest", [0, 7, 2 * T])
@pytest.mark.parametrize("d, seed", [*CHAINS, (3, 3)])
def test_the_kernel_is_the_numpy_form(d, seed, longest):
    swept = some_chain(d, seed), some_psi(), signals(), variables(d), projections(d, longest)
    (expected, by), (found, found_by) = (chain_sweep(*swept, c, some_parameters(d)) for c in (False, True))
    for one, other in zip([*found, *found_by[:2], found_by[3]], [*expected, *by[:2], by[3]], strict=True):
        close(one, other, 1e-12)
    assert not np.any(found_by[2])


@COMPILED
def test_histories_in_single_precision_are_read_as_what_they_hold():
    """Those of a chain: psi, spikes, gates and everything that varies."""

    def found(precision):
        def told(array):
            return array if array is None else array.astype(np.float32).astype(precision)

        def listed(entries):
            return [(*places, told(values)) for *places, values in entries]

        chain, into = some_chain(3, 1), variables(3)
        names = "flow", "slope", "updates", "reset", "kicks"
        chain = replace(chain, spiked=told(chain.spiked), **{name: listed(getattr(chain, name)) for name in names})
        into = [replace(variable, gate=told(variable.gate)) for variable in into]
        return chain_sweep(chain, told(some_psi()), signals(), into, projections(3), True)[0]

    for one, other in zip(found(np.float32), found(np.float64), strict=True):
        assert np.any(one) and np.array_equal(one, other)


@COMPILED
@pytest.mark.parametrize("which", ["filtered", "plain", "broadcast", "unfiltered broadcast", "trial", "another trial"])
def test_the_kernel_reads_every_kind_of_signal(which):
    swept = some_chain(3, 1), some_psi(), signals(which), variables(3), projections(3)
    for one, other in zip(chain_sweep(*swept, True)[0], chain_sweep(*swept, False)[0], strict=True):
        close(one, other, 1e-12)


@COMPILED
@pytest.mark.parametrize("kinds", [[], ["full"], ["sparse"], ["sparse", "full"]])
def test_parameters_count_once_however_synapses_are_swept(kinds):
    swept = some_chain(2, 1), some_psi(), signals(), variables(2), projections(2, kinds=kinds)
    expected, found = (chain_sweep(*swept, compiled, some_parameters(2))[1] for compiled in (False, True))
    for k in (0, 1, 3):
        close(found[k], expected[k], 1e-12)


@pytest.mark.parametrize("compiled", EVALUATIONS)
@pytest.mark.parametrize("adapting", [False, True])
def test_a_leaky_membrane_is_a_chain_of_one_and_an_adaptive_threshold_one_of_two(adapting, compiled):
    random = np.random.default_rng(4)
    decay, gain, beta, rho = (random.uniform(low, high, N) for low, high in [(0.6, 0.95), (0.5, 2), (0, 0.5), (0.8, 1)])
    flow, slope, kicks = [(0, 0, decay)], [(0, np.ones(N))], []
    if adapting:  # the trace of the threshold grows by e after the step: eps' = rho (eps + e / rho)
        flow, slope, kicks = [*flow, (1, 1, rho)], [*slope, (1, -beta)], [(1, 1 / rho)]
    chain = Chain(2 if adapting else 1, flow, slope, kicks=kicks)
    listed = [(wiring(kind, N, longest), spikes(), 1) for kind in KINDS for longest in (0, 5)]
    adaptation = (beta, rho) if adapting else None
    expected = adjoint_sweep(some_psi(), signals(), T, decay, gain, listed, compiled, adaptation)
    found, _ = chain_sweep(chain, some_psi(), signals(), [Variable(0)], [(*p, 0, gain) for p in listed], compiled)
    for one, other in zip(found, expected, strict=True):
        close(one, other, 1e-13)


@COMPILED
def test_values_of_another_shape_are_refused():
    chain = Chain(1, [(0, 0, np.ones((T, 1)))], [(0, np.ones(N))])
    with pytest.raises(ValueError, match=rf"values \({T}, 1\): the shape \({N},\) or \({T}, {N}\) is needed"):
        chain_sweep(chain, some_psi(), signals(), [Variable(0)], [], True)
