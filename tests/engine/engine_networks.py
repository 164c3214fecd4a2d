"""Small networks for the engine tests, built the way build.py builds: nothing is assigned, everything is named."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Clock, Network, NeuronGroup, SpikeGeneratorGroup, Synapses, ms

from snnplast.engine import BrianModel, compiler_available

needs_compiler = pytest.mark.skipif(not compiler_available(), reason="no C++ compiler on the PATH")

N_IN, N_HIDDEN, N_OUT = 10, 20, 2


def pairs(n: int, m: int, self_connections: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Sources and targets of all-to-all synapses, sorted by source, then target."""
    i, j = np.divmod(np.arange(n * m), m)
    keep = (i != j) | self_connections
    return i[keep], j[keep]


def sources(clock: Clock, n: int = N_IN, name: str = "inputs") -> SpikeGeneratorGroup:
    return SpikeGeneratorGroup(n, [0], [0 * ms], clock=clock, name=name)


def recurrent(seed: int = 1, p: float = 1.0) -> BrianModel:
    """Sources -> recurrent LIF with refractoriness -> leaky readout, which feeds back as a summed variable.

    The input synapses carry a trace, a custom event counts, one series target drives the hidden neurons.
    """
    clock = Clock(1 * ms, name="the_clock")
    inputs = sources(clock)
    hidden = NeuronGroup(
        N_HIDDEN,
        "v : 1\nalpha : 1 (constant, shared)\nx_in : 1\ntarget : 1\nfeedback : 1\ncount : 1",
        threshold="v > 1",
        reset="v -= 1",
        refractory=3 * ms,
        events={"crossed": "v > 0.5"},
        clock=clock,
        name="hidden",
    )
    hidden.run_on_event("crossed", "count += 1", when="after_thresholds")
    step = "v = alpha*v + x_in*int(not_refractory) + 0.1*target\nx_in = 0"
    hidden.run_regularly(step, when="groups", name="hidden_step", clock=clock)
    output = NeuronGroup(N_OUT, "y : 1\nkappa : 1 (constant, shared)\ny_in : 1", clock=clock, name="output")
    output.run_regularly("y = kappa*y + y_in\ny_in = 0", when="end", name="output_step", clock=clock)

    rng = np.random.default_rng(seed)

    def connect(source, target, name, code, model="w : 1", self_connections=True):
        synapses = Synapses(source, target, model, on_pre=code, clock=clock, name=name)
        i, j = pairs(len(source), len(target), self_connections)
        keep = rng.random(len(i)) < p
        synapses.connect(i=i[keep], j=j[keep])
        return synapses, int(keep.sum())

    code = "x_in_post += w\ntrace += 1"
    in_hidden, n_in_hidden = connect(inputs, hidden, "in_hidden", code, "w : 1\ntrace : 1")
    # Source -> population without latency: the spikes of this step arrive before the population's update.
    in_hidden.pre.when = "before_groups"
    inputs.when = "start"
    recurrence, n_recurrence = connect(hidden, hidden, "recurrence", "x_in_post += w", self_connections=False)
    readout, n_readout = connect(hidden, output, "readout", "y_in_post += w")
    back = Synapses(output, hidden, "b : 1\nfeedback_post = b*y_pre : 1 (summed)", clock=clock, name="back")
    i, j = pairs(N_OUT, N_HIDDEN)
    back.connect(i=i, j=j)
    return BrianModel(
        network=Network(inputs, hidden, output, in_hidden, recurrence, readout, back, name="net"),
        variables={
            **{f"hidden.{v}": hidden.variables[v] for v in ("v", "alpha", "x_in", "target", "count", "feedback")},
            **{f"output.{v}": output.variables[v] for v in ("y", "kappa")},
            "in_hidden.w": in_hidden.variables["w"],
            "in_hidden.trace": in_hidden.variables["trace"],
            "recurrence.w": recurrence.variables["w"],
            "readout.w": readout.variables["w"],
            "back.b": back.variables["b"],
        },
        sources={"inputs": inputs},
        spiking={"hidden": hidden},
        recorded=("hidden.v", "hidden.feedback", "output.y"),
        initial={
            "hidden.alpha": 0.9,
            "output.kappa": 0.95,
            "in_hidden.w": rng.normal(0.3, 0.2, n_in_hidden),
            "recurrence.w": rng.normal(0.0, 0.1, n_recurrence),
            "readout.w": rng.normal(0.0, 1.0, n_readout),
            "back.b": 0.5,
        },
        lasting=frozenset({"in_hidden.w", "recurrence.w", "readout.w", "back.b"}),
    )


def relay(delays: tuple[float, ...] | float = 0.0, latency: str = "start") -> BrianModel:
    """One source -> as many accumulators as there are delays (ms), all with weight 1. One number: a shared delay."""
    clock = Clock(1 * ms, name="the_clock")
    inputs = sources(clock, 1)
    n = len(delays) if isinstance(delays, tuple) else 3
    target = NeuronGroup(n, "v : 1", clock=clock, name="target")
    shared = {} if isinstance(delays, tuple) else {"delay": delays * ms}
    synapses = Synapses(inputs, target, "w : 1", on_pre="v_post += w", clock=clock, name="synapses", **shared)
    synapses.connect(i=np.zeros(n, int), j=np.arange(n))
    inputs.when = latency
    variables = {"target.v": target.variables["v"], "synapses.w": synapses.variables["w"]}
    initial = {"synapses.w": 1.0}
    if isinstance(delays, tuple):
        variables["synapses.delay"] = synapses.pre.variables["delay"]
        initial["synapses.delay"] = np.array(delays) * 1e-3
    return BrianModel(
        network=Network(inputs, target, synapses, name="net"),
        variables=variables,
        sources={"inputs": inputs},
        recorded=("target.v",),
        initial=initial,
        lasting=frozenset({"synapses.w"}),
    )


def spontaneous() -> BrianModel:
    """Two neurons that spike whenever they may: refractory for 3 ms. Nothing is recorded but spikes."""
    clock = Clock(1 * ms, name="the_clock")
    group = NeuronGroup(2, "v : 1 (constant)", threshold="v > 0", refractory=3 * ms, clock=clock, name="group")
    return BrianModel(
        network=Network(group, name="net"),
        variables={"group.v": group.variables["v"]},
        spiking={"group": group},
        initial={"group.v": np.array([1.0, 0.0])},
    )
