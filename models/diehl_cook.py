r"""Diehl & Cook (2015): digits learned without labels, by STDP, adaptive thresholds and lateral inhibition.

    excitatory   dv/dt = ((v_rest - v) + ge (0 - v) + gi (E_inh - v)) / tau_e,   E_inh = -100 mV
                 spike where v > v_thresh + theta: v <- v_reset, theta <- theta + theta_plus, for good
    inhibitory   likewise, tau_i and a threshold that stays; each excites no one and is driven by its own partner
    ge, gi       decay with 1 ms and 2 ms; weights add to them

Every pixel is a Poisson neuron. Each spike of an excitatory neuron makes its inhibitory partner spike, which inhibits
all others. Where a digit brings fewer than `least` spikes, it is shown again, brighter. Labels have no part in this;
at the end they name the neurons (rule "votes"), and a test digit is that of the neurons that spike most.

Constants are those of the published code. As there, 150 ms without input follow each digit; all but weights and
thresholds then begins anew.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from snnplast.models.idx_files import IdxFiles, in_parts
from snnplast.network import (
    CustomNeurons,
    ExplicitPairs,
    Network,
    OneToOne,
    PoissonSource,
    RateReadout,
    Uniform,
    UniformDelay,
    Update,
)
from snnplast.rules.references import DIEHL_2015
from snnplast.task import Classification, CrossEntropy, Segment, Task, Trial
from snnplast.time_steps import steps_of, whole_steps
from snnplast.units import InUnit, NonNegativeTime, PositiveRate, PositiveTime

DT = 0.5e-3
"""Time step, s."""
BRIGHTEST = 8
"""Highest intensity; rates at it are those of the source."""
EQUATIONS = """
dv/dt = (v_rest - v - ge*v + gi*(e_inhibitory - v))/tau_m : volt (unless refractory)
dge/dt = -ge/(1*ms) : 1
dgi/dt = -gi/(2*ms) : 1
"""


class DiehlCook(IdxFiles):
    """784 Poisson sources, `neurons` excitatory and as many inhibitory neurons, and a readout that counts votes.

    path, train_images, train_labels, test_images, test_labels, training, tests: see the model `idx`.
    neurons: excitatory ones, default 400, >= 2. duration: time a digit is shown, default 350 ms, > 0.
    rest: without input after it, default 150 ms, >= 0.
    peak_rate: of a white pixel at intensity 1, default 31.875 Hz, > 0: the published 63.75 Hz at the intensity of 2
        at which a digit is first shown. least: spikes below which it is shown again, default 5, >= 0.
    excitation, inhibition: weights of an inhibitory neuron's input and of its output, defaults 10.4 and 17, >= 0.
    theta_plus: what a spike adds to a threshold, default 0.05 mV, >= 0; tau_theta: its decay, default 1e7 ms, > 0.
    """

    name: ClassVar[str] = "diehl-cook"
    reference: ClassVar[str] = f"{DIEHL_2015}\n{IdxFiles.images}"

    neurons: Annotated[int, Field(ge=2, description="excitatory neurons")] = 400
    duration: Annotated[PositiveTime, Field(description="time a digit is shown")] = "350 ms"
    rest: Annotated[NonNegativeTime, Field(description="time without input after a digit")] = "150 ms"
    peak_rate: Annotated[PositiveRate, Field(description="of a white pixel at intensity 1")] = "31.875 Hz"
    least: Annotated[int, Field(ge=0, description="spikes below which a digit is shown again, brighter")] = 5
    excitation: Annotated[float, Field(ge=0, description="weight onto an inhibitory neuron")] = 10.4
    inhibition: Annotated[float, Field(ge=0, description="weight of inhibition")] = 17.0
    theta_plus: Annotated[float, InUnit("mV", ge=0), Field(description="what a spike adds to a threshold")] = "0.05 mV"
    tau_theta: Annotated[PositiveTime, Field(description="time constant of its decay")] = "1e7 ms"

    def network(self) -> Network:
        net, n = Network(dt="0.5 ms"), self.neurons
        net.add("input", PoissonSource(self.samples[0].pixels.shape[1], peak_rate=f"{BRIGHTEST * self.peak_rate!r} Hz"))
        net.add("excitatory", self._excitatory())
        net.add("inhibitory", _inhibitory(n))
        net.add("label", RateReadout(self.classes, biased=False))
        first = {"weights": Uniform(low=0.0, high=0.3), "delay": UniformDelay(low="0 ms", high="10 ms")}
        net.connect("input", "excitatory", into="ge", bounds=(0, 1), plastic=True, **first)
        net.connect("excitatory", "inhibitory", into="ge", connectivity=OneToOne(), weights=self.excitation)
        pre, post = np.nonzero(~np.eye(n, dtype=bool))
        others = ExplicitPairs(pre=pre, post=post)
        net.connect("inhibitory", "excitatory", into="gi", connectivity=others, weights=self.inhibition)
        votes = {"kind": "analog", "variable": "count", "every": "trial", "weights": 0.0, "rule": "votes"}
        net.connect("excitatory", "label", plastic=True, **votes)
        return net

    def _excitatory(self) -> CustomNeurons:
        constants = {"v_rest": "-65 mV", "v_thresh": "-52 mV", "e_inhibitory": "-100 mV", "tau_m": "100 ms"}
        adaptation = {"theta_plus": f"{self.theta_plus!r} volt", "tau_theta": f"{self.tau_theta!r} second"}
        return CustomNeurons(
            self.neurons,
            equations=_declared([*constants, *adaptation]) + "theta : volt\ncount : 1",
            constants={**constants, **adaptation},
            threshold="v > v_thresh + theta",
            reset="v = v_rest; theta += theta_plus; count += 1",
            updates=(Update("theta = theta*exp(-dt/tau_theta)"),),
            learned=("theta",),
            refractory="5 ms",
            initial={"v": "-65 mV"},
            into="ge",
            method="exponential_euler",
        )

    def task(self, seed: int) -> Task:
        (x, y), (x_test, y_test) = ((in_parts(s.pixels), s.labels.astype(int)) for s in self.samples)
        steps, rest = steps_of("model.duration", self.duration, DT), int(whole_steps("model.rest", self.rest, DT))
        return Presentations(x, y, x_test, y_test, steps, seed, least=self.least, rest=rest)

    def citation(self) -> str:
        return "\n".join(filter(None, (DIEHL_2015, self.cited_images)))


class Presentations(Classification):
    """Samples that are shown again, brighter, as long as too few neurons spike, and a rest after each time."""

    def __init__(self, x, labels, x_test, labels_test, steps: int, seed: int, least: int, rest: int) -> None:
        super().__init__(x, labels, x_test, labels_test, steps, seed, objective=CrossEntropy(readout="label"))
        self.least, self.rest = least, rest

    def _show(self, phase: int, sample: int) -> Trial:
        (segment,) = super()._show(phase, sample)
        before = 0
        for intensity in range(2, BRIGHTEST + 1):
            values = {self.source: segment.inputs[self.source] * (intensity / BRIGHTEST)}
            record = yield Segment(segment.steps, values, segment.series)
            spikes = len(record.spikes["excitatory"][0])
            if self.rest:
                record = yield Segment(self.rest, {self.source: ([], [])}, segment.series)
            if spikes - before >= self.least:
                return
            before = spikes


def _inhibitory(size: int) -> CustomNeurons:
    constants = {"v_rest": "-60 mV", "e_inhibitory": "-85 mV", "tau_m": "10 ms"}
    return CustomNeurons(
        size,
        equations=_declared(constants),
        constants=constants,
        threshold="v > -40*mV",
        reset="v = -45*mV",
        refractory="2 ms",
        initial={"v": "-60 mV"},
        into="ge",
        method="exponential_euler",
    )


def _declared(constants) -> str:
    units = {"tau_m": "second", "tau_theta": "second"}
    return EQUATIONS + "".join(f"{name} : {units.get(name, 'volt')} (constant, shared)\n" for name in constants)
