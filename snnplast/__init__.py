"""Spiking neural networks that learn by local plasticity rules, on Brian2.

What users write networks, experiments and runs with is offered here, built-in rules and third factors included:

    from snnplast import LIF, LeakyReadout, Network, Normal, PoissonSource
    import snnplast as snn; run = snn.train(snn.Experiment(net, task, snn.EProp(batch=8), epochs=5))

Names are imported when they are first used, so that the command line starts without loading Brian2.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from snnplast import registry
from snnplast.lazy import offers
from snnplast.version import __version__ as __version__

if TYPE_CHECKING:
    from snnplast import plot as plot
    from snnplast.config.experiment import Experiment as Experiment
    from snnplast.config.settings import Recording as Recording
    from snnplast.engine.brian_network import compile as compile
    from snnplast.errors import UserError as UserError
    from snnplast.learning.optimizer import SGD as SGD
    from snnplast.learning.optimizer import Adam as Adam
    from snnplast.learning.optimizer import Schedule as Schedule
    from snnplast.learning.rule import Rule as Rule
    from snnplast.learning.third_factor import ThirdFactor as ThirdFactor
    from snnplast.network.adex import AdEx as AdEx
    from snnplast.network.connectivity import AllToAll as AllToAll
    from snnplast.network.connectivity import ExplicitPairs as ExplicitPairs
    from snnplast.network.connectivity import FixedInDegree as FixedInDegree
    from snnplast.network.connectivity import OneToOne as OneToOne
    from snnplast.network.connectivity import Probability as Probability
    from snnplast.network.custom_neurons import CustomNeurons as CustomNeurons
    from snnplast.network.fragments import Fragment as Fragment
    from snnplast.network.fragments import Injection as Injection
    from snnplast.network.fragments import Update as Update
    from snnplast.network.glif import GLIF as GLIF
    from snnplast.network.izhikevich import Izhikevich as Izhikevich
    from snnplast.network.network import Network as Network
    from snnplast.network.neurons import ALIF as ALIF
    from snnplast.network.neurons import LIF as LIF
    from snnplast.network.own_equations import Analog as Analog
    from snnplast.network.population import LayerNorm as LayerNorm
    from snnplast.network.population import PoissonSource as PoissonSource
    from snnplast.network.population import SpikeSource as SpikeSource
    from snnplast.network.readouts import LeakyReadout as LeakyReadout
    from snnplast.network.readouts import RateReadout as RateReadout
    from snnplast.network.vogels_abbott import COBA as COBA
    from snnplast.network.vogels_abbott import CUBA as CUBA
    from snnplast.network.weights import ExplicitWeights as ExplicitWeights
    from snnplast.network.weights import Gaussian as Gaussian
    from snnplast.network.weights import Glorot as Glorot
    from snnplast.network.weights import Normal as Normal
    from snnplast.network.weights import Uniform as Uniform
    from snnplast.task.action import ReadoutChoice as ReadoutChoice
    from snnplast.task.action import SpikeChoice as SpikeChoice
    from snnplast.task.actor_critic import ActorCritic as ActorCritic
    from snnplast.task.closed_loop import ClosedLoop as ClosedLoop
    from snnplast.task.free_run import FreeRun as FreeRun
    from snnplast.task.model import Model as Model
    from snnplast.task.objective import CrossEntropy as CrossEntropy
    from snnplast.task.objective import MeanSquaredError as MeanSquaredError
    from snnplast.task.observation import PixelCode as PixelCode
    from snnplast.task.observation import PopulationCode as PopulationCode
    from snnplast.task.observation import RateCode as RateCode
    from snnplast.task.task import Classification as Classification
    from snnplast.task.task import Samples as Samples
    from snnplast.task.task import Task as Task
    from snnplast.task.trial import Record as Record
    from snnplast.task.trial import Segment as Segment
    from snnplast.training.attach import attach as attach
    from snnplast.training.csv_logger import CSVLogger as CSVLogger
    from snnplast.training.early_stopping import EarlyStopping as EarlyStopping
    from snnplast.training.opened import evaluate as evaluate
    from snnplast.training.opened import open as open
    from snnplast.training.opened import predict as predict
    from snnplast.training.saved_weights import load_weights as load_weights
    from snnplast.training.saved_weights import save_weights as save_weights
    from snnplast.training.train import resume as resume
    from snnplast.training.train import train as train

_HOME = {
    "config.experiment": "Experiment",
    "config.settings": "Recording",
    "network.connectivity": "AllToAll ExplicitPairs FixedInDegree OneToOne Probability",
    "engine.brian_network": "compile",
    "errors": "UserError",
    "network.fragments": "Fragment Injection Update",
    "task.model": "Model",
    "network.network": "Network",
    "network.custom_neurons": "CustomNeurons",
    "network.neurons": "ALIF LIF",
    "network.adex": "AdEx",
    "network.izhikevich": "Izhikevich",
    "network.vogels_abbott": "COBA CUBA",
    "network.glif": "GLIF",
    "network.own_equations": "Analog",
    "network.population": "LayerNorm PoissonSource SpikeSource",
    "network.readouts": "LeakyReadout RateReadout",
    "task.action": "ReadoutChoice SpikeChoice",
    "task.actor_critic": "ActorCritic",
    "task.closed_loop": "ClosedLoop",
    "task.objective": "CrossEntropy MeanSquaredError",
    "task.observation": "PixelCode PopulationCode RateCode",
    "learning.optimizer": "SGD Adam Schedule",
    "learning.rule": "Rule",
    "training.attach": "attach",
    "task.free_run": "FreeRun",
    "task.task": "Classification Samples Task",
    "learning.third_factor": "ThirdFactor",
    "task.trial": "Record Segment",
    "training.csv_logger": "CSVLogger",
    "training.early_stopping": "EarlyStopping",
    "training.opened": "evaluate open predict",
    "training.saved_weights": "load_weights save_weights",
    "training.train": "resume train",
    "network.weights": "ExplicitWeights Gaussian Glorot Normal Uniform",
}
_OFFERED, _offered, _ = offers(__name__, _HOME)
_BUILT_IN = {
    target.partition(":")[2]: (kind, name)
    for kind in ("rule", "third-factor")
    for name, target in registry.BUILT_IN[kind].items()
}
"""Rules and third factors that come with the library, by the name of their class."""
_NEVER_UNASKED = {"open", "compile"}
"""What Python itself calls something else: `from snnplast import *` leaves it alone; `snnplast.open` has it."""

__all__ = sorted({*_OFFERED, *_BUILT_IN, "plot"} - _NEVER_UNASKED)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "plot":
        return import_module("snnplast.plot")
    return registry.load(*_BUILT_IN[name]) if name in _BUILT_IN else _offered(name)


def __dir__() -> list[str]:
    return sorted([*_OFFERED, *_BUILT_IN, "plot", "__version__"])
