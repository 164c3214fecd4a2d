"""Neurons with conductances (Vogels & Abbott 2005) in plain Brian2, and a rule that learns their firing rate.

Six lines, marked with `#+`, are changed or added; the rule itself is made once.
"""

from brian2 import *
prefs.codegen.target = "numpy"; seed(1)
import snnplast  #+

taum, taue, taui = 20*ms, 5*ms, 10*ms
Vt, Vr, El, Ee, Ei = -50*mV, -60*mV, -60*mV, 0*mV, -80*mV
eqs = """
dv/dt  = (ge*(Ee - v) + gi*(Ei - v) - (v - El))/taum : volt (unless refractory)
dge/dt = -ge/taue : 1
dgi/dt = -gi/taui : 1
"""
P = NeuronGroup(
    400, eqs, threshold="v > Vt", reset="v = Vr", refractory=5*ms, method="exponential_euler", name="cells"
)
P.v = "Vr + rand()*(Vt - Vr)"
background = PoissonGroup(100, 30*Hz)
Cb = Synapses(background, P, on_pre="ge += 0.12")
Ce = Synapses(P, P, "w : 1", on_pre="ge += w*0.06", name="excite")  #+
Ci = Synapses(P, P, on_pre="gi += 0.67")
Cb.connect(p=0.1)
Ce.connect("i < 320", p=0.1)
Ci.connect("i >= 320", p=0.1)
Ce.w = 1  #+
net = Network(collect())

rate = {"name": "firing-rate", "target": "30 Hz"}
rule = snnplast.EProp(third_factor=rate, optimizer=snnplast.Adam(learning_rate=0.2))
learner = snnplast.attach(rule, net, synapses=[Ce], surrogates={"cells": {"threshold_scale": Vt - Vr}})  #+
for trial in range(20):
    with learner.trial():  #+
        net.run(200*ms)
    step = learner.update()  #+
    print(trial, f"{step.metrics['spikes_per_trial']/400/0.2:.1f} Hz")
