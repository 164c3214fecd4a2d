r"""
A closed loop: actor and critic in a T-maze
===========================================

A spiking network walks through a corridor, sees a cue on its left or right wall, and two steps later has to turn to
that side for a reward. What it does decides what it sees next. E-prop learns policy and value (Bellec et al. 2020):
readouts say preferences :mathmpl:`\pi` and a value :mathmpl:`V`, and their errors follow from the TD error,

.. mathmpl::

    \delta^t = r^t + \gamma V^{t+1} - V^t, \qquad A^t = \sum_{t' \geq t} (\gamma\lambda)^{t'-t} \delta^{t'},
    {} \qquad E_k^t = A^t (\pi_k^t - 1_{a^t = k})
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# 50 recurrent neurons, half of them with adaptive thresholds; an action every 100 ms; 320 episodes between tests.

settings = (
    "model.cues=1",
    "model.corridor=2",
    "model.hidden=50",
    "model.episodes=320",
    "model.tests=50",
    "model.entropy=0.1",
    "rules.e-prop.batch=16",
    "train.epochs=10",
    "record.path=",
)
seeds = (1, 2, 3)
runs = [snn.train(snn.Experiment.of("t-maze", *settings, f"train.seed={seed}"), progress=False) for seed in seeds]

# %%
figure, axis = plt.subplots()
for seed, run in zip(seeds, runs, strict=True):
    returns = run.metrics["test_return"]
    axis.plot(320 * np.arange(1, returns.size + 1), returns, "o-", markersize=4, label=f"seed {seed}")
axis.axhline(1, color="0.7", linewidth=0.8)
axis.text(3200, 1.02, "the reward", ha="right", va="bottom", color="0.5", fontsize=9)
axis.axhline(0.5, color="0.7", linewidth=0.8)
axis.text(3200, 0.52, "walks to the junction, guesses", ha="right", va="bottom", color="0.5", fontsize=9)
axis.set(xlabel="training episodes", ylabel="mean return of a test")
axis.legend()
plt.show()

# %%
# One test episode after learning: what was seen, what the network did, and the probabilities of its actions.

with snn.open(snn.Experiment.of("t-maze", *settings), weights=runs[0]) as sim:
    record = sim.test(0)
y = record.activity("output")
policy = np.exp(y[:, :3]) / np.exp(y[:, :3]).sum(axis=1, keepdims=True)

figure, axes = plt.subplots(4, 1, sharex=True, figsize=(6.4, 6), height_ratios=(1, 1.4, 1, 0.8))
for axis, name in zip(axes, ("input", "hidden"), strict=False):
    steps, neurons = record.spikes[name]
    axis.plot(steps, neurons, "|", color="k", markersize=2)
    axis.set_ylabel(f"{name} neuron")
axes[0].set(yticks=[5, 15, 25, 35], yticklabels=["cue left", "cue right", "corridor", "junction"], ylabel="")
for k, name in enumerate(("forward", "left", "right")):
    axes[2].plot(policy[:, k], label=name)
axes[2].set(ylabel=r"policy $\pi$", ylim=(-0.03, 1.03))
axes[2].legend(loc="center left", bbox_to_anchor=(1, 0.5))
axes[3].plot(y[:, 3], color="k")
axes[3].set(ylabel="value $V$", xlabel="time (ms)")
for axis in axes:
    for decision in range(100, record.steps, 100):
        axis.axvline(decision, color="0.85", linewidth=0.8, zorder=0)
plt.show()
