r"""
e-prop's traces: evidence accumulation
======================================

Seven cues pass by on the left and on the right; after a second of delay the network is asked on which side there were
more (Bellec et al. 2020). Membranes forget within 20 ms. What bridges the delay are adaptive thresholds, with time
constants of 2 s, and the slow part of the eligibility trace that follows from them:

.. mathmpl::

    e_{ji}^t = \psi_j^t\,(\bar z_i^t - \beta\, \epsilon_{ji}^t), \qquad
    {} \epsilon_{ji}^{t+1} = \psi_j^t\, \bar z_i^t + (\rho - \psi_j^t \beta)\, \epsilon_{ji}^t
"""

import subprocess
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# One trial of the untrained network: spikes, surrogate derivative and learning signal are in its record.

experiment = snn.Experiment.of("evidence-accumulation", "record.path=")
with snn.open(experiment) as sim:
    record = sim.trial(0)
psi = record.kept("input_to_hidden", "post.psi")  # (steps, neurons)
steps, sources = record.spikes["input"]
print(record)

# %%
# The traces of a synapse follow from them, here as the equations have them. Of the adaptive neurons, the second half,
# we take the one whose surrogate derivative is largest, and of the inputs the one that fires most in the cues.

population = experiment.network.populations["hidden"]
adaptive = np.flatnonzero(np.broadcast_to(population.beta, population.size) > 0)
j = adaptive[psi[:, adaptive].sum(axis=0).argmax()]
i = np.bincount(sources[steps < 1050], minlength=40)[:20].argmax()
beta = np.broadcast_to(population.beta, population.size)[j]
kappa, rho = np.exp(-1 / 20), np.exp(-1 / 2000)  # decay per ms: of the membrane, of the threshold

z_bar, slow, eligibility = (np.zeros(record.steps) for _ in range(3))
z, epsilon = 0.0, 0.0
arrives = np.bincount(steps[sources == i], minlength=record.steps)
for t in range(record.steps):
    z = kappa * z + arrives[t]
    z_bar[t], slow[t] = z, beta * epsilon
    eligibility[t] = psi[t, j] * (z - beta * epsilon)
    epsilon = psi[t, j] * z + (rho - psi[t, j] * beta) * epsilon

# %%
figure, axes = plt.subplots(5, 1, sharex=True, figsize=(7.2, 6.8), height_ratios=(1.6, 1, 1, 1, 1))
names = ("left cues", "right cues", "recall", "background")
for k in range(4):
    of_group = (sources >= 10 * k) & (sources < 10 * k + 10)
    axes[0].plot(steps[of_group], sources[of_group], "|", color=f"C{k}", markersize=2)
axes[0].set(ylabel="input neuron", yticks=[5, 15, 25, 35], yticklabels=names)
axes[1].plot(psi[:, j], color="k", linewidth=0.6)
axes[1].set_ylabel(r"$\psi_j$")
axes[2].plot(z_bar, color="k", linewidth=0.8)
axes[2].set_ylabel(r"$\bar z_i$")
axes[3].plot(slow, color="C1")
axes[3].set_ylabel(r"$\beta\,\epsilon_{ji}$")
axes[4].plot(eligibility, color="C3", linewidth=0.6)
axes[4].set(ylabel="$e_{ji}$", xlabel="time (ms)", xlim=(0, record.steps))
for axis in axes:
    axis.axvspan(2100, 2250, color="0.92", zorder=0)  # what was seen is asked for here
axes[0].set_title(f"input {i}, adaptive neuron {j}; learning window in grey")
figure.align_ylabels()
plt.show()

# %%
# At recall, more than a second after the last cue, the input neuron of the cues is silent and :mathmpl:`\bar z` is
# zero; the slow part has kept what it did. The same picture of any trial of any model, with the traces that
# the simulation itself keeps, is one command: ``snnplast trial evidence-accumulation``.

with tempfile.TemporaryDirectory() as folder:
    command = "snnplast trial evidence-accumulation --set rules.e-prop.evaluation=online --output trial.png"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    image = plt.imread(Path(folder) / "trial.png")

figure, axis = plt.subplots(figsize=(8, 8 * image.shape[0] / image.shape[1]))
axis.imshow(image)
axis.set_axis_off()
plt.show()
