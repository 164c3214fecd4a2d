r"""
Energy against accuracy
=======================

On neuromorphic hardware energy goes with spikes and synaptic operations: the sum over spikes of the synapses each
reaches. Every run counts them. A firing-rate regulariser saves some of them; it pulls each neuron to a target
rate :mathmpl:`f^*` by a third factor of its own, added to the first,

.. mathmpl::

    R_j = c_\text{reg}\, \frac{1}{T} \left(\frac{n_j}{T} - f^*\right),

with :mathmpl:`n_j` the spikes of a trial (``firing-rate``) or their mean over the batch (``batch-firing-rate``).
"""

import matplotlib.pyplot as plt

import snnplast as snn

# %%
# E-prop on digits, 100 hidden neurons, four epochs for each target.


def learnt(*settings):
    run = snn.train(snn.Experiment.of("digits", *settings, "train.epochs=4", "record.path="), progress=False)
    names = ("test_accuracy", "spikes_per_trial", "synaptic_operations", "learning_operations")
    return {name: run.metrics[name][-1] for name in names}


points = {"e-prop, no regulariser": [learnt()], "frozen hidden layer": [learnt("rule=frozen")]}
for factor in ("firing-rate", "batch-firing-rate"):
    points[factor] = [
        learnt(f"rules.e-prop.regularisers=[{{ name = '{factor}', coefficient = 300, target = '{target} Hz' }}]")
        for target in (10, 30, 75)
    ]

for name, found in points.items():
    for point in found:
        print(f"{name:24} {100 * point['test_accuracy']:5.1f} % {point['spikes_per_trial']:6.0f} spikes per digit")

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
labels = {"spikes_per_trial": "hidden spikes per digit", "synaptic_operations": "synaptic operations per digit"}
for axis, quantity in zip(axes, labels, strict=True):
    for name, found in points.items():
        cost = [point[quantity] for point in found]
        axis.plot(cost, [100 * point["test_accuracy"] for point in found], "o-", markersize=5, label=name)
    axis.set_xlabel(labels[quantity])
axes[0].set_ylabel("test accuracy (%)")
axes[0].set_xlim(0, None)
axes[1].xaxis.set_major_locator(plt.MaxNLocator(4))
axes[0].legend(fontsize=8, loc="lower right")
plt.show()

# %%
# Operations go down less than spikes do, since the 64 inputs spike as before and reach 100 synapses each. Learning has
# operations of its own: after the trial each spike visits its synapses once more; with traces in the synapses every
# plastic synapse is visited at every step.

costs = {"forward": points["e-prop, no regulariser"][0]["synaptic_operations"]}
for evaluation in ("factored", "online"):
    settings = (f"rules.e-prop.evaluation={evaluation}", "record.path=")
    with snn.open(snn.Experiment.of("digits", *settings)) as sim:
        costs[f"learning, {evaluation}"] = sim.update().metrics["learning_operations"]

figure, axis = plt.subplots(figsize=(6.4, 2.4))
axis.barh(list(costs), list(costs.values()), color="0.6")
axis.set(xscale="log", xlabel="synaptic operations of a training digit")
axis.set_xlim(1e4, 2 * max(costs.values()))
for row, value in enumerate(costs.values()):
    axis.text(value, row, f" {value:,.0f}", va="center")
axis.invert_yaxis()
plt.show()
