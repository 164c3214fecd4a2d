"""The feed-forward network that the classification models share: Poisson source, one hidden layer of LIF, readout."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snnplast.model import Model
from snnplast.network import Network
from snnplast.neurons import LIF
from snnplast.population import LayerNorm, PoissonSource
from snnplast.readouts import LeakyReadout, RateReadout
from snnplast.units import NonNegativeTime, PositiveRate, PositiveTime
from snnplast.weights import Normal


class FeedForward(Model):
    """Poisson source -> hidden LIF layer -> readout, all to all, everything plastic.

    readout "leaky": y follows the hidden spikes through time (e-prop). readout "rate": y = V z + c once per sample, on
    the layer-normalised spike counts z (IB-Hebbian).
    """

    hidden: Annotated[int, Field(ge=1, description="hidden neurons")] = 100
    duration: Annotated[PositiveTime, Field(description="time a sample is shown")] = "100 ms"  # type: ignore[assignment]
    peak_rate: Annotated[PositiveRate, Field(description="input rate at value 1")] = "200 Hz"  # type: ignore[assignment]
    tau_m: Annotated[PositiveTime, Field(description="membrane time constant")] = "20 ms"  # type: ignore[assignment]
    tau_out: Annotated[PositiveTime, Field(description="readout time constant")] = "20 ms"  # type: ignore[assignment]
    v_threshold: Annotated[float, Field(gt=0, description="spike threshold")] = 1.0
    refractory: Annotated[NonNegativeTime, Field(description="refractory time")] = "0 ms"  # type: ignore[assignment]
    reset: Annotated[Literal["subtract", "subtract-next"], Field(description="reset at a spike")] = "subtract"
    v_min: Annotated[float | None, Field(description="floor of the membrane")] = -2.0
    gain: Annotated[float, Field(ge=0, description="scale of the hidden layer's initial weights")] = 1.5
    readout: Annotated[Literal["leaky", "rate"], Field(description="kind of readout")] = "leaky"
    readout_gain: Annotated[float, Field(ge=0, description="scale of the readout's initial weights")] = 0.0

    def layers(self, inputs: int, classes: int) -> Network:
        """The network for `inputs` input channels and `classes` classes."""
        ms = f"{1e3 * self.tau_m!r} ms"
        net = Network(dt="1 ms")
        net.add("input", PoissonSource(inputs, peak_rate=f"{self.peak_rate!r} Hz"))
        net.add(
            "hidden",
            LIF(
                self.hidden,
                tau_m=ms,
                v_threshold=self.v_threshold,
                refractory=f"{1e3 * self.refractory!r} ms",
                reset=self.reset,
                v_min=self.v_min,
                bias=0.0,
                representation=LayerNorm(),
            ),
        )
        net.connect("input", "hidden", weights=Normal(gain=self.gain), plastic=True)
        if self.readout == "leaky":
            net.add("output", LeakyReadout(classes, tau_m=f"{1e3 * self.tau_out!r} ms"))
            net.connect("hidden", "output", weights=Normal(gain=self.readout_gain), plastic=True)
        else:
            net.add("output", RateReadout(classes))
            net.connect(
                "hidden",
                "output",
                kind="analog",
                variable="z",
                every="trial",
                weights=Normal(gain=self.readout_gain),
                plastic=True,
            )
        return net

    @property
    def steps(self) -> int:
        """Duration of a sample in steps of 1 ms."""
        return round(1e3 * self.duration)
