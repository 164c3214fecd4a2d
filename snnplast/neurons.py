"""Populations: spiking neurons, readouts, sources and analog units, described and validated before anything is built.

Times carry units (Brian2 quantities or strings such as "20 ms"); membranes and weights are dimensionless.
A value that may differ between neurons is a number or an array with one entry per neuron.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from brian2 import Quantity
from pydantic import BeforeValidator, Field, model_validator

from snnplast.description import Description
from snnplast.errors import UserError
from snnplast.fragments import Fragment, Update, Value, merge
from snnplast.units import PositiveRate, parse_quantity


def _each(unit: str | None, low: float | None = None, strict: bool = False) -> BeforeValidator:
    """Validator of a number or an array (n,), in SI units, finite and above `low`."""

    def number(value: Any) -> float:
        try:
            return parse_quantity(value, unit) if unit else float(value)
        except TypeError:
            raise ValueError(f"{value!r} is no number") from None

    def convert(value: Any) -> Value:
        if isinstance(value, list | tuple) or (unit and isinstance(value, Quantity) and np.ndim(value) > 0):
            array = np.array([number(entry) for entry in value])
        elif isinstance(value, np.ndarray) and not unit:
            array = np.array(value, dtype=float)
        else:
            array = np.asarray(number(value))
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{value!r} is not finite")
        if low is not None and not np.all(array > low if strict else array >= low):
            raise ValueError(
                f"{value!r} is out of range: {'greater than' if strict else 'at least'} {low:g} is allowed"
            )
        return float(array) if array.ndim == 0 else array

    return BeforeValidator(convert)


_IN_MS = Field(json_schema_extra={"unit": "ms"})
PositiveTimes = Annotated[Value, _each("second", 0, strict=True), _IN_MS]
NonNegativeTimes = Annotated[Value, _each("second", 0), _IN_MS]
Positive = Annotated[Value, _each(None, 0, strict=True)]
NonNegative = Annotated[Value, _each(None, 0)]
Real = Annotated[Value, _each(None)]


class Population(Description):
    """Neurons of one kind.

    size: number of neurons, >= 1.
    """

    size: Annotated[int, Field(ge=1, description="number of neurons")]
    spiking: ClassVar[bool] = False
    readout: ClassVar[bool] = False
    input_variable: ClassVar[str | None] = None

    def __init__(self, size: int, **values: Any) -> None:
        super().__init__(size=size, **values)

    @model_validator(mode="after")
    def _one_entry_per_neuron(self) -> Population:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and value.shape != (self.size,):
                raise ValueError(f"{name} has shape {value.shape}; allowed is a number or shape ({self.size},)")
        return self

    @property
    def input_variable_name(self) -> str | None:
        """Variable that projections add to; None: takes no input."""
        return self.input_variable

    def fragment(self, dt: float) -> Fragment:
        """Its equations in Brian2's language, for a time step `dt` (s); a source has none."""
        return Fragment()

    def input_gain(self, dt: float) -> Value:
        """What one unit of weighted input adds to the membrane."""
        return 1.0


class SpikeSource(Population):
    """Spikes handed over by the task: arrays of steps and neuron indices."""

    spiking: ClassVar[bool] = True


class PoissonSource(SpikeSource):
    r"""Poisson spikes from values u in [0, 1]: P(spike in a step) = u * peak_rate * dt, independently.

    peak_rate: firing rate at u = 1, default 200 Hz, > 0.
    """

    peak_rate: Annotated[PositiveRate, Field(description="firing rate at input value 1")] = "200 Hz"  # type: ignore[assignment]


class LayerNorm(Description):
    r"""Rate representation of a layer: subtractive and divisive inhibition from one interneuron pool.

    z = (r - mean(r)) / sqrt(var(r) + offset),   r = spike count / duration

    offset: regulariser of the variance, Hz^2, default 1, > 0.
    """

    offset: Annotated[float, Field(gt=0, description="added to the variance (Hz^2)")] = 1.0

    def __call__(self, rates: np.ndarray) -> np.ndarray:
        """rates (n,) in Hz -> z (n,)."""
        return (rates - rates.mean()) / np.sqrt(rates.var() + self.offset)


