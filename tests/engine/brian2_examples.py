"""Networks of the kinds Brian2's documentation shows, small, each made by one function.

What is drawn while a network is made comes from numpy with a fixed seed, so that all ways of running it start from the
same numbers; what is drawn while it runs comes from Brian2's generator, after `seed`.
"""

# ruff: noqa: F841  (names that only equations use)

from __future__ import annotations

import brian2 as b2
import numpy as np
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    PopulationRateMonitor,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    ms,
    mV,
    nA,
    nS,
    pA,
    pF,
    second,
)


def pairs(rng: np.random.Generator, n: int, m: int, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Random connections."""
    return np.nonzero(rng.random((n, m)) < p)


def cuba() -> Network:
    """Balanced network with current-based synapses, excitatory and inhibitory subgroups (Vogels & Abbott 2005)."""
    rng = np.random.default_rng(1)
    taum, taue, taui = 20 * ms, 5 * ms, 10 * ms
    v_rest, v_reset, theta = -49 * mV, -60 * mV, -50 * mV
    equations = """
    dv/dt = (ge + gi - (v - v_rest))/taum : volt (unless refractory)
    dge/dt = -ge/taue : volt
    dgi/dt = -gi/taui : volt
    """
    cells = NeuronGroup(
        500, equations, threshold="v > theta", reset="v = v_reset", refractory=5 * ms, method="exact", name="cells"
    )
    cells.v = v_reset + rng.random(500) * (theta - v_reset)
    objects = [cells, SpikeMonitor(cells, name="spikes"), StateMonitor(cells, "v", record=[0, 7], name="trace")]
    for name, part, code in (("excite", cells[:400], "ge += 1.62*mV"), ("inhibit", cells[400:], "gi -= 9*mV")):
        synapses = Synapses(part, cells, on_pre=code, name=name)
        i, j = pairs(rng, len(part), 500, 0.1)
        synapses.connect(i=i, j=j)
        objects.append(synapses)
    return Network(*objects)


def coba() -> Network:
    """Balanced network with conductance-based synapses, integrated by exponential Euler."""
    rng = np.random.default_rng(2)
    taum, taue, taui = 20 * ms, 5 * ms, 10 * ms
    e_l, e_e, e_i = -60 * mV, 0 * mV, -80 * mV
    equations = """
    dv/dt = (ge*(e_e - v) + gi*(e_i - v) - (v - e_l) + drive)/taum : volt (unless refractory)
    dge/dt = -ge/taue : 1
    dgi/dt = -gi/taui : 1
    drive : volt (constant)
    """
    cells = NeuronGroup(
        400,
        equations,
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * ms,
        method="exponential_euler",
        name="cells",
    )
    cells.v = (-60 + 10 * rng.random(400)) * mV
    cells.drive = rng.uniform(8, 14, 400) * mV
    objects = [cells, SpikeMonitor(cells, name="spikes"), PopulationRateMonitor(cells, name="rate")]
    for name, part, code in (("excite", cells[:320], "ge += 0.3"), ("inhibit", cells[320:], "gi += 3.5")):
        synapses = Synapses(part, cells, on_pre=code, name=name)
        i, j = pairs(rng, len(part), 400, 0.08)
        synapses.connect(i=i, j=j)
        objects.append(synapses)
    return Network(*objects)


def hodgkin_huxley() -> Network:
    """Hodgkin-Huxley cells with conductance-based synapses: a threshold that is crossed, refractory by a condition."""
    rng = np.random.default_rng(3)
    c, gl, el = 200 * pF, 10 * nS, -60 * mV
    ek, ena, g_na, g_kd, vt = -90 * mV, 50 * mV, 20 * b2.uS, 6 * b2.uS, -63 * mV
    equations = """
    dv/dt = (gl*(el - v) + ge*(0*mV - v) + gi*(-80*mV - v) - g_na*m**3*h*(v - ena) - g_kd*n**4*(v - ek) + I)/c : volt
    dm/dt = alpha_m*(1 - m) - beta_m*m : 1
    dn/dt = alpha_n*(1 - n) - beta_n*n : 1
    dh/dt = alpha_h*(1 - h) - beta_h*h : 1
    dge/dt = -ge/(5*ms) : siemens
    dgi/dt = -gi/(10*ms) : siemens
    alpha_m = 0.32*4/mV/exprel((13*mV - v + vt)/(4*mV))*mV/ms : Hz
    beta_m = 0.28*5/mV/exprel((v - vt - 40*mV)/(5*mV))*mV/ms : Hz
    alpha_h = 0.128*exp((17*mV - v + vt)/(18*mV))/ms : Hz
    beta_h = 4./(1 + exp((40*mV - v + vt)/(5*mV)))/ms : Hz
    alpha_n = 0.032*5/mV/exprel((15*mV - v + vt)/(5*mV))*mV/ms : Hz
    beta_n = 0.5*exp((10*mV - v + vt)/(40*mV))/ms : Hz
    I : amp (constant)
    """
    cells = NeuronGroup(
        60, equations, threshold="v > -20*mV", refractory="v > -20*mV", method="exponential_euler", name="cells"
    )
    cells.v = el + (rng.standard_normal(60) * 5 - 5) * mV
    cells.ge = (rng.standard_normal(60) * 1.5 + 4) * 10 * nS
    cells.gi = (rng.standard_normal(60) * 12 + 20) * 10 * nS
    cells.I = rng.uniform(0.1, 0.7, 60) * nA
    objects = [cells, SpikeMonitor(cells, name="spikes"), StateMonitor(cells, "v", record=[1, 10], name="trace")]
    for name, part, code in (("excite", cells[:48], "ge += 6*nS"), ("inhibit", cells[48:], "gi += 67*nS")):
        synapses = Synapses(part, cells, on_pre=code, name=name)
        i, j = pairs(rng, len(part), 60, 0.2)
        synapses.connect(i=i, j=j)
        objects.append(synapses)
    return Network(*objects)


def stdp() -> Network:
    """Poisson input to one cell through synapses with spike-timing-dependent plasticity, event-driven traces."""
    rng = np.random.default_rng(4)
    taum, taue, taupre = 10 * ms, 5 * ms, 20 * ms
    gmax, dapre = 0.03, 0.01
    dapost = -dapre * 1.05
    inputs = PoissonGroup(300, rates=15 * Hz, name="inputs")
    cell = NeuronGroup(
        1,
        """
        dv/dt = (ge*(0*mV + 74*mV - v) + 10*mV - v)/taum : volt
        dge/dt = -ge/taue : 1
        """,
        threshold="v > 20*mV",
        reset="v = 0*mV",
        method="euler",
        name="cell",
    )
    synapses = Synapses(
        inputs,
        cell,
        """
        w : 1
        dApre/dt = -Apre/taupre : 1 (event-driven)
        dApost/dt = -Apost/taupre : 1 (event-driven)
        """,
        on_pre="""
        ge += w
        Apre += dapre*gmax
        w = clip(w + Apost, 0, gmax)
        """,
        on_post="""
        Apost += dapost*gmax
        w = clip(w + Apre, 0, gmax)
        """,
        name="synapses",
    )
    synapses.connect()
    synapses.w = rng.random(300) * gmax
    monitors = [
        SpikeMonitor(cell, name="spikes"),
        SpikeMonitor(inputs, name="arrivals"),
        StateMonitor(synapses, "w", record=[0, 1], dt=10 * ms, name="weights"),
    ]
    return Network(inputs, cell, synapses, *monitors)


def adaptive_threshold() -> Network:
    """A threshold that moves with each spike, and a monitor that keeps variables at spikes; random arrivals."""
    cells = NeuronGroup(
        20,
        """
        dv/dt = -v/(10*ms) : volt
        dvt/dt = (10*mV - vt)/(15*ms) : volt
        """,
        threshold="v > vt",
        reset="v = 0*mV; vt += 3*mV",
        method="exact",
        name="cells",
    )
    cells.vt = 10 * mV
    inputs = PoissonInput(cells, "v", 500, 1.9 * Hz, 2 * mV)
    return Network(cells, inputs, SpikeMonitor(cells, variables=["v", "vt"], name="spikes"))


def synfire_chain() -> Network:
    """A volley that travels from group to group (Diesmann et al. 1999): noise, one delay, connected by a rule."""
    n_groups, size = 6, 40
    taum, taus, vr = 10 * ms, 0.325 * ms, -70 * mV
    cells = NeuronGroup(
        n_groups * size,
        """
        dV/dt = (-(V - vr) + x)/taum : volt
        dx/dt = (y - x)/taus : volt
        dy/dt = (8*mV - y)/taus + (39.24*mV/ms**0.5)*xi : volt
        """,
        threshold="V > -55*mV",
        reset="V = vr",
        refractory=1 * ms,
        method="euler",
        name="cells",
    )
    cells.V = "vr + rand()*(-55*mV - vr)"
    volley = SpikeGeneratorGroup(
        size, np.arange(size), np.random.default_rng(6).normal(10, 0.5, size) * ms, name="volley"
    )
    chain = Synapses(cells, cells, on_pre="y += 12*mV", delay=5 * ms, name="chain")
    chain.connect(j="k for k in range((int(i/size) + 1)*size, (int(i/size) + 2)*size) if i < N_pre - size")
    start = Synapses(volley, cells[:size], on_pre="y += 12*mV", name="start")
    start.connect()
    return Network(cells, volley, chain, start, SpikeMonitor(cells, name="spikes"))


def frequency_current_curve() -> Network:
    """LIF cells that are driven ever more strongly."""
    tau = 10 * ms
    cells = NeuronGroup(
        200,
        "dv/dt = (v0 - v)/tau : volt (unless refractory)\nv0 : volt",
        threshold="v > 10*mV",
        reset="v = 0*mV",
        refractory=5 * ms,
        method="exact",
        name="cells",
    )
    cells.v0 = "20*mV*i/(N - 1)"
    return Network(cells, SpikeMonitor(cells, name="spikes"))


def brunel() -> Network:
    """Sparse inhibition with delays of each synapse's own (Brunel & Hakim 1999), driven by noise."""
    rng = np.random.default_rng(8)
    tau, theta, vr, sigma, mu = 20 * ms, 20 * mV, 10 * mV, 1 * mV, 25 * mV
    cells = NeuronGroup(
        400,
        "dV/dt = (-V + mu + sigma*sqrt(tau)*xi)/tau : volt",
        threshold="V > theta",
        reset="V = vr",
        refractory=2 * ms,
        method="euler",
        name="cells",
    )
    cells.V = vr
    synapses = Synapses(cells, cells, "w : volt", on_pre="V -= w", name="synapses")
    i, j = pairs(rng, 400, 400, 0.1)
    synapses.connect(i=i, j=j)
    synapses.delay = rng.uniform(1, 3, len(i)) * ms
    synapses.w = rng.uniform(0.2, 0.5, len(i)) * mV
    return Network(cells, synapses, SpikeMonitor(cells, name="spikes"), PopulationRateMonitor(cells, name="rate"))


def short_term_plasticity() -> Network:
    """Depressing and facilitating synapses (Tsodyks & Markram) onto one cell each, from spikes that are given."""
    rng = np.random.default_rng(9)
    tau_d, tau_f, tau_e, taum = 100 * ms, 10 * ms, 3 * ms, 20 * ms
    steps, indices = np.nonzero(rng.random((2000, 30)) < 0.004)
    inputs = SpikeGeneratorGroup(30, indices, steps * 0.1 * ms, name="inputs")
    cells = NeuronGroup(
        30,
        "dv/dt = (ge - v)/taum : 1\ndge/dt = -ge/tau_e : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        name="cells",
    )
    synapses = Synapses(
        inputs,
        cells,
        """
        U : 1
        w : 1
        dx/dt = (1 - x)/tau_d : 1 (event-driven)
        du/dt = (U - u)/tau_f : 1 (event-driven)
        """,
        on_pre="ge += w*u*x\nx *= 1 - u\nu += U*(1 - u)",
        name="synapses",
    )
    synapses.connect(j="i")
    synapses.w, synapses.U = 30.0, np.linspace(0.1, 0.7, 30)
    synapses.x, synapses.u = 1, np.linspace(0.1, 0.7, 30)
    return Network(inputs, cells, synapses, SpikeMonitor(cells, name="spikes"))


def ornstein_uhlenbeck() -> Network:
    """Coloured noise (xi), its reading into LIF cells, and a count of a custom event."""
    tau, tau_n = 10 * ms, 5 * ms
    cells = NeuronGroup(
        100,
        """
        dv/dt = (1 + x - v)/tau : 1
        dx/dt = -x/tau_n + 0.8*sqrt(2/tau_n)*xi : 1
        crossings : 1
        """,
        threshold="v > 1.3",
        reset="v = 0",
        events={"high": "x > 2"},
        method="euler",
        name="cells",
    )
    cells.run_on_event("high", "crossings += 1")
    watch = b2.EventMonitor(cells, "high", name="high")
    return Network(cells, SpikeMonitor(cells, name="spikes"), watch, StateMonitor(cells, "x", record=[3], name="trace"))


def bursting() -> Network:
    """Adaptive exponential cells (Brette & Gerstner 2005) that spike regularly, burst, or spike fast."""
    rng = np.random.default_rng(11)
    c, gl, el, vt, delta = 281 * pF, 30 * nS, -70.6 * mV, -50.4 * mV, 2 * mV
    cells = NeuronGroup(
        30,
        """
        dvm/dt = (gl*(el - vm) + gl*delta*exp((vm - vt)/delta) + I - w)/c : volt
        dw/dt = (a*(vm - el) - w)/tauw : amp
        I : amp (constant)
        a : siemens (constant)
        b : amp (constant)
        tauw : second (constant)
        vr : volt (constant)
        """,
        threshold="vm > vt + 5*delta",
        reset="vm = vr; w += b",
        method="rk2",
        name="cells",
    )
    cells.vm, cells.I = el, rng.uniform(0.7, 1.2, 30) * nA
    kind = np.arange(30) % 3
    cells.tauw = np.choose(kind, [144, 20, 144]) * ms
    cells.a = np.choose(kind, [4, 4, 2 * 281 / 144]) * nS
    cells.b = np.choose(kind, [80.5, 500, 0]) * pA
    cells.vr = np.choose(kind, [-70.6, -45.4, -70.6]) * mV
    return Network(
        cells, SpikeMonitor(cells, name="spikes"), StateMonitor(cells, ["vm", "w"], record=True, name="trace")
    )


def izhikevich() -> Network:
    """Izhikevich's (2003) network with thalamic noise from randn in code that runs once a millisecond."""
    rng = np.random.default_rng(12)
    cells = NeuronGroup(
        200,
        """
        dv/dt = (0.04/ms/mV)*v**2 + (5/ms)*v + 140*mV/ms - u + I : volt
        du/dt = a*(b*v - u) : volt/second
        I : volt/second
        a : Hz (constant)
        b : Hz (constant)
        c : volt (constant)
        d : volt/second (constant)
        """,
        threshold="v >= 30*mV",
        reset="v = c; u += d",
        method="euler",
        dt=0.5 * ms,
        name="cells",
    )
    inhibitory, r = np.arange(200) >= 160, rng.random(200)
    cells.a = np.where(inhibitory, 0.02 + 0.08 * r, 0.02) / ms
    cells.b = np.where(inhibitory, 0.25 - 0.05 * r, 0.2) / ms
    cells.c = np.where(inhibitory, -65, -65 + 15 * r**2) * mV
    cells.d = np.where(inhibitory, 2, 8 - 6 * r**2) * mV / ms
    cells.v = -65 * mV
    cells.u = "b*v"
    cells.run_regularly("I = randn()*(5*int(i < 160) + 2*int(i >= 160))*mV/ms", dt=1 * ms, when="start")
    synapses = Synapses(cells, cells, "w : volt", on_pre="v_post += w", dt=0.5 * ms, name="synapses")
    i, j = pairs(rng, 200, 200, 0.5)
    synapses.connect(i=i, j=j)
    synapses.w = np.where(i < 160, 2.5, -5) * rng.random(len(i)) * mV
    return Network(cells, synapses, SpikeMonitor(cells, name="spikes"))


def reliability() -> Network:
    """The same fluctuating current into cells with noise of their own (Mainen & Sejnowski): a TimedArray."""
    rng = np.random.default_rng(13)
    tau, x = 15 * ms, TimedArray(2.5 + 1.2 * rng.standard_normal(300), dt=1 * ms, name="current")
    cells = NeuronGroup(
        25,
        "dv/dt = (x(t) - v)/tau + 0.1*(2/tau)**0.5*xi : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory=3 * ms,
        method="euler",
        name="cells",
    )
    return Network(cells, SpikeMonitor(cells, name="spikes"))


def several_clocks() -> Network:
    """Slow and fast parts: clocks of 0.1, 0.25 and 1 ms, summed and linked variables, clock-driven synapses."""
    slow = NeuronGroup(4, "dy/dt = 0.2*(sin(2*pi*20*Hz*t + i) - y)/ms : 1", method="euler", dt=1 * ms, name="slow")
    fast = NeuronGroup(
        20,
        """
        dv/dt = (1.1 + y_slow + 0.2*total - v)/(10*ms) : 1
        total : 1
        y_slow : 1 (linked)
        """,
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        dt=0.1 * ms,
        name="fast",
    )
    fast.y_slow = b2.linked_var(slow, "y", index=np.arange(20) % 4)
    synapses = Synapses(
        fast,
        fast,
        """
        dg/dt = -g/(4*ms) : 1 (clock-driven)
        total_post = g : 1 (summed)
        """,
        on_pre="g += 0.1",
        method="exact",
        dt=0.25 * ms,
        name="synapses",
    )
    i = np.arange(20)
    synapses.connect(i=i, j=(i + 3) % 20)
    fast.v = np.linspace(0, 0.9, 20)
    return Network(
        slow,
        fast,
        synapses,
        SpikeMonitor(fast, name="spikes"),
        StateMonitor(slow, "y", record=True, name="trace"),
    )


EXAMPLES = {
    "CUBA": (cuba, 0.2 * second),
    "COBA": (coba, 0.2 * second),
    "COBA-HH": (hodgkin_huxley, 0.1 * second),
    "STDP": (stdp, 1 * second),
    "adaptive threshold": (adaptive_threshold, 0.5 * second),
    "synfire chain": (synfire_chain, 0.08 * second),
    "f-I curve": (frequency_current_curve, 0.5 * second),
    "Brunel-Hakim": (brunel, 0.3 * second),
    "short-term plasticity": (short_term_plasticity, 0.2 * second),
    "OU noise": (ornstein_uhlenbeck, 0.2 * second),
    "AdEx bursting": (bursting, 0.3 * second),
    "Izhikevich": (izhikevich, 0.5 * second),
    "reliability": (reliability, 0.3 * second),
    "several clocks": (several_clocks, 0.3 * second),
}
"""Name -> what makes the network, with a SpikeMonitor "spikes", and how long it is run."""
