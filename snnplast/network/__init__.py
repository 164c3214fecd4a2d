"""What a network is made of: descriptions, frozen and checked; no Brian2 object."""

from typing import TYPE_CHECKING

from snnplast.lazy import offers

if TYPE_CHECKING:
    from snnplast.network.adex import AdEx as AdEx
    from snnplast.network.connectivity import AllToAll as AllToAll
    from snnplast.network.connectivity import Connectivity as Connectivity
    from snnplast.network.connectivity import ExplicitPairs as ExplicitPairs
    from snnplast.network.connectivity import FixedInDegree as FixedInDegree
    from snnplast.network.connectivity import OneToOne as OneToOne
    from snnplast.network.connectivity import Probability as Probability
    from snnplast.network.custom_neurons import CustomNeurons as CustomNeurons
    from snnplast.network.delays import UniformDelay as UniformDelay
    from snnplast.network.fragments import Fragment as Fragment
    from snnplast.network.fragments import Injection as Injection
    from snnplast.network.fragments import Update as Update
    from snnplast.network.glif import GLIF as GLIF
    from snnplast.network.izhikevich import Izhikevich as Izhikevich
    from snnplast.network.network import Network as Network
    from snnplast.network.neurons import ALIF as ALIF
    from snnplast.network.neurons import LIF as LIF
    from snnplast.network.neurons import SpikingPopulation as SpikingPopulation
    from snnplast.network.own_equations import Analog as Analog
    from snnplast.network.population import LayerNorm as LayerNorm
    from snnplast.network.population import PoissonSource as PoissonSource
    from snnplast.network.population import Population as Population
    from snnplast.network.population import SpikeSource as SpikeSource
    from snnplast.network.projection import Projection as Projection
    from snnplast.network.projection import Wiring as Wiring
    from snnplast.network.readouts import LeakyReadout as LeakyReadout
    from snnplast.network.readouts import RateReadout as RateReadout
    from snnplast.network.vogels_abbott import COBA as COBA
    from snnplast.network.vogels_abbott import CUBA as CUBA
    from snnplast.network.weights import ExplicitWeights as ExplicitWeights
    from snnplast.network.weights import Gaussian as Gaussian
    from snnplast.network.weights import Glorot as Glorot
    from snnplast.network.weights import Normal as Normal
    from snnplast.network.weights import Transposed as Transposed
    from snnplast.network.weights import Uniform as Uniform
    from snnplast.network.weights import Weights as Weights

__all__, __getattr__, __dir__ = offers(
    __name__,
    {
        "network.network": "Network",
        "network.projection": "Projection Wiring",
        "network.population": "Population SpikeSource PoissonSource LayerNorm",
        "network.custom_neurons": "CustomNeurons",
        "network.neurons": "SpikingPopulation LIF ALIF",
        "network.adex": "AdEx",
        "network.izhikevich": "Izhikevich",
        "network.vogels_abbott": "COBA CUBA",
        "network.glif": "GLIF",
        "network.own_equations": "Analog",
        "network.readouts": "LeakyReadout RateReadout",
        "network.weights": "Weights Normal Gaussian Glorot Uniform ExplicitWeights Transposed",
        "network.connectivity": "Connectivity AllToAll OneToOne Probability FixedInDegree ExplicitPairs",
        "network.delays": "UniformDelay",
        "network.fragments": "Fragment Injection Update",
    },
)
