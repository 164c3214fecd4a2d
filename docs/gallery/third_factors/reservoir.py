r"""
A reservoir in the loop
=======================

A third factor such as ``hsic`` asks for a memory of many samples. Can a network of neurons hold it? A reservoir, in the
same simulation, takes up each sample; a readout of its units, trained beforehand on synthetic streams alone, supplies
the third factor of the layer,

.. mathmpl::

    \xi = \sum_u W_u\, u, \qquad W \text{ trained to give the teacher's } \xi,

and is compared with its teacher while the layer learns: ``third_factor_correlation`` is a metric of the run.
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# The two sides of a line, ten hidden neurons, and reservoirs of 4, 16 and 64 rate units, trained on 10 streams of 100
# samples.

sizes = (4, 16, 64)
runs = {}
for units in sizes:
    settings = (
        "rule=ib-hebbian",
        "rules.ib-hebbian.third_factor=reservoir",
        f"rules.ib-hebbian.third_factor.units={units}",
        "rules.ib-hebbian.third_factor.streams=10",
        "train.epochs=2",
        "record.path=",
    )
    runs[units] = snn.train(snn.Experiment.of("linear", *settings), progress=False)
    correlation, accuracy = (runs[units].metrics[name][-1] for name in ("third_factor_correlation", "test_accuracy"))
    print(f"{units:4} units: correlation {correlation:.2f}, test accuracy {accuracy:.2f}")

# %%
# The same with the teacher itself, and with noise.

for factor in ("hsic", "random"):
    settings = ("rule=ib-hebbian", f"rules.ib-hebbian.third_factor={factor}", "train.epochs=2", "record.path=")
    runs[factor] = snn.train(snn.Experiment.of("linear", *settings), progress=False)

figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.4))
for units in sizes:
    correlation = runs[units].metrics["third_factor_correlation"]
    axes[0].plot(np.arange(1, correlation.size + 1), correlation, "o-", markersize=4, label=f"{units} units")
axes[0].set(xlabel="epoch", ylabel="correlation with the teacher", ylim=(0, 1.03), xticks=(1, 2))
axes[0].legend(loc="lower right")
names = [*(f"{units} units" for units in sizes), "hsic", "random"]
axes[1].bar(
    range(5), [100 * run.metrics["test_accuracy"][-1] for run in runs.values()], color=["C0"] * 3 + ["C2", "0.6"]
)
axes[1].set(xticks=range(5), ylabel="test accuracy (%)", ylim=(50, 100))
axes[1].set_xticklabels(names, rotation=40, ha="right")
plt.show()
