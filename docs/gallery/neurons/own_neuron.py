r"""
Your own neuron, and the traces that follow from it
===================================================

Any equations of Brian2 make a neuron that learns. Eligibility traces are not written down: they are the derivative of
the code that Brian2 makes of the equations, taken symbolically. Here is a neuron with a slow potassium current, which
no library has:

.. mathmpl::

    \tau\, \dot v = -v - q\, v, \qquad \tau_q\, \dot q = -q, \qquad
    {} v \leftarrow 0,\; q \leftarrow q + 0.4 \text{ at a spike}
"""

import subprocess

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# A function that makes a network of it, 40 neurons in the hidden layer, and 10 readouts.


def network():
    net = snn.Network(dt="1 ms")
    net.add("input", snn.PoissonSource(64, peak_rate="200 Hz"))
    net.add(
        "hidden",
        snn.CustomNeurons(
            40,
            equations="dv/dt = (-v - q*v)/(20*ms) : 1\ndq/dt = -q/(100*ms) : 1",
            method="exponential_euler",
            threshold="v > 1",
            reset="v = 0; q += 0.4",
            refractory="3 ms",
            into="v",
        ),
    )
    net.add("output", snn.LeakyReadout(10, tau_m="20 ms"))
    net.connect("input", "hidden", weights=snn.Normal(gain=0.8), plastic=True)
    net.connect("hidden", "output", weights=0.0, plastic=True)
    return net


# %%
# It learns digits with e-prop like any other.

rule = snn.EProp(
    batch=32,
    average_gradient=100,
    optimizer=snn.Adam(learning_rate=1e-2, schedule="linear"),
)
task = snn.Experiment.of("digits").task()
recorded = snn.Recording(path="", spikes="neurons", variables=("hidden.v", "hidden.q"), first=1)
run = snn.train(snn.Experiment(network(), task, rule, epochs=8, seed=1, record=recorded), progress=False)
print("test accuracy by epoch:", run.metrics["test_accuracy"].round(3))

# %%
# The most active neuron in a test digit, and the learning curve.

times, neurons = run.trial_spikes("hidden", row=-1)
v, q = (run.state(f"hidden/{name}", row=-1) for name in "vq")
k = np.bincount(neurons).argmax()

figure, axes = plt.subplots(3, 1, figsize=(6.4, 5.2), height_ratios=(1, 1, 1.4))
axes[0].plot(v[:, k], color="k", linewidth=1)
axes[0].plot(times[neurons == k], np.full((neurons == k).sum(), 1.1), "|", color="C3", label="spikes")
axes[0].axhline(1, color="0.7", linestyle="--", linewidth=0.8)
axes[0].set(ylabel="$v$", title=f"neuron {k}")
axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
axes[1].plot(q[:, k], color="C1")
axes[1].set(ylabel="$q$", xlabel="time (ms)")
axes[2].plot(range(1, 9), 100 * run.metrics["test_accuracy"], "o-", markersize=4)
axes[2].set(xlabel="epoch", ylabel="test accuracy (%)")
figure.align_ylabels()
plt.show()

# %%
# The traces may live in the synapses instead, and run with the simulation. It is the same learning: after one update
# the weights agree to rounding.


def after_an_update(evaluation):
    rule = snn.EProp(evaluation=evaluation, batch=4)
    with snn.open(snn.Experiment(network(), task, rule, epochs=1, seed=1)) as sim:
        before = sim.weights["input_to_hidden"].copy()
        sim.update()
        return sim.weights["input_to_hidden"] - before


factored, online = after_an_update("factored"), after_an_update("online")
print(f"largest change of a weight {np.abs(factored).max():.1e}, difference {np.abs(factored - online).max():.1e}")

# %%
# What was derived can be read, like the appendix of a paper. Here for a neuron that comes with the library, AdEx; a
# neuron of one's own has a name after ``pip install`` of a package that offers it.

command = "snnplast rules show e-prop --neuron adex"
lines = subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout.splitlines()
first, last = (next(k for k, line in enumerate(lines) if line.startswith(title)) for title in ("P:", "Traces"))
print("\n".join(lines[first : last + 10]))
