r"""Reservoir: a working memory in the same simulation, whose trained readout is the third factor.

It stands in for another third factor, its teacher: that one's signal is what the readout is trained to give, and what
it is compared with in the loop (`reservoir_teachers`). In both cases the class y of a sample opens one pool of units,
which takes it up (`reservoir_units`).

    hsic            xi = sum over features u of W_u u         state of the open pool and of the closed pools before this
                                                              sample, and the layer's representation z
    class-memory    xi = sum_c e_c m^_c,   m^_c = sum over units i of pool c of W_i r_i          (`reservoir_answers`)

    e: p - y, the error of the task's readout, in the simulation; r: the state before this sample

So averages weighted by the readout's error ask of a circuit: a gate by the class, as hsic does; one error per class,
broadcast to the pools of all layers with weights of 1; units whose output is the product of state and error. No weights
are transported, and nothing is multiplied with z. Weighted by what the layer itself expects they do without the
readout's error, but every pool's answer is multiplied with z, and the products compete in a softmax.

How many dimensions of z a pool holds is bounded by its number of units, units / C, and of how many samples by its leak
and recurrence: averages with a memory of 0.98 want a leak of 0.02, a radius of 0.2 or less and half as many units again
as neurons in the layer. The weights W are learned before the run (`reservoir_training`), from streams of random classes
seen through random encoders; they never see data of the task.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from snnplast.errors import UserError
from snnplast.learning import Context, Pretrained, Pretraining, Speaks, State
from snnplast.network import Analog, Network
from snnplast.rules.references import DARUWALLA_2024
from snnplast.rules.third_factors import reservoir_training
from snnplast.rules.third_factors.hsic import HSIC
from snnplast.rules.third_factors.layerwise import LayerwiseFactor
from snnplast.rules.third_factors.reservoir_answers import connect_answers, given
from snnplast.rules.third_factors.reservoir_teachers import (
    AnyTeacher,
    Averaged,
    Lesson,
    lesson_of,
    own_memory,
    remembered,
)
from snnplast.rules.third_factors.reservoir_units import DrivenUnits, PlainUnits, RateUnits, Units, WorkingUnits
from snnplast.task import Record, Segment
from snnplast.units import PositiveRate, PositiveTime


class Reservoir(Speaks, Pretrained, LayerwiseFactor):
    """One reservoir per layer.

    teacher: the third factor whose signal it supplies, `HSIC` (default), or a `ClassMemory` of averages; its name, or
    its table. With expectation "readout", a readout that acts once per trial is needed, and `CrossEntropy`, whose
    errors sum to 0.
    units: number of units, default 500. dynamics: "rate" (default), clocked once per sample, or "spiking".
    gating: "class" (default), or "none", the plain random reservoir with the class as input, for comparison.
    drive: of spiking units, "representation" (default), z as a current after the sample, or "spikes", the layer's own.
    leak: share of a rate unit's state that one sample renews, in (0, 1]; default: 0.3, of averages 1 - memory.
    sample_time: in which spiking units take up a sample, default 50 ms; with drive = "spikes" the duration of a sample
    in training, which should be the task's.
    tau_m: of spiking units, default 20 ms. bias: their constant drive, > 1, the threshold; default 1.1, of averages 2.
    tau_trace: of the trace of their spikes, default: 250 ms; of averages, what leaves `memory` of it after a sample.
    layer_rate, layer_cv: of the layers that training imitates with drive = "spikes", defaults 50 Hz and 0.6.
    input_scale: W_in ~ N(0, input_scale^2 / D), default 0.3. radius: spectral radius of W_rec, >= 0, default 0.5,
    of averages 0.1.
    connectivity: probability of a recurrent connection within a pool, default 0.1.
    streams, stream_length: synthetic streams of the a-priori training, defaults 150 of 150 samples.
    training: of the readout, "ridge" (default), "delta" or "reward-hebbian".
    ridge: regularisation relative to the mean squared feature, > 0, default 1e-2, of averages 1e-4.
    passes: through the streams, of a rule that learns them, default 3. learning_rate: its own, falling to a tenth,
    default 1e-2, of averages 0.1.

    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> source = snn.Reservoir(teacher=snn.HSIC(window=4), units=12, streams=2, stream_length=8)
    >>> rule = snn.IBHebbian(third_factor=source)
    >>> with snn.open(snn.Experiment(small_network(), small_task(), rule, iterations=1, engine="runtime")) as sim:
    ...     {name: weights.size for name, weights in sim.weights.items() if name.startswith("second_third")}
    {'second_third_factor_from_opened': 84, 'second_third_factor_from_closed': 84, 'second_third_factor_from_z': 49}
    """

    name: ClassVar[str] = "reservoir"
    reference: ClassVar[str] = DARUWALLA_2024

    teacher: Annotated[AnyTeacher, Field(description="the third factor whose signal it supplies")] = HSIC()
    units: Annotated[int, Field(ge=1, description="reservoir units per layer")] = 500
    dynamics: Annotated[Literal["rate", "spiking"], Field(description="kind of units")] = "rate"
    gating: Annotated[Literal["class", "none"], Field(description="whether the class opens one pool of units")] = (
        "class"
    )
    drive: Annotated[Literal["representation", "spikes"], Field(description="what drives spiking units")] = (
        "representation"
    )
    leak: Annotated[
        float | None, Field(gt=0, le=1, description="share of the state renewed by one sample; none: fits the teacher")
    ] = None
    sample_time: Annotated[PositiveTime, Field(description="time in which spiking units take up a sample")] = "50 ms"
    tau_m: Annotated[PositiveTime, Field(description="membrane time constant of spiking units")] = "20 ms"
    tau_trace: Annotated[
        PositiveTime | None, Field(description="time constant of the trace of their spikes; none: fits the teacher")
    ] = None
    bias: Annotated[
        float | None, Field(gt=1, description="drive of spiking units, the threshold is 1; none: fits the teacher")
    ] = None
    layer_rate: Annotated[PositiveRate, Field(description="mean rate of imitated layers")] = "50 Hz"
    layer_cv: Annotated[float, Field(gt=0, description="their rates' standard deviation over the mean")] = 0.6
    input_scale: Annotated[float, Field(ge=0, description="scale of the input weights")] = 0.3
    radius: Annotated[
        float | None, Field(ge=0, description="spectral radius of the recurrent weights; none: fits the teacher")
    ] = None
    connectivity: Annotated[float, Field(gt=0, le=1, description="recurrent connections within a pool")] = 0.1
    streams: Annotated[int, Field(ge=1, description="synthetic streams")] = 150
    stream_length: Annotated[int, Field(ge=2, description="samples per stream")] = 150
    training: Annotated[Literal["ridge", "delta", "reward-hebbian"], Field(description="training of the readout")] = (
        "ridge"
    )
    ridge: Annotated[
        float | None, Field(gt=0, description="relative regularisation of the fit; none: fits the teacher")
    ] = None
    passes: Annotated[int, Field(ge=1, description="passes through the streams, unless fitted at once")] = 3
    learning_rate: Annotated[
        float | None, Field(gt=0, description="eta of delta and reward-hebbian; none: fits the teacher")
    ] = None

    @model_validator(mode="after")
    def _fits_together(self) -> Reservoir:
        if self.stream_length < (first := self.lesson.first):
            raise ValueError(f"stream_length = {self.stream_length}: at least {first}, the teacher's window, is needed")
        if self.dynamics == "rate" and self.drive == "spikes":
            raise ValueError('drive = "spikes" is for dynamics = "spiking"; with "rate", "representation" is allowed')
        if self.dynamics == "spiking" and self.gating == "none":
            raise ValueError('gating = "none" is for dynamics = "rate"; with "spiking", "class" is allowed')
        if self.gating == "none" and self.lesson.weighted:
            raise ValueError(
                'gating = "none" has no pools that hold a class each; with this teacher, "class" is allowed'
            )
        if self.dynamics == "spiking" and self.in_force("tau_trace") == 0:
            raise ValueError(
                'memory = 0 leaves no trace; with dynamics = "spiking", a larger one or a tau_trace is needed'
            )
        return self

    def in_force(self, name: str) -> float:
        """A setting, where none is given that which fits the teacher."""
        own = getattr(self, name)
        return self.lesson.fitting(self.sample_time)[name] if own is None else own

    def extend(self, context: Context) -> Network:
        network = context.network.copy()
        for target in context.targets:
            size = network.population(target).size
            units = self._units_of(target, size, self._classes(context), context.seed)
            units.add_to(network)
            readout = f"{target}_third_factor"
            network.add(readout, Analog(size, equations="drive : 1"))
            if isinstance(lesson := self.lesson, Averaged):
                connect_answers(network, lesson, units, readout, context)
            else:
                reservoir_training.connect_readout(network, units.features, readout, order=units.order)
        return network

    def init(self, context: Context) -> State:
        measured = ("correlation", "spikes") if self._kind_of_units.spiking else ("correlation",)
        own = {f"{name}.{number}": np.full((), np.nan) for name in context.targets for number in measured}
        return super().init(context) | remembered(self.teacher, context) | own

    def values(self, segment: Segment, record: Record, context: Context, state: State) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        target = f"{context.readout}.target"
        for name in context.targets:
            if segment.phase == "response":
                if target not in record.series:
                    raise UserError(f"third factor 'reservoir': the segments of a trial must give {target!r}")
                label = record.series[target][-1]
                found |= self._units_of(name, 0, label.size).respond(label)
                if isinstance(lesson := self.lesson, Averaged):
                    found |= given(lesson, name, label, own_memory(state))
            elif target in segment.series:
                label = np.atleast_2d(segment.series[target])[-1]
                found |= self._units_of(name, 0, label.size).present(label)
        return found

    def further(self, record: Record, context: Context, state: State) -> list[Segment]:
        steps = self._kind_of_units.work(self, context.network.dt)
        return [Segment(steps, phase="work")] if steps else []

    def raw(self, record: Record, context: Context, state: State) -> dict[str, np.ndarray | None]:
        signals: dict[str, np.ndarray | None] = {}
        for name, exact in self.teacher.raw(record, context, own_memory(state)).items():
            signals[name] = None
            if self._kind_of_units.spiking:
                fired = (record.during(phase).spikes for phase in ("trial", "work"))
                state[f"{name}.spikes"][...] = sum(s[f"{name}_reservoir"][0].size for s in fired if s)
            if exact is not None:
                own = signals[name] = record.during("response").ends[f"{name}_third_factor.drive"]
                state[f"{name}.correlation"][...] = _correlation(own, exact)
        return signals

    def report(self, state: State) -> dict[str, float]:
        correlations = [float(v) for key, v in state.items() if key.endswith(".correlation") and np.isfinite(v)]
        spikes = [float(v) for key, v in state.items() if key.endswith(".spikes") and np.isfinite(v)]
        found = {"third_factor_correlation": float(np.mean(correlations))} if correlations else {}
        return found | ({"reservoir_spikes": sum(spikes)} if spikes else {})

    def pretraining(self, context: Context) -> list[Pretraining]:
        network, classes = context.network, self._classes(context)
        return [
            reservoir_training.pretraining(
                self, self._kind_of_units, name, network.population(name).size, classes, context.seed
            )
            for name in context.targets
        ]

    @property
    def lesson(self) -> Lesson:
        """What its readout is asked for before the run."""
        return lesson_of(self.teacher)

    @property
    def _kind_of_units(self) -> type[Units]:
        if self.dynamics == "rate":
            return RateUnits if self.gating == "class" else PlainUnits
        return WorkingUnits if self.drive == "representation" else DrivenUnits

    def _classes(self, context: Context) -> int:
        classes = context.read.size
        if self.units < classes:
            raise UserError(f"third factor 'reservoir': units = {self.units}: at least {classes}, one per class")
        return classes

    def _units_of(self, layer: str, size: int, classes: int, seed: int = 0) -> Units:
        return self._kind_of_units(self, layer, layer, size, classes, seed)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation over the neurons of a layer; nan where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else float("nan")
