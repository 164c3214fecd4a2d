r"""Spike pattern: a neuron learns to spike at given times (Zenke & Ganguli 2018).

The same Poisson spikes of 100 inputs come in every trial of 500 ms, and the output neuron should answer them with five
spikes at equal intervals.

    tau_m dv/dt = -v + I,   tau_syn dI/dt = -I,   I <- I + w at an input's spike
    z = 1 where v > 1 and the neuron is not refractory;   v <- v - 1 at a spike

    y^t = alpha * z,   alpha a double exponential of 5 and 10 ms;   loss = 1/2 sum_t (y^t - alpha * z*)^2

The loss is the van Rossum distance of what the neuron fires and what it should. In the paper v is reset to rest;
by a constant here, so that a reset leaves eligibility traces alone, as it does there.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.network import CustomNeurons, LeakyReadout, Network, Normal, OneToOne, SpikeSource
from snnplast.random_streams import stream
from snnplast.rules.references import ZENKE_2018
from snnplast.task import MeanSquaredError, Model, Segment, Task, Trial
from snnplast.time_steps import steps_of
from snnplast.units import PositiveRate, PositiveTime

DT, TAU_RISE, TAU_DECAY = 1e-4, 5e-3, 10e-3
"""Time step and time constants of alpha, s."""


class SpikePattern(Model):
    """One neuron that should fire at equal intervals to frozen Poisson noise.

    inputs: Poisson inputs, default 100, >= 1. rate: of each, default 10 Hz, > 0. duration: default 500 ms, > 0.
    spikes: how many are wanted, default 5, >= 1. gain: scale of the initial weights, default 3, > 0.
    """

    name: ClassVar[str] = "spike-pattern"
    reference: ClassVar[str] = ZENKE_2018

    inputs: Annotated[int, Field(ge=1, description="Poisson inputs")] = 100
    rate: Annotated[PositiveRate, Field(description="firing rate of each input")] = "10 Hz"
    duration: Annotated[PositiveTime, Field(description="duration of a trial")] = "500 ms"
    spikes: Annotated[int, Field(ge=1, description="spikes that are wanted, at equal intervals")] = 5
    gain: Annotated[float, Field(gt=0, description="scale of the initial weights")] = 3.0

    def network(self) -> Network:
        net = Network(dt=f"{DT!r} second")
        net.add("input", SpikeSource(self.inputs))
        net.add(
            "output",
            CustomNeurons(
                1, equations="dv/dt = (I - v)/(10*ms) : 1\ndI/dt = -I/(5*ms) : 1", threshold="v > 1", reset="v = v - 1",
                into="I", refractory="5 ms",
            ),
        )  # fmt: skip
        net.add("filtered", LeakyReadout(1, tau_m=f"{TAU_DECAY!r} second", tau_rise=f"{TAU_RISE!r} second"))
        net.connect("input", "output", weights=Normal(gain=self.gain), plastic=True)
        net.connect("output", "filtered", weights=1.0, connectivity=OneToOne())
        net.connect(
            "filtered", "output", name="feedback_output", weights=1.0, connectivity=OneToOne(),
            kind="analog", variable="error", into="learning_signal", simulated=False,
        )  # fmt: skip
        return net

    def task(self, seed: int) -> Task:
        steps = steps_of("model.duration", self.duration, DT)
        frozen = stream(seed, "spike-pattern").random((steps, self.inputs)) < self.rate * DT
        wanted = (np.arange(self.spikes) + 0.5) * steps / self.spikes
        return _Fires(np.nonzero(frozen), steps, wanted.astype(int), seed)


class _Fires(Task):
    """The same trial for ever. wanted: steps of the spikes that are wanted."""

    def __init__(self, spikes: tuple[np.ndarray, np.ndarray], steps: int, wanted: np.ndarray, seed: int) -> None:
        self.objective, self.seed = MeanSquaredError(readout="filtered"), seed
        train = np.zeros(steps)
        train[wanted] = 1
        self.segment = Segment(steps, {"input": spikes}, {"filtered.target": double_exponential(train)[:, None]})

    def trial(self, index: int) -> Trial:
        yield self.segment


def double_exponential(train: np.ndarray) -> np.ndarray:
    """alpha * a spike train (T,), as the readout filters it."""
    rho, kappa = np.exp(-DT / TAU_RISE), np.exp(-DT / TAU_DECAY)
    rising, y, found = 0.0, 0.0, np.empty(train.size)
    for t, spike in enumerate(train):
        rising = rho * rising + (1 - rho) * spike
        found[t] = y = kappa * y + (1 - kappa) * rising
    return found
