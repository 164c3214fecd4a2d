r"""
Inhibition learns to balance excitation
=======================================

A recurrent network of conductance-based neurons whose inhibitory synapses onto excitatory cells begin at zero. Each
cell's inhibition grows until the cell fires at a target rate :mathmpl:`\rho_0` (Vogels et al. 2011):

.. mathmpl::

    \text{at an arrival:}\; \Delta w_{ji} = \eta\,(y_j - 2 \rho_0 \tau), \qquad
    {} \text{at a spike of } j:\; \Delta w_{ji} = \eta\, x_i
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# 800 excitatory and 200 inhibitory cells, connected with probability 0.2; weights are conductances in units of the
# leak. A resting potential above the threshold stands for a constant current. There are no trials: ``FreeRun`` is one
# run of 20 s, in pieces of 1 s, which go on from each other.

net = snn.Network(dt="0.1 ms")
cells = {"E_L": "-40 mV", "refractory": "5 ms"}
net.add("excitatory", snn.COBA(800, **cells))
net.add("inhibitory", snn.COBA(200, **cells))
sparse = {"connectivity": snn.Probability(0.2)}
for population in ("excitatory", "inhibitory"):
    net.connect("excitatory", population, weights=0.3, **sparse)
net.connect("inhibitory", "inhibitory", into="gi", weights=3.0, **sparse)
net.connect("inhibitory", "excitatory", into="gi", weights=0.0, bounds=(0, None), plastic=True, **sparse)

rule = snn.VogelsInhibitory(eta=0.1, rho_0="5 Hz", tau="20 ms")
task = snn.FreeRun("20 s", piece="1 s")

# %%
# What happens in each second, and the weights in the end.

seconds = []
with snn.open(snn.Experiment(net, task, rule, epochs=1, seed=1)) as sim:
    for _ in range(task.epoch):
        steps, neurons = sim.update().trials[0].spikes["excitatory"]
        seconds.append((steps * 0.1, neurons))  # ms
    weights = sim.weights["inhibitory_to_excitatory"].copy()

rates = [times.size / 800 for times, _ in seconds]
print(f"rate of excitatory cells: {rates[0]:.1f} Hz in the first second, {rates[-1]:.1f} Hz in the last")
print(f"inhibitory weights: {weights.mean():.1f} +- {weights.std():.1f}")

# %%
figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.2), width_ratios=(1, 1, 1.1))
for axis, (times, neurons), title in zip(
    axes, (seconds[0], seconds[-1]), ("first 200 ms", "last 200 ms"), strict=False
):
    since = times - (0 if title.startswith("first") else 800)
    shown = (neurons < 150) & (since >= 0) & (since < 200)
    axis.plot(since[shown], neurons[shown], "|", color="k", markersize=2.5)
    axis.set(xlabel="time (ms)", title=title, xlim=(0, 200))
axes[0].set_ylabel("excitatory cell")
axes[2].plot(np.arange(1, len(rates) + 1), rates, label="network")
axes[2].axhline(5, color="C1", linestyle="--", label=r"target $\rho_0$")
axes[2].set(xlabel="time (s)", ylabel="rate (Hz)", ylim=(0, None), title="mean rate")
axes[2].legend()
plt.show()
