r"""
e-prop learns handwritten digits
================================

Eligibility propagation (Bellec et al. 2020) on 1437 digits of 8 x 8 pixels: 64 Poisson neurons, 100 LIF neurons, ten
leaky readouts. Weights change after each batch by

.. mathmpl::

    \Delta w_{ji} = -\eta \sum_t L_j^t\, \bar e_{ji}^t, \qquad
    {} e_{ji}^t = \psi_j^t\, \bar z_i^t, \qquad L_j^t = \sum_k B_{jk}\,(\pi_k^t - \pi_k^{*,t})

with a surrogate derivative :mathmpl:`\psi`, the filtered input :mathmpl:`\bar z`, random feedback :mathmpl:`B`, and the
error of the readouts' softmax :mathmpl:`\pi`.
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# The model ``digits`` has all settings; ``frozen`` is its control, in which only the readout learns.

settings = ("train.epochs=12", "record.path=")  # no file
runs = {
    rule: snn.train(snn.Experiment.of("digits", f"rule={rule}", *settings), progress=False)
    for rule in ("e-prop", "frozen")
}
runs["e-prop"]

# %%
figure, axis = plt.subplots()
for rule, run in runs.items():
    accuracy = 100 * run.metrics["test_accuracy"]
    axis.plot(np.arange(1, accuracy.size + 1), accuracy, "o-", markersize=4, label=f"{rule}, {accuracy[-1]:.1f} %")
axis.set(xlabel="epoch", ylabel="test accuracy (%)", ylim=(60, 100))
axis.legend(loc="lower right")
plt.show()

# %%
# What the network does with one digit of the test, after learning.

experiment = snn.Experiment.of("digits", *settings)
with snn.open(experiment, weights=runs["e-prop"]) as sim:
    record = sim.test(3)
    y = record.activity("output")

steps, neurons = record.spikes["hidden"]
figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.0), width_ratios=(0.7, 1, 1))
axes[0].imshow(record.stimulus("input").reshape(8, 8), cmap="gray_r")
axes[0].set(xticks=[], yticks=[], title=f"shown: a {record.target('output')[-1].argmax()}")
axes[1].plot(steps, neurons, "|", color="k", markersize=2.5)
axes[1].set(xlabel="time (ms)", ylabel="hidden neuron", title=f"{steps.size} spikes")
for k, trace in enumerate(y.T):
    axes[2].plot(
        trace, color="C1" if k == y[-1].argmax() else "0.75", label=f"unit {k}" if k == y[-1].argmax() else None
    )
axes[2].set(xlabel="time (ms)", ylabel="readout $y$", title="readout")
axes[2].legend()
plt.show()

# %%
# Which digits are mistaken for which, in the last test.

wrong = runs["e-prop"].confusion()
figure, axis = plt.subplots(figsize=(4.6, 3.8))
shown = axis.imshow(wrong, cmap="Blues")
axis.set(xticks=range(10), yticks=range(10), xlabel="answered", ylabel="wanted")
axis.spines[:].set_visible(False)
figure.colorbar(shown, label="test digits")
plt.show()
