r"""
Class memory: what a layer expects of a sample
==============================================

The third factor ``class-memory`` remembers one vector per class, :mathmpl:`M_c`, and draws a sample towards that of its
own class and away from those it is taken for:

.. mathmpl::

    \xi = \sum_c (p_c - y_c)\, M_c, \qquad M_c = m_c - \bar m, \qquad m_y \leftarrow \mu\, m_y + (1 - \mu)\, z

With ``expectation="layer"`` the class expected, :mathmpl:`p`, is the layer's own: how near its representation
:mathmpl:`z` is to each memory. So a layer learns from labels and its own activity alone; no error comes back from a
readout.

.. mathmpl::

    p = \text{softmax}(a), \qquad a_c = b \left(M_c \cdot (z - \bar m) - \frac{1}{2} |M_c|^2\right)
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# Digits, 30 hidden neurons, five epochs.

SHARPNESS, MEMORY = 0.1, 0.98
experiment = snn.Experiment.of(
    "digits",
    "rule=ib-hebbian",
    "rules.ib-hebbian.third_factor={ name = 'class-memory', expectation = 'layer' }",
    "train.epochs=5",
    "record.path=",
)
run = snn.train(experiment, progress=False)
print("test accuracy by epoch:", run.metrics["test_accuracy"].round(3))

# %%
# What the layer would expect of each digit, worked out by hand from its representations: memories are filled with the
# first 600 digits of the training, and asked about the test.


def representations(weights, count, test):
    with snn.open(experiment, weights=weights) as sim:
        records = ((sim.test if test else sim.trial)(k) for k in range(count))
        found = [(record.representation("hidden"), record.target("output")[-1].argmax()) for record in records]
    z, labels = zip(*found, strict=True)
    return np.array(z), np.array(labels)


def expected(weights):
    """p (samples, classes) of the test, and its labels."""
    m = np.zeros((10, 30))
    for z, label in zip(*representations(weights, 600, test=False), strict=True):
        m[label] = MEMORY * m[label] + (1 - MEMORY) * z if m[label].any() else z
    centre, memories = m.mean(axis=0), m - m.mean(axis=0)
    z, labels = representations(weights, 360, test=True)
    evidence = SHARPNESS * ((z - centre) @ memories.T - (memories**2).sum(axis=1) / 2)
    p = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True), labels


figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.4))
for axis, weights, title in zip(axes, (None, run), ("before learning", "after"), strict=True):
    p, labels = expected(weights)
    mean = np.array([p[labels == c].mean(axis=0) for c in range(10)])
    right = (p.argmax(axis=1) == labels).mean()
    shown = axis.imshow(mean, cmap="Greens", vmin=0, vmax=1)
    axis.set(xlabel="class expected", xticks=range(10), yticks=range(10), title=f"{title}: {100 * right:.0f} % right")
axes[0].set_ylabel("class shown")
figure.colorbar(shown, ax=axes, label="mean $p$")
plt.show()

# %%
# What is remembered can be something else, and so can the expectation: the readout's, the layer's, or none at all.

accuracies = {}
for remembers in ("averages", "residuals", "delta", "whitened", "neighbours"):
    for expectation in ("readout", "layer", "uniform"):
        factor = f"{{ name = 'class-memory', remembers = '{remembers}', expectation = '{expectation}' }}"
        settings = ("rule=ib-hebbian", f"rules.ib-hebbian.third_factor={factor}", "train.epochs=2", "record.path=")
        found = snn.train(snn.Experiment.of("digits", *settings), progress=False)
        accuracies[remembers, expectation] = 100 * found.metrics["test_accuracy"][-1]

table = np.reshape(list(accuracies.values()), (5, 3))
figure, axis = plt.subplots(figsize=(4.8, 3.4))
shown = axis.imshow(table, cmap="Greens", aspect="auto")
axis.set(xticks=range(3), xticklabels=["readout", "layer", "uniform"], xlabel="expectation $p$")
axis.set(yticks=range(5), yticklabels=["averages", "residuals", "delta", "whitened", "neighbours"], ylabel="remembers")
for (row, column), value in np.ndenumerate(table):
    axis.text(column, row, f"{value:.1f}", ha="center", va="center", color="w" if value > table.mean() else "k")
figure.colorbar(shown, label="test accuracy after 2 epochs (%)")
plt.show()
