r"""
How near are local gradients to back-propagation through time?
==============================================================

Back-propagation through time (BPTT) is no rule of a brain, but it is the gradient. On the same spikes, with the same
surrogate derivatives, the library measures the angle to it: the cosine of a rule's gradient with that of ``bptt``, over
all weights onto hidden neurons,

.. mathmpl::

    \cos \angle(G, G^\text{BPTT}) = \frac{\sum_{ji} G_{ji}\, G^\text{BPTT}_{ji}}{\| G \|\, \|
    {} G^\text{BPTT} \|}
"""

import matplotlib.pyplot as plt
import numpy as np

import snnplast as snn

# %%
# A recurrent network and ten digits' worth of gradient, for several rules and third factors. ``compare`` changes no
# weight; readout weights are drawn at random here, so that all feedbacks have something to say at once.


def network():
    net = snn.Network(dt="1 ms")
    net.add("input", snn.PoissonSource(64, peak_rate="200 Hz"))
    neurons = snn.LIF(50, v_threshold=0.6, reset="subtract-next", refractory="5 ms", representation=snn.LayerNorm())
    net.add("hidden", neurons)
    net.add("output", snn.LeakyReadout(10, tau_m="20 ms"))
    net.connect("input", "hidden", weights=snn.Normal(gain=0.5), plastic=True)
    net.connect("hidden", "hidden", weights=snn.Normal(gain=0.2), plastic=True, self_connections=False)
    net.connect("hidden", "output", weights=snn.Normal(), plastic=True)
    return net


task = snn.Experiment.of("digits").task()
rules = {
    "e-prop, symmetric feedback": snn.EProp(third_factor=snn.ReadoutError(feedback="symmetric")),
    "SuperSpike, symmetric feedback": snn.SuperSpike(third_factor=snn.ReadoutError(feedback="symmetric")),
    "DECOLLE, local readouts": snn.DECOLLE(),
    "e-prop, random feedback": snn.EProp(third_factor=snn.ReadoutError(feedback="random")),
    "e-prop, random signal": snn.EProp(third_factor="random"),
}
cosines = {}
for name, rule in rules.items():
    experiments = (snn.Experiment(network(), task, rule, epochs=1, seed=s, compare=snn.BPTT()) for s in range(3))
    cosines[name] = []
    for experiment in experiments:
        with snn.open(experiment) as sim:
            cosines[name].append(sim.compare(trials=10))
    print(f"{name:32} {np.mean(cosines[name]):+.2f}")

# %%
figure, axis = plt.subplots(figsize=(6.4, 2.8))
for row, values in enumerate(cosines.values()):
    axis.barh(row, np.mean(values), color="0.8")
    axis.plot(values, [row] * len(values), "o", color="k", markersize=4)
axis.axvline(0, color="0.5", linewidth=0.8)
axis.set(
    yticks=range(len(cosines)), yticklabels=cosines, xlabel="cosine with BPTT's gradient, three seeds", xlim=(-0.3, 1)
)
axis.invert_yaxis()
plt.show()

# %%
# E-prop leaves out what a spike does through later spikes, and through the reset of its own membrane. In the model
# ``digits``, without recurrent weights, symmetric feedback is therefore nearly BPTT. With random feedback the angle is
# wide at first and narrows while the readout learns: ``cosine_to_bptt`` is a metric of every update of an experiment
# that has something to ``compare`` with.

alignments = {}
for feedback in ("symmetric", "random", "adaptive"):
    way = f"rules.e-prop.third_factor.feedback={feedback}"
    experiment = snn.Experiment.of("digits", way, "train.compare=bptt", "train.epochs=2", "record.path=")
    with snn.open(experiment) as sim:
        alignments[feedback] = [sim.update().metrics["cosine_to_bptt"] for _ in range(sim.remaining)]

figure, axis = plt.subplots()
for feedback, cosine in alignments.items():
    axis.plot(cosine, label=f"{feedback} feedback")
axis.set(xlabel="update", ylabel="cosine with BPTT's gradient", ylim=(-0.1, 1.05))
axis.legend()
plt.show()
