"""A model file and an experiment that take milliseconds, as text."""

TINY = '''
from typing import Annotated

import numpy as np
from pydantic import Field

from snnplast import LIF, Classification, LeakyReadout, Model, Network, Normal, PoissonSource
from snnplast.units import PositiveTime


class Tiny(Model):
    """Six samples of two classes, four test samples, ten steps each.

    hidden: neurons. tau: membrane time constant.
    """

    hidden: Annotated[int, Field(ge=1, description="hidden neurons")] = 3
    tau: Annotated[PositiveTime, Field(description="membrane time constant")] = "20 ms"

    def network(self):
        net = Network()
        net.add("input", PoissonSource(4, peak_rate="500 Hz"))
        net.add("hidden", LIF(self.hidden, tau_m=f"{self.tau!r} second", v_threshold=0.5, bias=0.05))
        net.add("output", LeakyReadout(2))
        net.connect("input", "hidden", weights=Normal(gain=1.0), plastic=True)
        net.connect("hidden", "output", plastic=True)
        return net

    def task(self, seed):
        labels = np.array([0, 1, 0, 1, 0, 1])
        x = np.eye(4)[labels] * 0.5 + 0.5
        return Classification(x, labels, x[:4], labels[:4], steps=10, seed=seed)
'''

EXPERIMENT = """
rule = "e-prop"
engine = { name = "runtime", target = "numpy" }

[model]
file = "tiny.py"

[rules.e-prop]
batch = 2
optimizer = { name = "sgd", learning_rate = 1e-3 }

[train]
epochs = 2
seed = 3

[record]
path = "tiny.h5"
spikes = ["hidden"]
"""