class SpikingPopulation(Population):
    """What rules need to know of a spiking neuron with one exponentially decaying membrane v.

    tau_m: membrane time constant: v decays by alpha = exp(-dt/tau_m) per step.
    normalise_input: input is scaled by 1 - alpha (NEST: regular_spike_arrival = False) or by 1 (default).
    representation: rate representation z for layer-wise rules, or none.
    """

    spiking: ClassVar[bool] = True
    tau_m: Annotated[PositiveTimes, Field(description="membrane time constant tau_m")] = "20 ms"  # type: ignore[assignment]
    normalise_input: Annotated[bool, Field(description="scale input by 1 - exp(-dt/tau_m)")] = False
    representation: Annotated[LayerNorm | None, Field(description="rate representation z")] = None

    @property
    def distance(self) -> str:
        """Expression of v - A: the membrane's distance to the threshold of this step."""
        raise NotImplementedError

    @property
    def threshold_scale(self) -> str:
        """Expression of the base threshold theta, the scale of surrogate derivatives."""
        raise NotImplementedError

    @property
    def threshold(self) -> str:
        """Brian2 condition of a spike."""
        raise NotImplementedError

    @property
    def adaptation(self) -> tuple[Value, Value] | None:
        """(beta, tau): strength and time constant (s) of an adaptive threshold A = theta + beta a; None: constant."""
        return None

    @property
    def active(self) -> str | None:
        """Expression that is 1 where the neuron may spike, 0 while refractory; None: always."""
        raise NotImplementedError

    def input_gain(self, dt: float) -> Value:
        return 1 - np.exp(-dt / self.tau_m) if self.normalise_input else 1.0

    def _representation(self) -> tuple[str, ...]:
        return ("z : 1",) if self.representation is not None else ()


class LIF(SpikingPopulation):
    r"""Leaky integrate-and-fire neurons.

    v^t = alpha v^{t-1} + c sum_i w_i x_i^t + b,   alpha = exp(-dt/tau_m);   v^t >= floor
    z^t = 1 where v^t >= theta and the neuron is not refractory

    The reset at a spike is one of
        "subtract"       v <- v - theta at once (alpha theta is gone one step later; IB-Hebbian's settings),
        "subtract-next"  v^{t+1} loses exactly theta (e-prop's papers),
        a number         v <- that value.

    tau_m: membrane time constant, default 20 ms, > 0; number or one per neuron.
    v_threshold: theta, dimensionless, default 1, > 0.
    reset: see above, default "subtract".
    refractory: time after a spike in which v integrates but cannot spike, default 0 ms, >= 0.
    v_min: floor of v, default none.
    bias: b, added each step, default none; a number or array makes it a parameter that rules may learn.
    normalise_input: c = 1 - alpha instead of c = 1.
    """

    input_variable: ClassVar[str | None] = "v"
    v_threshold: Annotated[Positive, Field(description="spike threshold theta")] = 1.0
    reset: Annotated[Literal["subtract", "subtract-next"] | float, Field(description="reset at a spike")] = "subtract"
    refractory: Annotated[NonNegativeTimes, Field(description="refractory time")] = 0.0
    v_min: Annotated[float | None, Field(description="floor of the membrane")] = None
    bias: Annotated[Real | None, Field(description="constant input per step; learnable")] = None

    @property
    def distance(self) -> str:
        return "v - v_threshold"

    @property
    def threshold_scale(self) -> str:
        return "v_threshold"

    @property
    def active(self) -> str | None:
        return "int(not_refractory)" if np.any(np.asarray(self.refractory) > 0) else None

    def fragment(self, dt: float) -> Fragment:
        constants: dict[str, Value] = {"tau_m": self.tau_m, "v_threshold": self.v_threshold}
        units = {"tau_m": "second"}
        equations = ("dv/dt = -v/tau_m : 1", *self._representation())
        updates: tuple[Update, ...] = ()
        if self.bias is not None:
            equations += ("bias : 1",)
            updates += (Update("v = v + bias", order=1),)
        if self.v_min is not None:
            constants["v_min"] = self.v_min
            updates += (Update("v = clip(v, v_min, inf)", order=1),)
        if self.active:
            constants["refractory_time"], units["refractory_time"] = self.refractory, "second"
        if isinstance(self.reset, str):
            reset = "v = v - v_threshold" + ("*exp(dt/tau_m)" if self.reset == "subtract-next" else "")
        else:
            constants["v_reset"] = self.reset
            reset = "v = v_reset"
        return Fragment(equations, constants, units, updates, (reset,))

    @property
    def threshold(self) -> str:
        return "v >= v_threshold"


class ALIF(LIF):
    r"""Leaky integrate-and-fire neurons with an adaptive threshold.

    a^t = rho a^{t-1} + z^{t-1},   rho = exp(-dt/tau_adapt);   A^t = theta + beta a^t
    z^t = 1 where v^t >= A^t and the neuron is not refractory; all else as `LIF`, resets by the base threshold theta.

    tau_adapt: time constant of the adaptation, default 2000 ms, > 0; number or one per neuron.
    beta: rise of the threshold per spike, dimensionless, default 0.017, >= 0; 0 makes a neuron a LIF neuron.
    """

    tau_adapt: Annotated[PositiveTimes, Field(description="time constant of the adaptation")] = "2000 ms"  # type: ignore[assignment]
    beta: Annotated[NonNegative, Field(description="rise of the threshold per spike")] = 0.017

    @property
    def distance(self) -> str:
        return "v - v_threshold - beta*a"

    @property
    def adaptation(self) -> tuple[Value, Value] | None:
        return self.beta, self.tau_adapt

    @property
    def threshold(self) -> str:
        return "v >= v_threshold + beta*a"

    def fragment(self, dt: float) -> Fragment:
        adapting = Fragment(
            ("da/dt = -a/tau_adapt : 1",),
            {"beta": self.beta, "tau_adapt": self.tau_adapt},
            {"tau_adapt": "second"},
            on_spike=("a = a + exp(dt/tau_adapt)",),  # the coming decay takes the factor back
        )
        return merge("ALIF", [super().fragment(dt), adapting])


