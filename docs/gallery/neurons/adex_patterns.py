r"""
AdEx: eight firing patterns
===========================

The adaptive exponential neuron answers a step of current with the patterns of Naud et al. (2008): one population, one
neuron for each pattern, all parameters arrays.

.. mathmpl::

    C \dot V = -g_L (V - E_L) + g_L \Delta_T\, e^{(V - V_T)/\Delta_T} - w + I, \qquad
    {} \tau_w \dot w = a (V - E_L) - w, \qquad w \leftarrow w + b \text{ at a spike}
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# ``AdEx.patterns`` has the settings by name. Nothing is asked of the neurons: a free run of 400 ms, of which membranes
# are recorded. Since an experiment needs something that learns, there is a source that never spikes.

names = list(snn.AdEx.patterns)
values = {field: [snn.AdEx.patterns[name][field] for name in names] for field in snn.AdEx.patterns[names[0]]}
net = snn.Network(dt="0.05 ms")
net.add("neurons", snn.AdEx(len(names), V_cut="0 mV", **values))
net.add("silent", snn.PoissonSource(1))
net.connect("silent", "neurons", weights=0.0, bounds=(0, 1), plastic=True)

experiment = snn.Experiment(
    net,
    snn.FreeRun("400 ms", piece="400 ms", inputs={"silent": [0.0]}),
    snn.STDP(),
    epochs=1,
    record=snn.Recording(path="", spikes="neurons", variables="neurons.v"),
)
run = snn.train(experiment, progress=False)
membranes = 1e3 * run.state("neurons/v")
times, neurons = run.spikes("neurons")

# %%
time = 0.05 * np.arange(len(membranes))
figure, axes = plt.subplots(4, 2, figsize=(8, 6.4), sharex=True, sharey=True)
for k, (axis, name) in enumerate(zip(axes.flat, names, strict=True)):
    v = membranes[:, k].copy()
    v[np.rint(times[neurons == k] / 0.05).astype(int)] = 20  # the spike itself, which the reset has taken away
    axis.plot(time, v, color="k", linewidth=0.8)
    axis.set_title(f"{name}, {values['I_ext'][k]}", fontsize=9)
for axis in axes[-1]:
    axis.set_xlabel("time (ms)")
for axis in axes[:, 0]:
    axis.set_ylabel("$V$ (mV)")
plt.show()
