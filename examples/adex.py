"""Adaptive exponential neurons (Brette & Gerstner 2005) in plain Brian2, and a rule that learns their firing rate.

Six lines, marked with `#+`, are changed or added; the rule itself is made once.
"""

from brian2 import *
prefs.codegen.target = "numpy"; seed(1)
import snnplast  #+

C, gL, EL, VT, DeltaT = 281*pF, 30*nS, -70.6*mV, -50.4*mV, 2*mV
tauw, a, b, Vr, Vcut = 144*ms, 4*nS, 0.0805*nA, -70.6*mV, -40.4*mV
eqs = """
dvm/dt = (gL*(EL - vm) + gL*DeltaT*exp((vm - VT)/DeltaT) + I + gs - w)/C : volt
dw/dt  = (a*(vm - EL) - w)/tauw : amp
dgs/dt = -gs/(5*ms) : amp
I : amp
"""
G = NeuronGroup(20, eqs, threshold="vm > Vcut", reset="vm = Vr; w += b", method="euler", name="cells")
G.vm = EL
G.I = 0.3*nA
inputs = PoissonGroup(50, 20*Hz)
S = Synapses(inputs, G, "s : 1", on_pre="gs += s*0.1*nA", name="excite")  #+
S.connect()
S.s = 1  #+
net = Network(collect())

rate = {"name": "firing-rate", "target": "30 Hz"}
rule = snnplast.EProp(third_factor=rate, optimizer=snnplast.Adam(learning_rate=0.2))
surrogate = {"distance": "vm - VT", "threshold_scale": VT - EL}  # the onset, not the cut
learner = snnplast.attach(rule, net, synapses=[S], surrogates={"cells": surrogate})  #+
for trial in range(20):
    with learner.trial():  #+
        net.run(200*ms)
    step = learner.update()  #+
    print(trial, f"{step.metrics['spikes_per_trial']/20/0.2:.1f} Hz")
