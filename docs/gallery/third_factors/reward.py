r"""
Reward alone: a readout that explores
=====================================

What can be learned where no synapse knows the target, only whether the answer was better than lately? A readout adds
noise to its answer; where reward exceeded its running average, :mathmpl:`M = 1`, the noise is kept (Hoerzer et al.
2014):

.. mathmpl::

    o = y + \text{noise}, \qquad \Delta w_{ji} = \eta\, z_i \sum_k (o_{jk} - \bar o_{jk})\, M_k, \qquad
    {} M_k = 1 \text{ where } P_k = -|o_k - o^*|^2 > \bar P_k
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import snnplast as snn

# %%
# Digits, 100 hidden neurons that stay as drawn, ten readouts that act once per sample. The delta rule, which knows the
# error of each unit, is the upper control.

pixels, labels = load_digits(return_X_y=True)
x = pixels / 16
task = snn.Classification(x[:1400], labels[:1400], x[1400:], labels[1400:], steps=50, objective=snn.MeanSquaredError())

net = snn.Network(dt="1 ms")
net.add("input", snn.PoissonSource(64, peak_rate="200 Hz"))
net.add("hidden", snn.LIF(100, representation=snn.LayerNorm(), v_min=-2.0))
net.add("output", snn.RateReadout(10))
net.connect("input", "hidden", weights=snn.Normal(gain=1.5))
net.connect("hidden", "output", kind="analog", variable="z", every="trial", weights=0.0, plastic=True)

falling = snn.SGD(learning_rate=2e-3, schedule="linear")
rules = {
    "delta rule": snn.Delta(optimizer=falling),
    "reward, better or not": snn.RewardHebbian(third_factor=snn.Reward(modulation="binary"), optimizer=falling),
}
runs, right = {}, {}
for name, rule in rules.items():
    experiment = snn.Experiment(net, task, rule, epochs=6, seed=1)
    runs[name] = snn.train(experiment, progress=False)
    answers = snn.predict(experiment, x[1400:], weights=runs[name]).reshape(-1, 10)
    right[name] = 100 * (answers.argmax(axis=1) == labels[1400:]).mean()
    print(f"{name:22} {right[name]:.1f} % of the test")

# %%
figure, axis = plt.subplots()
for name, run in runs.items():
    loss = run.metrics["test_loss"]
    axis.plot(np.arange(1, loss.size + 1), loss, "o-", markersize=4, label=f"{name}: {right[name]:.0f} % right")
axis.set(xlabel="epoch", ylabel="mean squared error of the test", ylim=(0, None))
axis.legend()
plt.show()

# %%
# Dopamine that comes late, and what it makes of STDP, is in another example: *Reward that comes late*.
