r"""
Local readouts: DECOLLE
=======================

Every hidden layer gets a fixed random readout of its own, and learns from its error; nothing is handed through layers
(Kaiser, Mostafa & Neftci 2020):

.. mathmpl::

    y_k^t = \sum_j G_{kj}\, z_j^t, \qquad L_j^t = \sum_k G_{kj}\, E_k^t, \qquad
    {} \Delta w_{ji} = -\eta \sum_t L_j^t\, \psi_j^t\, \bar z_i^t
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# Digits through two hidden layers, 60 and 30 neurons. E-prop with random feedback tells both layers the error of the
# last readout; ``frozen`` tells them nothing.

runs = {}
for rule in ("decolle", "e-prop", "frozen"):
    settings = (f"rule={rule}", "model.hidden=[60, 30]", "model.gain=1.5", "train.epochs=6", "record.path=")
    runs[rule] = snn.train(snn.Experiment.of("digits", *settings), progress=False)
    print(f"{rule:8} {100 * runs[rule].metrics['test_accuracy'][-1]:.1f} %")

# %%
# What was learned in each layer, the change of its weights, and how well it went.

figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
for place, (rule, run) in enumerate(runs.items()):
    accuracy = 100 * run.metrics["test_accuracy"]
    axes[0].plot(np.arange(1, accuracy.size + 1), accuracy, "o-", markersize=4, label=rule)
    changes = []
    for projection in ("input_to_hidden1", "hidden1_to_hidden2"):
        before, after = run.values(projection, "initial"), run.values(projection)
        changes.append(np.sqrt(((after - before) ** 2).mean() / (before**2).mean()))
    axes[1].bar(np.arange(2) + 0.25 * place, changes, width=0.22)
axes[0].set(xlabel="epoch", ylabel="test accuracy (%)")
axes[0].legend(loc="lower right")
axes[1].set(
    xticks=[0.25, 1.25], xticklabels=["first layer", "second layer"], ylabel="change of weights, parts of initial"
)
plt.show()
