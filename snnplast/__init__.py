"""Spiking neural networks that learn by local plasticity rules, on Brian2.

Describe a network and a task in Python, choose how it learns in a config file:

    from snnplast import LIF, LeakyReadout, Network, Normal, PoissonSource
"""

from snnplast.connectivity import AllToAll, FixedInDegree, OneToOne, Probability
from snnplast.errors import UserError
from snnplast.fragments import Fragment, Injection, Update
from snnplast.model import Model
from snnplast.network import Network
from snnplast.neurons import LIF, Analog, CustomNeurons, LayerNorm, LeakyReadout, PoissonSource, RateReadout, SpikeSource
from snnplast.objective import CrossEntropy, MeanSquaredError
from snnplast.optimizer import SGD, Adam, Schedule
from snnplast.rule import Rule
from snnplast.task import Classification, Task
from snnplast.third_factor import ThirdFactor
from snnplast.trial import Record, Segment
from snnplast.weights import Explicit, Gaussian, Glorot, Normal, Uniform

__version__ = "0.1.0"

__all__ = [
    "LIF",
    "SGD",
    "Adam",
    "AllToAll",
    "Analog",
    "Classification",
    "CrossEntropy",
    "CustomNeurons",
    "Explicit",
    "FixedInDegree",
    "Fragment",
    "Gaussian",
    "Glorot",
    "Injection",
    "LayerNorm",
    "LeakyReadout",
    "MeanSquaredError",
    "Model",
    "Network",
    "Normal",
    "OneToOne",
    "PoissonSource",
    "Probability",
    "RateReadout",
    "Record",
    "Rule",
    "Schedule",
    "Segment",
    "SpikeSource",
    "Task",
    "ThirdFactor",
    "Uniform",
    "Update",
    "UserError",
    "__version__",
]
