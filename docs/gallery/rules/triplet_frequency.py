r"""
Triplets: STDP that depends on frequency
========================================

Sixty pairs of spikes, at ever higher rates. Pair STDP predicts that fast pairing depresses in either order; in visual
cortex, it potentiates in either order (Sjöström et al. 2001). ``triplet-stdp`` (Pfister & Gerstner 2006) has a second,
slower trace :mathmpl:`o_2` of the postsynaptic neuron:

.. mathmpl::

    \text{at an arrival:}\; \Delta w_{ji} = -A_2^-\, o_{1,j}, \qquad
    {} \text{at a spike of } j:\; \Delta w_{ji} = r_{1,i}\,(A_2^+ + A_3^+ o_{2,j})
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# One synapse for each rate and order of the pairs; all are simulated at once. Time steps are 1 ms.

periods = np.array([1000, 200, 100, 67, 50, 40, 33, 29, 25, 22, 20])  # ms
cases = [(period, delay) for delay in (10, -10) for period in periods]
trains = [20 + period * np.arange(60) for period, _ in cases]


def in_order(spikes):
    """(steps, neurons) sorted by step."""
    return tuple(np.array(sorted(spikes)).T)


class Pairings(snn.Task):
    """Sixty pairs for each synapse: a spike of its source, and one of its target 10 ms later, or before."""

    epoch = 1

    def trial(self, index):
        pre = in_order((t, k) for k, train in enumerate(trains) for t in train)
        post = in_order((t + cases[k][1], k) for k, train in enumerate(trains) for t in train)
        yield snn.Segment(61_000, {"input": pre, "drive": post})


def change(rule):
    """Changes of the weights, which begin at 1."""
    net, n = snn.Network(dt="1 ms"), len(cases)
    net.add("input", snn.SpikeSource(n))
    net.add("drive", snn.SpikeSource(n))
    relay = {"threshold": "v > 0.5", "reset": "v = 0", "into": "v", "threshold_scale": 1.0}
    net.add("neurons", snn.CustomNeurons(n, equations="v : 1\nheard : 1", **relay))
    net.connect("drive", "neurons", connectivity=snn.OneToOne(), weights=1.0)
    synapses = {"connectivity": snn.OneToOne(), "weights": 1.0, "bounds": (0, 2), "plastic": True}
    net.connect("input", "neurons", into="heard", **synapses)
    with snn.open(snn.Experiment(net, Pairings(), rule, epochs=1)) as sim:
        sim.update()
        return sim.weights["input_to_neurons"].reshape(2, -1) - 1


triplets = change(snn.TripletSTDP(preset="visual-cortex"))
pairs = change(snn.STDP(a_plus=0.0029, a_minus=0.0029, tau_plus="16.8 ms", tau_minus="33.7 ms"))

# %%
# Beside the data that the constants of the triplet rule were fitted to: mean and standard error.

measured = np.array([[0.1, 10, 20, 40, 50], [-0.04, 0.14, 0.29, 0.53, 0.56], [0.05, 0.10, 0.14, 0.11, 0.26]])
reversed_order = np.array([[0.1, 10, 20, 40, 50], [-0.29, -0.41, -0.34, 0.56, 0.75], [0.08, 0.11, 0.10, 0.32, 0.19]])

figure, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.4))
for axis, found, title in zip(axes, (pairs, triplets), ("pair STDP", "triplet STDP"), strict=True):
    for row, data, colour, label in (
        (0, measured, "C0", "source first, by 10 ms"),
        (1, reversed_order, "C1", "target first, by 10 ms"),
    ):
        axis.plot(1000 / periods, 100 * found[row], color=colour, label=label)
        axis.errorbar(data[0], 100 * data[1], 100 * data[2], fmt="o", markersize=4, capsize=2, color=colour)
    axis.axhline(0, color="0.7", linewidth=0.8)
    axis.set(xlabel="pairs per second (Hz)", title=title)
axes[0].set_ylabel("change of the weight (%)")
axes[1].legend(fontsize=8, loc="upper left")
plt.show()
