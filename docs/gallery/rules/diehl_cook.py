r"""
Digits without labels: Diehl & Cook's receptive fields
======================================================

Each excitatory neuron that fires silences all others for a while, its synapses learn what made it fire, and its
threshold rises for good, so that others get their turn (Diehl & Cook 2015). Weights become prototypes. Labels have no
part in this; afterwards they name the neurons, by the rule ``votes``.

.. mathmpl::

    \text{at an arrival:}\; w_{ji} \leftarrow w_{ji} - \nu_\text{pre}\, y_{1,j}, \qquad
    {} \text{at a spike of } j:\; w_{ji} \leftarrow w_{ji} + \nu_\text{post}\, x_i\, y_{2,j}
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits

import snnplast as snn

# %%
# The model ``diehl-cook`` reads images in the format of MNIST; with MNIST itself and 400 neurons it is the
# network of the paper. Here are scikit-learn's digits, drawn with 16 x 16 pixels and written in that format.


def write_idx(path, values):
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(bytes((0, 0, 8, values.ndim)) + sizes + values.astype(np.uint8).tobytes())


pixels, labels = load_digits(return_X_y=True)
images = np.array([zoom(digit.reshape(8, 8), 2, order=1) for digit in pixels]) * 255 / 16
order = np.random.default_rng(0).permutation(len(labels))

with tempfile.TemporaryDirectory() as folder:
    for part, chosen in (("train", order[:1400]), ("t10k", order[1400:])):
        write_idx(Path(folder) / f"{part}-images-idx3-ubyte", images[chosen])
        write_idx(Path(folder) / f"{part}-labels-idx1-ubyte", labels[chosen])
    experiment = snn.Experiment.of(
        "diehl-cook",
        f"model.path={folder}",
        "model.training=none",  # all
        "model.tests=none",
        "model.neurons=25",
        "model.peak_rate=40 Hz",
        "rules.diehl-cook.total=26",  # sum of a neuron's weights, of 256 inputs
        "rules.diehl-cook.nu_post=0.03",
        "train.epochs=1",
        "record.path=",
    )
    run = snn.train(experiment, progress=False)
print(f"test accuracy {run.metrics['test_accuracy'][-1]:.3f}")

# %%
# Each tile holds the weights of one neuron, as the image it answers to.

weights = run.weights["input_to_excitatory"].reshape(16, 16, 25)
figure, axes = plt.subplots(5, 5, figsize=(5.4, 5.4))
for axis, field in zip(axes.flat, weights.transpose(2, 0, 1), strict=True):
    axis.imshow(field, cmap="Greys", vmin=0, vmax=np.percentile(weights, 99.5))
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color="0.8")
plt.show()

# %%
# How many neurons were named by each label, and what the network answers to the digits of the test.

votes = run.weights["excitatory_to_label"].reshape(25, 10)
wrong = run.confusion()
figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
axes[0].bar(range(10), np.bincount(votes.argmax(axis=1), minlength=10), color="0.4")
axes[0].set(xticks=range(10), xlabel="named", ylabel="neurons")
shown = axes[1].imshow(wrong, cmap="Blues")
axes[1].set(xticks=range(10), yticks=range(10), xlabel="answered", ylabel="wanted")
figure.colorbar(shown, label="test digits")
plt.show()
