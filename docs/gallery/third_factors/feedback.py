r"""
Readout error: three ways back
==============================

The learning signal of e-prop is the readouts' error, carried back to hidden neurons through weights :mathmpl:`B`,

.. mathmpl::

    L_j^t = \sum_k B_{jk}\, E_k^t,

which are random and fixed, the readout's own (``symmetric``), or random at first and learning what the readout learns
(``adaptive``). With a decay of both, adaptive feedback becomes symmetric in time (Kolen & Pollack 1994).
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# 50 hidden neurons on digits, five epochs. How well feedback and readout are aligned is their cosine after each update.

decay = 0.02
settings = {
    "random": (),
    "symmetric": (),
    "adaptive": (
        f"rules.e-prop.third_factor.decay={decay}",
        f"rules.e-prop.optimizers.hidden_to_output={{ name = 'adam', learning_rate = 1e-2, weight_decay = {decay} }}",
    ),
}
accuracies, alignments = {}, {}
for feedback, more in settings.items():
    way = f"rules.e-prop.third_factor.feedback={feedback}"
    experiment = snn.Experiment.of("digits", way, *more, "model.hidden=50", "train.epochs=5", "record.path=")
    accuracies[feedback], alignments[feedback] = [], []
    with snn.open(experiment) as sim:
        while sim.remaining:
            sim.update()
            out = sim.weights["hidden_to_output"].reshape(50, 10)
            back = out.T if feedback == "symmetric" else sim.weights["feedback_hidden"].reshape(10, 50)
            alignments[feedback].append((out * back.T).sum() / np.sqrt((out**2).sum() * (back**2).sum()))
            if sim.remaining % 45 == 0:
                accuracies[feedback].append(100 * sim.evaluate()["accuracy"])

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
for feedback in settings:
    axes[0].plot(np.arange(1, len(accuracies[feedback]) + 1), accuracies[feedback], "o-", markersize=4, label=feedback)
    axes[1].plot(alignments[feedback], label=feedback)
axes[0].set(xlabel="epoch", ylabel="test accuracy (%)")
axes[0].legend(loc="lower right")
axes[1].set(xlabel="update", ylabel=r"cosine of $B$ with $W_\mathrm{out}^T$", ylim=(-0.2, 1.05))
plt.show()

# %%
# Adaptive feedback finds the readout's weights without being told them. The decay that makes it do so also keeps the
# readout small, which costs accuracy here.