class CustomNeurons(SpikingPopulation):
    r"""Your own Brian2 equations; you supply what a rule cannot derive from them.

    equations: Brian2 equations, one per line.
    threshold, reset: Brian2 code.
    membrane: the variable that spikes add to (`membrane += c * w`).
    distance: expression of the membrane's distance to the threshold, e.g. 'v - vt'.
    threshold_scale: expression of the base threshold, the scale of surrogate derivatives, e.g. 'theta'.
    tau_m: time constant with which the membrane forgets its input.
    constants: values of the names your equations declare as '(constant)' or '(constant, shared)'.
    refractory: refractory time, default 0 ms.
    """

    equations: str
    threshold_code: Annotated[str, Field(alias="threshold")]
    reset: str = ""
    membrane: str = "v"
    distance_code: Annotated[str, Field(alias="distance")]
    threshold_scale_code: Annotated[str, Field(alias="threshold_scale")]
    constants: dict[str, Any] = Field(default_factory=dict)
    refractory: NonNegativeTimes = 0.0

    @property
    def distance(self) -> str:
        return self.distance_code

    @property
    def threshold_scale(self) -> str:
        return self.threshold_scale_code

    @property
    def threshold(self) -> str:
        return self.threshold_code

    @property
    def input_variable_name(self) -> str | None:
        return self.membrane

    @property
    def active(self) -> str | None:
        return "int(not_refractory)" if np.any(np.asarray(self.refractory) > 0) else None

    def fragment(self, dt: float) -> Fragment:
        lines = tuple(line.strip() for line in self.equations.splitlines() if line.strip())
        constants = dict(self.constants)
        units: dict[str, str] = {}
        for line in lines:
            name, _, rest = line.partition(":")
            if "(constant" in rest and name.strip() in constants:
                units[name.strip()] = rest.split("(")[0].strip()
        lines = tuple(line for line in lines if line.partition(":")[0].strip() not in constants)
        if self.active:
            constants["refractory_time"], units["refractory_time"] = self.refractory, "second"
        return Fragment(lines + self._representation(), constants, units, (), (self.reset,) if self.reset else ())


class LeakyReadout(Population):
    r"""Non-spiking leaky readout of the spikes of the same step.

    y_k^t = kappa y_k^{t-1} + (1 - kappa) sum_j w_kj z_j^t,   kappa = exp(-dt/tau_out)

    tau_m: time constant tau_out, default 20 ms, > 0; number or one per readout.
    """

    readout: ClassVar[bool] = True
    input_variable: ClassVar[str | None] = "y"
    tau_m: Annotated[PositiveTimes, Field(description="time constant tau_out")] = "20 ms"  # type: ignore[assignment]

    def input_gain(self, dt: float) -> Value:
        return 1 - np.exp(-dt / self.tau_m)

    def fragment(self, dt: float) -> Fragment:
        return Fragment(("dy/dt = -y/tau_m : 1",), {"tau_m": self.tau_m}, {"tau_m": "second"})


class RateReadout(Population):
    r"""Readout of a layer's rate representation z, once per trial: y_k = sum_j w_kj z_j + b_k.

    Fed by a projection with kind = "analog", every = "trial"; the bias b is learnable and starts at 0.
    """

    readout: ClassVar[bool] = True
    input_variable: ClassVar[str | None] = "drive"

    def fragment(self, dt: float) -> Fragment:
        return Fragment(("drive : 1", "y : 1", "bias : 1"), updates=(Update("y = drive + bias", "after_synapses"),))


class Analog(Population):
    """Non-spiking units with your own equations, e.g. a rate reservoir or a feedback population.

    equations: Brian2 equations, one per line; may hold differential equations (integrated exactly or by Euler's method).
    updates: code run each step, or with event = "trial" once per trial in the response step.
    into: the variable that projections add to unless they name another, default "drive".
    persistent: variables that outlive a trial: reset leaves them alone, checkpoints hold them.
    """

    equations: str
    updates: tuple[Update, ...] = ()
    into: str = "drive"
    constants: dict[str, Any] = Field(default_factory=dict)
    persistent: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _declares_what_it_names(self) -> Analog:
        names = self.fragment(0.001).names()
        for name in (self.into, *self.persistent):
            if name not in names:
                raise UserError(f"{name!r} is not declared by the equations: {', '.join(sorted(names))} are")
        return self

    @property
    def input_variable_name(self) -> str | None:
        return self.into

    def fragment(self, dt: float) -> Fragment:
        lines = tuple(line.strip() for line in self.equations.splitlines() if line.strip())
        return Fragment(lines, self.constants, {}, self.updates)
