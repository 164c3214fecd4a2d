"""Spiking neural networks that learn by local plasticity rules, on Brian2.

What users write networks with is offered here:

    from snnplast import LIF, LeakyReadout, Network, Normal, PoissonSource

Names are imported when they are first used, so that the command line starts without loading Brian2.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from snnplast.connectivity import AllToAll as AllToAll
    from snnplast.connectivity import ExplicitPairs as ExplicitPairs
    from snnplast.connectivity import FixedInDegree as FixedInDegree
    from snnplast.connectivity import OneToOne as OneToOne
    from snnplast.connectivity import Probability as Probability
    from snnplast.errors import UserError as UserError
    from snnplast.fragments import Fragment as Fragment
    from snnplast.fragments import Injection as Injection
    from snnplast.fragments import Update as Update
    from snnplast.model import Model as Model
    from snnplast.network import Network as Network
    from snnplast.neurons import ALIF as ALIF
    from snnplast.neurons import LIF as LIF
    from snnplast.neurons import CustomNeurons as CustomNeurons
    from snnplast.objective import CrossEntropy as CrossEntropy
    from snnplast.objective import MeanSquaredError as MeanSquaredError
    from snnplast.optimizer import SGD as SGD
    from snnplast.optimizer import Adam as Adam
    from snnplast.optimizer import Schedule as Schedule
    from snnplast.own_equations import Analog as Analog
    from snnplast.population import LayerNorm as LayerNorm
    from snnplast.population import PoissonSource as PoissonSource
    from snnplast.population import SpikeSource as SpikeSource
    from snnplast.readouts import LeakyReadout as LeakyReadout
    from snnplast.readouts import RateReadout as RateReadout
    from snnplast.rule import Rule as Rule
    from snnplast.task import Classification as Classification
    from snnplast.task import Task as Task
    from snnplast.third_factor import ThirdFactor as ThirdFactor
    from snnplast.trial import Record as Record
    from snnplast.trial import Segment as Segment
    from snnplast.weights import ExplicitWeights as ExplicitWeights
    from snnplast.weights import Gaussian as Gaussian
    from snnplast.weights import Glorot as Glorot
    from snnplast.weights import Normal as Normal
    from snnplast.weights import Uniform as Uniform

_HOME = {
    "connectivity": "AllToAll ExplicitPairs FixedInDegree OneToOne Probability",
    "errors": "UserError",
    "fragments": "Fragment Injection Update",
    "model": "Model",
    "network": "Network",
    "neurons": "ALIF LIF CustomNeurons",
    "own_equations": "Analog",
    "population": "LayerNorm PoissonSource SpikeSource",
    "readouts": "LeakyReadout RateReadout",
    "objective": "CrossEntropy MeanSquaredError",
    "optimizer": "SGD Adam Schedule",
    "rule": "Rule",
    "task": "Classification Task",
    "third_factor": "ThirdFactor",
    "trial": "Record Segment",
    "weights": "ExplicitWeights Gaussian Glorot Normal Uniform",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'snnplast' has no attribute {name!r}")
    return getattr(import_module(f"snnplast.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*_MODULE, "__version__"])
