"""Spiking neurons: what all share, and leaky integrate-and-fire, with or without adaptation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from snnplast.description import WrongValue
from snnplast.errors import UserError
from snnplast.network import slots
from snnplast.network.citations import BELLEC_2018
from snnplast.network.code import equation
from snnplast.network.fragments import Fragment, Update, Value, merge
from snnplast.network.learnable import Bounds, Learnable, Learnt, learnt, with_variables
from snnplast.network.population import (
    Each,
    LayerNorm,
    NonNegative,
    NonNegativeTimes,
    Population,
    Positive,
    PositiveTimes,
    Real,
)


class SpikingPopulation(Population):
    """What builders and rules need to know of a spiking neuron.

    representation: rate representation z for layer-wise rules, or none.
    learnable: its constants that rules learn, by name, or with bounds: {"tau_m": ("5 ms", "100 ms")}, None for a side
        that is open. Without bounds a time stays at least one time step, what is positive stays positive. The name of
        a variable that has an initial value stands for that. What is learned has one value per neuron, in parts of its
        first value: a learning rate of 0.005 means half a percent of it, and 0.005 in SI units where it is 0. What is
        made of a constant where a trial begins, such as v = E_L, stays as it is.
    name, reference: how a kind that comes with the library is chosen and cited (BibTeX).
    """

    name: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    spiking: ClassVar[bool] = True
    representation: Annotated[LayerNorm | None, Field(description="rate representation z")] = None
    learnable: Annotated[Learnable, Field(description="constants that rules learn, by name, or with bounds")] = {}

    @property
    def integration(self) -> str:
        """Brian2's method for its equations."""
        return "exact"

    @property
    def distance(self) -> str:
        """Expression of v - A: the membrane's distance to the threshold of this step."""
        raise NotImplementedError

    @property
    def distance_unit(self) -> str:
        """Brian2's unit of the distance, and of `threshold_scale`."""
        return "1"

    @property
    def threshold_scale(self) -> str:
        """Expression of the base threshold theta, the scale of surrogate derivatives."""
        raise NotImplementedError

    @property
    def threshold(self) -> str:
        """Brian2 condition of a spike."""
        raise NotImplementedError

    @property
    def refractory_code(self) -> str | None:
        """Brian2 code of the refractory time, or of a condition; None: it never is refractory."""
        return None

    @property
    def active(self) -> str | None:
        """Expression that is 1 where the neuron may spike, 0 while refractory; None: always."""
        return "int(not_refractory)" if self.refractory_code else None

    @property
    def noise(self) -> tuple[str, ...]:
        """Its variables that are drawn from a standard normal distribution anew at every step."""
        return ()

    @property
    def exponential(self) -> Value | None:
        """tau_m, where v is one exponential that spikes add to, and nothing else changes it but a spike's reset by a
        constant; traces then have a short form. None: they are derived from its code."""
        return None

    @property
    def through(self) -> tuple[str, ...] | None:
        """Variables of the reset that the surrogate derivative of a spike acts through; None: all but the membrane."""
        return None

    @property
    def derivatives(self) -> Mapping[str, tuple[str, ...]]:
        """Function in its code -> its derivatives by each argument, of x, or of x1, x2, ..."""
        return {}

    @property
    def rate_representation(self) -> LayerNorm | None:
        return self.representation

    def code(self, dt: float) -> Fragment:
        """Its equations, constants, updates and reset, for a time step `dt` (s)."""
        raise NotImplementedError

    def fragment(self, dt: float) -> Fragment:
        """The same, with what is learnable as variables."""
        return with_variables(self.code(dt), self.learnt)

    @property
    def offered(self) -> Mapping[str, Value]:
        """Constants that may be learned."""
        return {name: value for name, value in self.code(1e-3).constants.items() if name != "refractory_time"}

    @property
    def learnt(self) -> tuple[Learnt, ...]:
        """What is learned of it. Raises `UserError` for a name that is no constant, and for bounds that are none."""
        if not self.learnable:
            return ()
        return learnt(self.learnable, self.offered, self.initial_values, self._units, self.size)

    def limits(self, dt: float) -> Mapping[str, Bounds]:
        """What is learned -> (lowest, highest), for a time step dt (s). Raises `UserError` for a first value beyond."""
        found = {}
        for one in self.learnt:
            field = type(self).model_fields.get(one.name)
            each = None if field is None else Each.of(field)
            strict = each.strict if each is not None and each.low == 0 else None
            found[one.name] = one.limits(dt, strict is True, strict is False)
        return found

    def check_learnable(self) -> None:
        """Raise `WrongValue` for what cannot be learned."""
        try:
            _ = self.learnt
        except UserError as error:
            raise WrongValue("", ("learnable",), f": {error}") from None

    @property
    def parameters(self) -> Mapping[str, Value]:
        return {one.name: one.value for one in self.learnt}

    @property
    def _units(self) -> Mapping[str, str]:
        code = self.code(1e-3)
        return {**{e.name: e.unit for e in map(equation, code.equations)}, **code.units}

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
    refractory: time after a spike in which v integrates but cannot spike, default 0 ms, >= 0, in whole steps.
    v_min: floor of v, default none.
    bias: b, added each step, default none; a number or array makes it a parameter that rules may learn.
    normalise_input: c = 1 - alpha instead of c = 1, default False.
    representation: rate representation z for layer-wise rules, such as LayerNorm(), default none.
    learnable: "tau_m", "v_threshold", "bias" (where there is one) and "v_reset" (where the reset is a number).

    >>> LIF(100, tau_m="20 ms").tau_m
    0.02
    >>> LIF(3, tau_m=["10 ms", "20 ms", "30 ms"], bias=0).parameters
    {'bias': 0.0}
    >>> LIF(3, learnable={"tau_m": ("5 ms", "100 ms"), "v_threshold": (0.5, None)}).parameters
    {'tau_m': 0.02, 'v_threshold': 1.0}
    >>> LIF(100, tau_m=20)
    Traceback (most recent call last):
    snnplast.description.WrongValue: LIF.tau_m: 20 has no unit: a time is needed, write '20 ms' if ms is meant
    """

    name: ClassVar[str] = "lif"
    input_variable: ClassVar[str | None] = "v"
    in_steps: ClassVar[tuple[str, ...]] = ("refractory",)
    tau_m: Annotated[PositiveTimes, Field(description="membrane time constant tau_m")] = "20 ms"
    v_threshold: Annotated[Positive, Field(description="spike threshold theta")] = 1.0
    reset: Annotated[Literal["subtract", "subtract-next"] | float, Field(description="reset at a spike")] = "subtract"
    refractory: Annotated[NonNegativeTimes, Field(description="refractory time")] = 0.0
    v_min: Annotated[float | None, Field(description="floor of the membrane")] = None
    bias: Annotated[Real | None, Field(description="constant input per step; learnable")] = None
    normalise_input: Annotated[bool, Field(description="scale input by 1 - exp(-dt/tau_m)")] = False

    @model_validator(mode="after")
    def _learns_what_it_has(self) -> LIF:
        self.check_learnable()
        if self.normalise_input and "tau_m" in self.learnable:
            raise WrongValue(
                "", ("learnable",), ": 'tau_m' also scales input with normalise_input; leave one of them out"
            )
        return self

    @property
    def offered(self) -> Mapping[str, Value]:
        own = {name: value for name, value in super().offered.items() if name != "v_min"}
        return own if self.bias is None else own | {"bias": self.bias}

    @property
    def parameters(self) -> Mapping[str, Value]:
        return {**({} if self.bias is None else {"bias": self.bias}), **super().parameters}

    @property
    def exponential(self) -> Value | None:
        return self.tau_m if isinstance(self.reset, str) and self.v_min is None and not self.learnable else None

    def input_gain(self, dt: float) -> Value:
        return 1 - np.exp(-dt / self.tau_m) if self.normalise_input else 1.0

    @property
    def distance(self) -> str:
        return "v - v_threshold"

    @property
    def threshold_scale(self) -> str:
        return "v_threshold"

    @property
    def refractory_code(self) -> str | None:
        return "refractory_time" if np.any(np.asarray(self.refractory) > 0) else None

    def code(self, dt: float) -> Fragment:
        constants: dict[str, Value] = {"tau_m": self.tau_m, "v_threshold": self.v_threshold}
        units = {"tau_m": "second"}
        equations = ("dv/dt = -v/tau_m : 1", *self._representation())
        updates: tuple[Update, ...] = ()
        if self.bias is not None:
            equations += ("bias : 1",)
            updates += (Update("v = v + bias", *slots.MEMBRANE),)
        if self.v_min is not None:
            constants["v_min"] = self.v_min
            updates += (Update("v = clip(v, v_min, inf)", *slots.MEMBRANE),)
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
    learnable: also "tau_adapt" and "beta".

    >>> ALIF(3, beta=[0, 0, 0.2], tau_adapt="1 s").adaptation
    (array([0. , 0. , 0.2]), 1.0)
    >>> ALIF(100, beta=-1)
    Traceback (most recent call last):
    snnplast.description.WrongValue: ALIF.beta: -1 is out of range: at least 0 is allowed
    """

    name: ClassVar[str] = "alif"
    reference: ClassVar[str] = BELLEC_2018
    tau_adapt: Annotated[PositiveTimes, Field(description="time constant of the adaptation")] = "2000 ms"
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

    def code(self, dt: float) -> Fragment:
        adapting = Fragment(
            ("da/dt = -a/tau_adapt : 1",),
            {"beta": self.beta, "tau_adapt": self.tau_adapt},
            {"tau_adapt": "second"},
            on_spike=("a = a + exp(dt/tau_adapt)",),  # the coming decay takes the factor back
        )
        return merge("ALIF", [super().code(dt), adapting])
