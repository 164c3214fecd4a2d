"""
A plain Brian2 network in process
=================================

``snnplast.compile`` takes any Brian2 network, as it is, and drives Brian2's own generated C++ inside this Python
process. A sweep over a parameter is then a loop over ``run``: nothing is written, compiled or started again. Here: the
CUBA network of Vogels & Abbott (2005), and how it depends on the strength of inhibition.
"""

import time

import brian2 as b2
import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# Brian2's example, in a function that returns the network.


def make():
    taum, taue, taui = 20 * b2.ms, 5 * b2.ms, 10 * b2.ms
    Vt, Vr, El = -50 * b2.mV, -60 * b2.mV, -49 * b2.mV
    equations = """
    dv/dt  = (ge + gi - (v - El))/taum : volt (unless refractory)
    dge/dt = -ge/taue : volt
    dgi/dt = -gi/taui : volt
    inhibition : volt (shared, constant)
    """
    cells = b2.NeuronGroup(
        2000, equations, threshold="v > Vt", reset="v = Vr", refractory=5 * b2.ms, method="exact", name="cells",
        namespace={"taum": taum, "taue": taue, "taui": taui, "Vt": Vt, "Vr": Vr, "El": El},
    )  # fmt: skip
    rng = np.random.default_rng(1)
    cells.v = Vr + rng.random(2000) * (Vt - Vr)
    cells.inhibition = 9 * 20 * 4.5 / 50 * b2.mV
    excitatory = b2.Synapses(cells, cells, on_pre="ge_post += 3.24*mV", name="excitatory")
    inhibitory = b2.Synapses(cells, cells, on_pre="gi_post -= inhibition_post", name="inhibitory")
    i, j = np.nonzero(rng.random((2000, 2000)) < 0.02)
    excitatory.connect(i=i[i < 1600], j=j[i < 1600])
    inhibitory.connect(i=i[i >= 1600], j=j[i >= 1600])
    return b2.Network(cells, excitatory, inhibitory, b2.SpikeMonitor(cells, name="spikes"))


# %%
# Compiled once, or found in the cache. ``net["cells.inhibition"]`` is a live view in SI units.

strengths = np.linspace(2, 40, 20)  # mV
net = snn.compile(make, seed=1)
started = time.perf_counter()
rates, rasters = [], {}
for strength in strengths:
    net.reset()
    net["cells.inhibition"][:] = strength * 1e-3
    net.run(500 * b2.ms)
    times, indices = net.spikes("cells")
    rates.append(times.size / 2000 / 0.5)
    rasters[strength] = times, indices
elapsed = time.perf_counter() - started
print(f"{len(strengths)} runs of 500 ms took {elapsed:.1f} s, {elapsed / len(strengths):.3f} s each")

# %%
# The same network in Brian2 itself, here without a compiler, with the strength it was made with.

net.reset()
started = time.perf_counter()
net.run(200 * b2.ms)
ours = time.perf_counter() - started
times, indices = (values.copy() for values in net.spikes("cells"))
net.close()

b2.prefs.codegen.target = "numpy"
plain = make()
started = time.perf_counter()
plain.run(200 * b2.ms)
theirs = time.perf_counter() - started
monitor = plain["spikes"]
same = np.array_equal(indices, monitor.i) and np.array_equal(np.rint(times * 1e4), np.rint(np.asarray(monitor.t) * 1e4))
print(f"{times.size} spikes, the same in both: {same}")
print(f"200 ms took {ours:.3f} s, in Brian2 with numpy {theirs:.2f} s")

# %%
figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.2), width_ratios=(1, 1, 1.2))
for axis, strength in zip(axes, (strengths[1], strengths[-1]), strict=False):
    times, indices = rasters[strength]
    shown = (times < 0.3) & (indices < 400)
    axis.plot(1e3 * times[shown], indices[shown], ",", color="k")
    axis.set(xlabel="time (ms)", title=f"inhibition {strength:.0f} mV", xlim=(0, 300))
axes[0].set_ylabel("excitatory cell")
axes[2].plot(strengths, rates, "o-", markersize=4)
axes[2].set(xlabel="inhibition per spike (mV)", ylabel="mean rate (Hz)", ylim=(0, None))
plt.show()
