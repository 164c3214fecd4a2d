r"""
IB-Hebbian: one rule, six third factors
=======================================

The information-bottleneck Hebbian rule (Daruwalla & Lipasti 2024) changes weights once per sample by

.. mathmpl::

    \Delta w_{ji} = -\frac{\eta}{T}\, \xi_j \sum_t \psi_j^t\, \bar z_i^t,

where :mathmpl:`\xi` is the third factor of a layer. Everything else staying the same, what should it be? On digits,
with 30 hidden neurons and a readout that learns by the delta rule in each case:

- ``hsic``: gradient of the information-bottleneck objective over a window of 256 samples,
- ``class-memory``: what is remembered of every class, weighted by the readout's error,
- ``backprop``: gradient of the loss through the readout's weights, a control no neuron could know,
- ``readout-error``: that error through random weights,
- ``random``: noise through the same transforms,
- ``zero``: nothing, so that hidden weights stay as drawn.
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# Four epochs of each, with the settings of the model. ``spikes_per_trial`` is a metric of every run.

factors = ("backprop", "class-memory", "hsic", "readout-error", "random", "zero")
runs = {}
for factor in factors:
    settings = ("rule=ib-hebbian", f"rules.ib-hebbian.third_factor={factor}", "train.epochs=4", "record.path=")
    runs[factor] = snn.train(snn.Experiment.of("digits", *settings), progress=False)
    accuracy, spikes = (runs[factor].metrics[name][-1] for name in ("test_accuracy", "spikes_per_trial"))
    print(f"{factor:14} {100 * accuracy:.1f} %, {spikes:.0f} spikes per digit")

# %%
figure, axis = plt.subplots()
for factor, run in runs.items():
    accuracy = 100 * run.metrics["test_accuracy"]
    style = "o--" if factor in ("random", "zero") else "o-"
    axis.plot(np.arange(1, 5), accuracy, style, markersize=4, label=factor)
axis.set(xlabel="epoch", ylabel="test accuracy (%)", xticks=range(1, 5))
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %%
# What the layer makes of the test digits: its representation :mathmpl:`z`, two principal components, a colour per
# class.


def components(run, factor):
    settings = ("rule=ib-hebbian", f"rules.ib-hebbian.third_factor={factor}", "record.path=")
    experiment = snn.Experiment.of("digits", *settings)
    with snn.open(experiment, weights=run) as sim:
        records = (sim.test(k) for k in range(360))
        found = [(record.representation("hidden"), record.target("output")[-1].argmax()) for record in records]
    z, labels = map(np.array, zip(*found, strict=True))
    z = z - z.mean(axis=0)
    return z @ np.linalg.svd(z, full_matrices=False)[2][:2].T, labels


figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.0))
for axis, factor in zip(axes, ("zero", "hsic", "class-memory"), strict=True):
    places, labels = components(runs[factor], factor)
    axis.scatter(*places.T, c=labels, cmap="tab10", s=8)
    axis.set(xlabel="first component", title=factor, xticks=[], yticks=[])
axes[0].set_ylabel("second component")
plt.show()
