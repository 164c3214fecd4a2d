r"""
STDP's window
=============

One pair of spikes per synapse, from 50 ms before to 50 ms after an arrival: the measured change of the weight is the
window of the rule. ``stdp`` with an additive dependence on the weight changes it by

.. mathmpl::

    \Delta w = a_+ e^{-\Delta t/\tau_+} \;\text{for}\; \Delta t \geq 0, \qquad
    {} \Delta w = -a_- e^{\Delta t/\tau_-} \;\text{for}\; \Delta t < 0,

in parts of the upper bound, where :mathmpl:`\Delta t` is the time from the arrival to the postsynaptic spike.
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# A task hands over spikes. One source neuron spikes once, at 60 ms; each of the target neurons spikes when a second
# source, its own, makes it do so. Weights of the synapses under study add to a variable that does nothing.

deltas = np.arange(-500, 501, 20)  # time differences, in steps of 0.1 ms


class Pairs(snn.Task):
    """One presynaptic spike, and one spike of each target neuron."""

    epoch = 1

    def trial(self, index):
        pre = np.array([600]), np.array([0])
        post = np.sort(600 + deltas), np.arange(deltas.size)
        yield snn.Segment(1200, {"input": pre, "drive": post})


net = snn.Network(dt="0.1 ms")
net.add("input", snn.SpikeSource(1))
net.add("drive", snn.SpikeSource(deltas.size))
net.add(
    "neurons",
    snn.CustomNeurons(
        deltas.size,
        equations="v : 1\nheard : 1",
        threshold="v > 0.5",
        reset="v = 0",
        into="v",
        threshold_scale=1.0,
    ),
)
net.connect("drive", "neurons", connectivity=snn.OneToOne(), weights=1.0)
net.connect("input", "neurons", into="heard", weights=1.0, bounds=(0, 2), plastic=True)

# %%
# One trial, and the change of every weight, in parts of the bound.

rule = snn.STDP(a_plus=0.005, a_minus=0.00525, tau_plus="17 ms", tau_minus="34 ms")
with snn.open(snn.Experiment(net, Pairs(), rule, epochs=1)) as sim:
    before = sim.weights["input_to_neurons"].copy()
    sim.update()
    change = (sim.weights["input_to_neurons"] - before) / 2

time = deltas * 0.1
analytic = np.where(time >= 0, 0.005 * np.exp(-time / 17), -0.00525 * np.exp(time / 34))
print(f"largest difference from the equations: {np.abs(change - analytic).max():.1e}")

# %%
fine = np.linspace(-50, 50, 1001)
fine_window = np.where(fine >= 0, 0.005 * np.exp(-fine / 17), -0.00525 * np.exp(fine / 34))
fine_window[np.searchsorted(fine, 0)] = np.nan

figure, axis = plt.subplots()
axis.axhline(0, color="0.7", linewidth=0.8)
axis.axvline(0, color="0.7", linewidth=0.8)
axis.plot(fine, 100 * fine_window, color="0.4", label="equations")
axis.plot(time, 100 * change, "o", markersize=4, label="a pair of spikes, simulated")
axis.set(xlabel="postsynaptic spike after arrival (ms)", ylabel="change of the weight (% of its bound)")
axis.legend()
plt.show()
