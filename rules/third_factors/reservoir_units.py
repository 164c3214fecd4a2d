r"""What a reservoir is made of: units that take up one sample after another, as descriptions in the simulation.

Class-gated, every unit i belonging to the pool of one class c(i). In the response step after a sample with class y and
layer representation z, the gate g_i = [c(i) = y], and the readout sees the state r before this sample,

    opened = g r,   closed = (1 - g) r,   z

of which pools that each hold an average are read by the first alone (`reservoir_answers`: how all of them answer).
Rate units then take up the sample at once, spiking units in a time of their own or while it is shown; other pools hold:

    RateUnits        r <- r + g leak (tanh(W_in z + W_rec r) - r)
    WorkingUnits     tau_m dv/dt = bias + (W_in z) + tau_m (spikes through W_rec) - v,  for `sample_time` afterwards
    DrivenUnits      tau_m dv/dt = bias + tau_m (the layer's spikes through W_in, own spikes through W_rec) - v,
                     while the sample is shown; the readout sees a copy of r from before
    spiking units    spike where v >= 1, v <- 0;  tau_trace dr/dt = -(1 + r),  r <- r + 1 / (tau_trace f_0) at a spike

f_0 = 1 / (tau_m log(bias / (bias - 1))) is the firing rate at rest, so that r is 0 there: a slow trace of spikes that
measures the rate as a multiple of f_0, less 1.

PlainUnits are the ungated comparison: the class is an input, and the readout sees the state with this sample in it:

    r <- r + leak (tanh(W_in z + W_y y + W_rec r) - r);   features r, z, y
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from snnplast.network import Analog, CustomNeurons, ExplicitPairs, Network, Population, Update, slots
from snnplast.random_streams import stream
from snnplast.time_steps import steps_of

if TYPE_CHECKING:
    from snnplast.rules.third_factors.reservoir import Reservoir

_FEATURES = Update("opened = r*gate\nclosed = r*(1 - gate)", "before_synapses", event="trial")


class Feature(NamedTuple):
    """What a readout sees of a reservoir: what it is called there, and the population and variable that it is."""

    called: str
    population: str
    variable: str


@dataclass(frozen=True)
class Units:
    """The reservoir of one layer of `size` neurons.

    layer: whose spikes it hears. z_of: the population whose variable z is the layer's representation.
    features: everything a readout sees that hears all of it; pools: what one does to which the open pool alone answers.
    order: of the readout among what acts in the response step.
    state: variables that outlive trials. spiking: whether its units spike.
    """

    settings: Reservoir
    layer: str
    z_of: str
    size: int
    classes: int
    seed: int

    order: ClassVar[int] = 0
    state: ClassVar[tuple[str, ...]] = ("r",)
    spiking: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return f"{self.layer}_reservoir"

    @property
    def features(self) -> tuple[Feature, ...]:
        gated = (Feature(variable, self.name, variable) for variable in ("opened", "closed"))
        return *gated, Feature("z", self.z_of, "z")

    @property
    def pools(self) -> tuple[Feature, ...]:
        return (Feature("pools", self.name, "opened"),)

    def gate(self, label: np.ndarray) -> np.ndarray:
        """g (units,) of a sample with this one-hot class (C,)."""
        return label[self.pool]

    @property
    def pool(self) -> np.ndarray:
        """c(i) (units,): the class of the pool of each unit."""
        return np.arange(self.settings.units) % self.classes

    def respond(self, label: np.ndarray) -> dict[str, np.ndarray]:
        """What is set before the response step, given the one-hot class (C,)."""
        return {f"{self.name}.gate": self.gate(label)}

    def present(self, label: np.ndarray) -> dict[str, np.ndarray]:
        """What is set before the sample is shown."""
        return {}

    @classmethod
    def work(cls, settings: Reservoir, dt: float) -> int:
        """Steps after the response in which the units take up a sample."""
        return 0

    def population(self) -> Population:
        """The units."""
        raise NotImplementedError

    def add_to(self, network: Network) -> None:
        """Units, input and recurrence; all weights are drawn from the seed."""
        rng = stream(self.seed, "reservoir", self.layer)
        recurrent = self._recurrent(rng)
        network.add(self.name, self.population())
        inputs = self.settings.input_scale / np.sqrt(self.size) * rng.standard_normal((self.size, self.settings.units))
        self._connect_input(network, inputs, rng)
        pre, post = np.nonzero(recurrent)
        if pre.size:
            pairs = ExplicitPairs(pre=pre, post=post)
            self._connect_itself(network, connectivity=pairs, weights=self._per_spike * recurrent[pre, post])

    def _groups(self) -> list[np.ndarray]:
        """Units that may be connected among themselves: those of one pool."""
        return [np.flatnonzero(self.pool == label) for label in range(self.classes)]

    _per_spike: ClassVar[float] = 1.0
    """Weight of one spike for a recurrent weight of 1."""

    def _recurrent(self, rng: np.random.Generator) -> np.ndarray:
        """W_rec (pre, post)."""
        square = (self.settings.units, self.settings.units)
        drawn = (rng.random(square) < self.settings.connectivity) * rng.standard_normal(square)
        recurrent, largest = np.zeros(square), 0.0
        for group in map(np.ix_, *[self._groups()] * 2):
            recurrent[group] = drawn[group]
            largest = max(largest, np.abs(np.linalg.eigvals(drawn[group])).max())
        return recurrent * (self.settings.in_force("radius") / largest if largest > 0 else 0.0)

    def _connect_input(self, network: Network, inputs: np.ndarray, rng: np.random.Generator) -> None:
        settings = {"kind": "analog", "variable": "z", "every": "trial", "into": "drive"}
        network.connect(self.z_of, self.name, name=f"{self.layer}_to_{self.name}", weights=inputs, **settings)

    def _connect_itself(self, network: Network, **values) -> None:
        network.connect(self.name, self.name, kind="analog", variable="r", every="trial", **values)


class RateUnits(Units):
    """Class-gated rate units, clocked once per sample."""

    def population(self) -> Population:
        step = Update("r = r + gate*leak*(tanh(drive) - r)\ndrive = 0", *slots.READOUTS, event="trial")
        return Analog(
            self.settings.units,
            equations="r : 1\ngate : 1\ndrive : 1\nopened : 1\nclosed : 1",
            updates=(_FEATURES, step),
            constants={"leak": self.settings.in_force("leak")},
            persistent=self.state,
        )


class PlainUnits(Units):
    """Ungated rate units, clocked once per sample before the readout sees them."""

    order: ClassVar[int] = 2

    @property
    def features(self) -> tuple[Feature, ...]:
        heard = {"r": self.name, "z": self.z_of, "y": f"{self.layer}_label"}
        return tuple(Feature(variable, population, variable) for variable, population in heard.items())

    def respond(self, label: np.ndarray) -> dict[str, np.ndarray]:
        return {f"{self.layer}_label.y": label}

    def population(self) -> Population:
        step = Update("r = r + leak*(tanh(drive) - r)\ndrive = 0", *slots.UNITS, event="trial")
        return Analog(
            self.settings.units,
            equations="r : 1\ndrive : 1",
            updates=(step,),
            constants={"leak": self.settings.in_force("leak")},
            persistent=self.state,
        )

    def _groups(self) -> list[np.ndarray]:
        return [np.arange(self.settings.units)]

    def _connect_input(self, network: Network, inputs: np.ndarray, rng: np.random.Generator) -> None:
        super()._connect_input(network, inputs, rng)
        network.add(f"{self.layer}_label", Analog(self.classes, equations="y : 1", into="y"))
        weights = self.settings.input_scale * rng.standard_normal((self.classes, self.settings.units))
        network.connect(f"{self.layer}_label", self.name, kind="analog", variable="y", every="trial", weights=weights)


class WorkingUnits(Units):
    """Class-gated LIF units that take up a sample after the readout has read, in a time of their own."""

    spiking: ClassVar[bool] = True
    state: ClassVar[tuple[str, ...]] = ("v", "r")
    own: ClassVar[str] = "drive"
    """A variable of this kind of units."""
    towards: ClassVar[str] = "bias_current + drive"
    opening: ClassVar[str] = "open*working"
    read: ClassVar[tuple[Update, ...]] = (_FEATURES, Update("open = gate", *slots.READOUTS, event="trial"))

    @classmethod
    def work(cls, settings: Reservoir, dt: float) -> int:
        return steps_of("sample_time", settings.sample_time, dt)

    def population(self) -> Population:
        settings = self.settings
        variables = [f"{name} : 1" for name in ("v", "r", "open", "gate", "arriving", "opened", "closed", self.own)]
        units = {"bias_current": "1", "tau_m": "second", "tau_trace": "second", "jump": "1"}
        constants = [f"{name} : {unit} (constant, shared)" for name, unit in units.items()]
        # Each step is the exact solution of the equations above, written so that closed units hold every bit.
        step = f"""
            v = v + {self.opening}*((1 - exp(-dt/tau_m))*({self.towards} - v) + arriving)
            r = r - {self.opening}*(1 - exp(-dt/tau_trace))*(1 + r)
            arriving = 0
        """
        return CustomNeurons(
            settings.units,
            equations="\n".join(variables + constants),
            constants={
                "bias_current": settings.in_force("bias"),
                "tau_m": f"{settings.tau_m!r} second",
                "tau_trace": f"{settings.in_force('tau_trace')!r} second",
                "jump": settings.tau_m * self._log / settings.in_force("tau_trace"),
            },
            threshold="v >= 1",
            reset="v = 0\nr = r + jump",
            into="arriving",
            distance="v - 1",
            threshold_scale="1",
            updates=(*self.read, Update(dedent(step).strip(), *slots.MEMBRANE)),
            persistent=self.state,
        )

    def _recurrent(self, rng: np.random.Generator) -> np.ndarray:
        """Every unit's weights sum to 0, so that it is not driven by what all have in common: spikes have one sign."""
        recurrent = super()._recurrent(rng)
        connected = recurrent != 0
        return (recurrent - recurrent.sum(axis=0) / np.maximum(connected.sum(axis=0), 1)) * connected

    @property
    def _log(self) -> float:
        """1 / (tau_m f_0)."""
        bias = self.settings.in_force("bias")
        return float(np.log(bias / (bias - 1)))

    @property
    def _per_spike(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A unit at rest that is connected by a weight of 1 adds 1 to the mean drive."""
        return self._log

    def _connect_itself(self, network: Network, **values) -> None:
        network.connect(self.name, self.name, **values)


class DrivenUnits(WorkingUnits):
    """Class-gated LIF units that the layer's own spikes drive while a sample is shown."""

    state: ClassVar[tuple[str, ...]] = ("v", "r", "held")
    own: ClassVar[str] = "held"
    towards: ClassVar[str] = "bias_current"
    opening: ClassVar[str] = "open*(1 - responding)"
    read: ClassVar[tuple[Update, ...]] = (
        Update("opened = held*gate\nclosed = held*(1 - gate)", "before_synapses", event="trial"),
        Update("held = r", *slots.READOUTS, event="trial"),
    )

    def present(self, label: np.ndarray) -> dict[str, np.ndarray]:
        return {f"{self.name}.open": self.gate(label)}

    @classmethod
    def work(cls, settings: Reservoir, dt: float) -> int:
        return 0

    def _connect_input(self, network: Network, inputs: np.ndarray, rng: np.random.Generator) -> None:
        """Every unit's weights sum to 0, as if inhibition took away what the rates of a layer have in common.

        Scaled so that rates of `layer_rate` (1 + `layer_cv` z) make a mean drive of W_in z.
        """
        settings = self.settings
        weights = (inputs - inputs.mean(axis=0)) / (settings.tau_m * settings.layer_rate * settings.layer_cv)
        network.connect(self.layer, self.name, weights=weights)
