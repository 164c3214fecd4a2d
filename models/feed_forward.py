"""The feed-forward network that the classification models share: Poisson source, hidden layers of LIF, readout."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from snnplast.network import LIF, LayerNorm, LeakyReadout, Network, Normal, PoissonSource, RateReadout
from snnplast.task import Model
from snnplast.time_steps import steps_of
from snnplast.units import NonNegativeTime, PositiveRate, PositiveTime

DT = 1e-3
"""Time step, s."""


def _sizes(value: Any) -> int | tuple[int, ...]:
    """Neurons per hidden layer; a list of one layer is that layer's number."""
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not sizes or not all(type(size) is int and size >= 1 for size in sizes):
        raise ValueError("a number of neurons, at least 1, or a list of them, one per layer, is needed")
    first, *others = sizes
    return sizes if others else first


class FeedForward(Model):
    """Poisson source -> hidden LIF layers -> readout, all to all, everything plastic.

    hidden: 30 is one layer, the population `hidden`; [60, 30] are two, `hidden1` and `hidden2`, and so on.
    duration: time a sample is shown, default 100 ms, > 0. peak_rate: input rate at value 1, default 200 Hz, > 0.
    tau_m: membrane time constant, default 20 ms, > 0. tau_out: of the readout, default 20 ms, > 0.
    v_threshold: default 1, > 0. refractory: default 0 ms, >= 0. reset: "subtract" (default) or "subtract-next".
    v_min: floor of the membrane, default -2; none for no floor.
    gain, readout_gain: scale of the initial weights, onto hidden layers and readout, defaults 1.5 and 0, >= 0.
    readout: "leaky" (default) or "rate".
    A "leaky" readout y follows the last layer's spikes through time (e-prop). "rate": y = V z + c once per
    sample, on the layer-normalised spike counts z of the last layer (IB-Hebbian).
    """

    hidden: Annotated[
        int | tuple[int, ...],
        BeforeValidator(_sizes),
        Field(description="hidden neurons, at least 1; a list: one number per layer"),
    ] = 100
    duration: Annotated[PositiveTime, Field(description="time a sample is shown")] = "100 ms"
    peak_rate: Annotated[PositiveRate, Field(description="input rate at value 1")] = "200 Hz"
    tau_m: Annotated[PositiveTime, Field(description="membrane time constant")] = "20 ms"
    tau_out: Annotated[PositiveTime, Field(description="readout time constant")] = "20 ms"
    v_threshold: Annotated[float, Field(gt=0, description="spike threshold")] = 1.0
    refractory: Annotated[NonNegativeTime, Field(description="refractory time")] = "0 ms"
    reset: Annotated[Literal["subtract", "subtract-next"], Field(description="reset at a spike")] = "subtract"
    v_min: Annotated[float | None, Field(description="floor of the membrane")] = -2.0
    gain: Annotated[float, Field(ge=0, description="scale of the hidden layers' initial weights")] = 1.5
    readout: Annotated[Literal["leaky", "rate"], Field(description="kind of readout")] = "leaky"
    readout_gain: Annotated[float, Field(ge=0, description="scale of the readout's initial weights")] = 0.0

    def layers(self, inputs: int, classes: int) -> Network:
        """The network for `inputs` input channels and `classes` classes."""
        net = Network(dt=f"{DT!r} second")
        net.add("input", PoissonSource(inputs, peak_rate=f"{self.peak_rate!r} Hz"))
        last = "input"
        for name, size in self._hidden_layers().items():
            net.add(name, self._neurons(size))
            net.connect(last, name, weights=Normal(gain=self.gain), plastic=True)
            last = name
        weights = Normal(gain=self.readout_gain)
        if self.readout == "leaky":
            net.add("output", LeakyReadout(classes, tau_m=f"{1e3 * self.tau_out!r} ms"))
            net.connect(last, "output", weights=weights, plastic=True)
        else:
            net.add("output", RateReadout(classes))
            net.connect(last, "output", kind="analog", variable="z", every="trial", weights=weights, plastic=True)
        return net

    @property
    def steps(self) -> int:
        """Duration of a sample in steps of 1 ms."""
        return steps_of("model.duration", self.duration, DT)

    def _hidden_layers(self) -> dict[str, int]:
        """Names and sizes of the hidden populations, from the input on."""
        if isinstance(self.hidden, int):
            return {"hidden": self.hidden}
        return {f"hidden{k}": size for k, size in enumerate(self.hidden, 1)}

    def _neurons(self, size: int) -> LIF:
        return LIF(
            size,
            tau_m=f"{1e3 * self.tau_m!r} ms",
            v_threshold=self.v_threshold,
            refractory=f"{1e3 * self.refractory!r} ms",
            reset=self.reset,
            v_min=self.v_min,
            bias=0.0,
            representation=LayerNorm(),
        )
