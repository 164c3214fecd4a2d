r"""
Izhikevich's and GLIF neurons
=============================

Izhikevich's simple model in the five patterns of his paper (2003), and the five levels of the generalised LIF neurons
of the Allen Institute (Teeter et al. 2018), each with a step of current:

.. mathmpl::

    \dot v = (0.04 v^2 + 5 v + 140 - u + I)/\text{ms}, \qquad \dot u = a (b v - u), \qquad
    {} v \leftarrow c,\; u \leftarrow u + d \text{ at a spike}
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# A network of any neurons, simulated for 300 ms. An experiment needs something that learns: a source that never spikes.


def membranes(dt, **populations):
    """(time in ms, membranes in mV, with spikes drawn to 30 mV) of each population."""
    net = snn.Network(dt=f"{dt} ms")
    net.add("silent", snn.PoissonSource(1))
    for name, population in populations.items():
        net.add(name, population)
        net.connect("silent", name, weights=0.0, bounds=(0, 1), plastic=True)
    recording = snn.Recording(path="", spikes="neurons", variables=tuple(f"{name}.v" for name in populations))
    task = snn.FreeRun("300 ms", piece="300 ms", inputs={"silent": [0.0]})
    run = snn.train(snn.Experiment(net, task, snn.STDP(), epochs=1, record=recording), progress=False)
    for name in populations:
        v = 1e3 * run.state(f"{name}/v")
        times, neurons = run.spikes(name)
        v[np.rint(times / dt).astype(int), neurons] = 30
        yield dt * np.arange(len(v)), v


# %%
# Izhikevich's neurons are one population with arrays of parameters.

patterns = snn.Izhikevich.patterns
fields = {field: [pattern[field] for pattern in patterns.values()] for field in ("a", "b", "c", "d")}
((time, v),) = membranes(0.25, neurons=snn.Izhikevich(len(patterns), I_ext="10 mV", **fields))

figure, axes = plt.subplots(len(patterns), 1, figsize=(6.4, 6), sharex=True, sharey=True)
for axis, trace, name in zip(axes, v.T, patterns, strict=True):
    axis.plot(time, trace, color="k", linewidth=0.8)
    axis.set_title(name, fontsize=9)
axes[2].set_ylabel("$v$ (mV)")
axes[-1].set_xlabel("time (ms)")
plt.show()

# %%
# GLIF: a level is a setting, and each has the variables of its own equations only.

levels = {
    "LIF": 1,
    "reset rules": 2,
    "after-spike currents": 3,
    "both": 4,
    "both, and a threshold that follows the voltage": 5,
}
cells = {f"level{level}": snn.GLIF(1, level=level, I_ext="350 pA") for level in levels.values()}

figure, axes = plt.subplots(len(levels), 1, figsize=(6.4, 6), sharex=True, sharey=True)
for axis, (time, v), (name, level) in zip(axes, membranes(0.1, **cells), levels.items(), strict=True):
    axis.plot(time, v[:, 0], color="k", linewidth=0.8)
    axis.set_title(f"level {level}: {name}", fontsize=9)
axes[2].set_ylabel("$v$ (mV)")
axes[-1].set_xlabel("time (ms)")
plt.show()
