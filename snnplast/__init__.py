"""Spiking neural networks that learn by local plasticity rules, on Brian2.

What users write networks with is offered here:

    from snnplast import LIF, LeakyReadout, Network, Normal, PoissonSource

Names are imported when they are first used, so that the command line starts without loading Brian2.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from snnplast.connectivity import (
        AllToAll as AllToAll,
        FixedInDegree as FixedInDegree,
        OneToOne as OneToOne,
        Probability as Probability,
    )
    from snnplast.errors import UserError as UserError
    from snnplast.fragments import Fragment as Fragment, Injection as Injection, Update as Update
    from snnplast.model import Model as Model
    from snnplast.network import Network as Network
    from snnplast.neurons import (
        LIF as LIF,
        Analog as Analog,
        CustomNeurons as CustomNeurons,
        LayerNorm as LayerNorm,
        LeakyReadout as LeakyReadout,
        PoissonSource as PoissonSource,
        RateReadout as RateReadout,
        SpikeSource as SpikeSource,
    )
    from snnplast.objective import CrossEntropy as CrossEntropy, MeanSquaredError as MeanSquaredError
    from snnplast.optimizer import SGD as SGD, Adam as Adam, Schedule as Schedule
    from snnplast.rule import Rule as Rule
    from snnplast.task import Classification as Classification, Task as Task
    from snnplast.third_factor import ThirdFactor as ThirdFactor
    from snnplast.trial import Record as Record, Segment as Segment
    from snnplast.weights import (
        Explicit as Explicit,
        Gaussian as Gaussian,
        Glorot as Glorot,
        Normal as Normal,
        Uniform as Uniform,
    )

_HOME = {
    "connectivity": "AllToAll FixedInDegree OneToOne Probability",
    "errors": "UserError",
    "fragments": "Fragment Injection Update",
    "model": "Model",
    "network": "Network",
    "neurons": "LIF Analog CustomNeurons LayerNorm LeakyReadout PoissonSource RateReadout SpikeSource",
    "objective": "CrossEntropy MeanSquaredError",
    "optimizer": "SGD Adam Schedule",
    "rule": "Rule",
    "task": "Classification Task",
    "third_factor": "ThirdFactor",
    "trial": "Record Segment",
    "weights": "Explicit Gaussian Glorot Normal Uniform",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'snnplast' has no attribute {name!r}")
    return getattr(import_module(f"snnplast.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*_MODULE, "__version__"])
