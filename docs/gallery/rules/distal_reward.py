r"""
Reward that comes late: STDP and dopamine
=========================================

One synapse of many is to be strengthened: whenever its target fires within 10 ms of its source, dopamine is released
everywhere, but only one to two seconds later. Each synapse keeps an eligibility :mathmpl:`c`, what STDP would have
done, for about a second; dopamine :mathmpl:`d` turns it into a change (Izhikevich 2007):

.. mathmpl::

    \dot c = -c/\tau_c + \text{STDP}, \qquad \dot w = c\, d, \qquad \dot d = -d/\tau_d + R(t)
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# A small recurrent network with strong background noise. The task hands over the reward, one value for each step and
# neuron; the third factor ``dopamine`` makes a concentration of it. What the network does decides what comes next, so
# the task looks at the record that each segment of a trial returns.

N = 50
pre, post = np.nonzero(np.random.default_rng(0).random((N, N)) < 0.1)
pre, post = pre[pre != post], post[pre != post]


class Distal(snn.Task):
    """Reward after each pairing of the first synapse's two ends, 1 to 2 s later."""

    continuous = True  # trials go on from each other
    epoch = 90  # of 10 s each

    def __init__(self):
        self.due, self.rng = [], np.random.default_rng(1)

    def trial(self, index):
        for second in range(10):
            now = 1000 * (10 * index + second)  # ms
            reward = np.zeros((1000, N))
            for t in [t for t in self.due if t < now + 1000]:
                reward[t - now] += 6.0
                self.due.remove(t)
            record = yield snn.Segment(1000, {}, {"neurons.reward": reward})
            steps, neurons = record.spikes["neurons"]
            sources, targets = (steps[neurons == k] for k in (pre[0], post[0]))
            for t in targets[targets >= 1000 * second]:
                if np.any((sources < t) & (sources >= t - 10)):
                    self.due.append(now + 1000 + int(t - 1000 * second) + int(self.rng.integers(1000)))


net = snn.Network(dt="1 ms")
net.add("background", snn.PoissonSource(N, rate="100 Hz"))
net.add("neurons", snn.LIF(N, reset=0.0, v_min=-1.0, refractory="2 ms"))
net.connect("background", "neurons", connectivity=snn.OneToOne(), weights=0.2)
net.connect(
    "neurons",
    "neurons",
    name="plastic",
    connectivity=snn.ExplicitPairs(pre=pre, post=post),
    weights=0.06,
    bounds=(0, 0.25),
    plastic=True,
)
rule = snn.RewardSTDP(third_factor=snn.Dopamine(tau_d="200 ms"), a_plus=0.02, a_minus=0.04, tau_c="1 s")

# %%
# Fifteen minutes of the network's time.

weights = []
with snn.open(snn.Experiment(net, Distal(), rule, epochs=1, seed=0)) as sim:
    while sim.remaining:
        record = sim.update().trials[0]
        weights.append(sim.weights["plastic"] / 0.25)
weights = np.array(weights)
print(f"rate {record.rates('neurons').mean():.1f} Hz; {pre.size} synapses")
print(f"rewarded synapse {weights[-1, 0]:.2f}, mean of the others {weights[-1, 1:].mean():.2f} of the bound")

# %%
minutes = np.arange(1, len(weights) + 1) / 6
low, high = np.percentile(weights[:, 1:], (5, 95), axis=1)
figure, axis = plt.subplots()
axis.fill_between(minutes, low, high, color="0.85", label="the others, 5 to 95 %")
axis.plot(minutes, weights[:, 1:].mean(axis=1), color="0.5", label="their mean")
axis.plot(minutes, weights[:, 0], color="C1", label="the rewarded synapse")
axis.set(xlabel="time (min)", ylabel="weight (parts of its bound)", ylim=(0, 1.03))
axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
