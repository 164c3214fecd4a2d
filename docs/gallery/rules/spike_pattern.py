r"""
SuperSpike: a neuron learns when to spike
=========================================

One neuron hears the same Poisson spikes of 100 inputs in every trial, and learns to answer with five spikes at equal
intervals (Zenke & Ganguli 2018). What it should do is a spike train, not a rate: the loss is the distance of the two
trains, each filtered with a double exponential :mathmpl:`\alpha`,

.. mathmpl::

    E = \frac{1}{2} \sum_t \left((\alpha * S)^t - (\alpha * S^*)^t\right)^2, \qquad
    {} \psi_j = \left(1 + |v_j - \vartheta| / \text{width}\right)^{-2}
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# 600 trials of 500 ms in steps of 0.1 ms. Of every tenth one the neuron's spikes are kept.

experiment = snn.Experiment.of("spike-pattern", "train.iterations=600", "record.path=")
losses, rows = [], []
with snn.open(experiment) as sim:
    for iteration in range(600):
        step = sim.update()
        losses.append(step.metrics["loss"])
        if iteration % 10 == 0:
            times = step.trials[0].spikes["output"][0] * 0.1
            rows.append(times.copy())
    record = sim.trial(0)
    said, wanted = record.activity("filtered")[:, 0], record.target("filtered")[:, 0]
print(f"loss {losses[0]:.2g} at first, {losses[-1]:.2g} in the end")

# %%
figure, axes = plt.subplots(3, 1, figsize=(6.4, 6), height_ratios=(1.6, 1, 1))
axes[0].eventplot(rows, lineoffsets=10 * np.arange(len(rows)), linelengths=8, color="k")
axes[0].set(ylabel="trial", xlabel="time (ms)", xlim=(0, 500), title="spikes of the neuron")
time = np.arange(said.size) * 0.1
axes[1].plot(time, wanted, color="C1", linewidth=2.5, alpha=0.6, label=r"$\alpha * S^*$, wanted")
axes[1].plot(time, said, color="k", linewidth=1, label=r"$\alpha * S$, last trial")
axes[1].set(xlabel="time (ms)", ylabel="filtered spikes", xlim=(0, 500), ylim=(0, 1.7 * wanted.max()))
axes[1].legend(ncols=2, loc="upper right")
axes[2].semilogy(losses, ".", color="k", markersize=2)
axes[2].set(xlabel="trial", ylabel="loss", ylim=(1e-6, 1e-1))
plt.show()
