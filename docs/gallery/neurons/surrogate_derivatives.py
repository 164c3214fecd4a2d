r"""
Surrogate derivatives
=====================

A spike has no derivative by the membrane; gradient rules put a surrogate in its place,

.. mathmpl::

    \psi(v) = \frac{h}{\vartheta}\, f\!\left(\frac{v - \vartheta}{s\,\vartheta}\right),

with one of five shapes :mathmpl:`f`, a height :mathmpl:`h` and a relative width :mathmpl:`s`. How much does the choice
matter?
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# The shapes, as ``snnplast surrogates`` lists and draws them.

u = np.linspace(-3, 3, 601)
shapes = {
    "piecewise-linear": np.maximum(0, 1 - np.abs(u)),
    "exponential": np.exp(-np.abs(u)),
    "fast-sigmoid": 1 / (1 + np.abs(u)) ** 2,
    "arctan": 1 / (1 + (np.pi * u / 2) ** 2),
    "boxcar": (np.abs(u) <= 1) * 1.0,
}

# %%
# Each on digits with e-prop, five epochs, and the first with other widths.

variants = {shape: (shape, 1.0) for shape in shapes}
variants |= {f"piecewise-linear, $s$ = {width}": ("piecewise-linear", width) for width in (0.3, 3.0)}
accuracy = {}
for name, (shape, width) in variants.items():
    surrogate = f"rules.e-prop.surrogate={{ name = '{shape}', relative_width = {width} }}"
    experiment = snn.Experiment.of("digits", surrogate, "model.hidden=50", "train.epochs=5", "record.path=")
    accuracy[name] = 100 * snn.train(experiment, progress=False).metrics["test_accuracy"]

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4))
for f in shapes.values():
    axes[0].plot(u, f)
axes[0].set(xlabel=r"distance to threshold, $(v - \vartheta)/(s\,\vartheta)$", ylabel="$f$")
for k, (name, values) in enumerate(accuracy.items()):
    style = "-" if name in shapes else ("--", ":")[k - len(shapes)]
    axes[1].plot(range(1, 6), values, style, color=f"C{k}" if name in shapes else "C0", label=name)
axes[1].set(xlabel="epoch", ylabel="test accuracy (%)")
axes[1].legend(fontsize=8)
plt.show()
