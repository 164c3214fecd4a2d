r"""How a reservoir's readout is trained before the run, on streams of random classes that know nothing of the task.

One trial per sample; the reservoir is at rest where a stream begins. The readout learns what its teacher asks for, A
(`reservoir_teachers`), of the samples of which something is asked:

    ridge            |F W - A|^2 + ridge mean(diag F'F) |W|^2  is minimised, F being the features of all samples
    delta            the delta rule (`snnplast.rules.delta`)
    reward-hebbian   reward-modulated Hebbian learning (`snnplast.rules.reward_hebbian`)
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from snnplast.learning import SGD, Pretraining, Rule, Schedule
from snnplast.network import Analog, LayerNorm, Network, RateReadout, SpikeSource
from snnplast.random_streams import stream
from snnplast.rules import delta, reward_hebbian
from snnplast.rules.third_factors import hsic, reservoir_teachers, reservoir_units, reward, streams
from snnplast.rules.third_factors.reservoir_units import DrivenUnits, Feature, Units
from snnplast.rules.third_factors.streams import Streams
from snnplast.task import MeanSquaredError, Record, Segment, Spikes, Task, Trial
from snnplast.time_steps import steps_of
from snnplast.version import __version__

if TYPE_CHECKING:
    from snnplast.rules.third_factors.reservoir import Reservoir

CODE = tuple(
    inspect.getsource(module)
    for module in (
        *(sys.modules[__name__], reservoir_teachers, reservoir_units, streams),
        *(hsic, delta, reward_hebbian, reward),
    )
)
"""What was imported, as it was then: with other code another fit is kept."""


def pretraining(settings: Reservoir, units: type[Units], layer: str, size: int, classes: int, seed: int) -> Pretraining:
    """The experiment that trains the readout of one layer's reservoir."""
    driven = issubclass(units, DrivenUnits)
    reservoir = units(settings, layer, f"{layer}_z" if driven else layer, size, classes, seed)
    network = Network(dt="1 ms")
    if driven:
        network.add(layer, SpikeSource(size))
    network.add(reservoir.z_of, Analog(size, equations="z : 1", into="z"))
    reservoir.add_to(network)
    readout = f"{layer}_third_factor"
    network.add(readout, RateReadout(size, biased=False))
    features = reservoir.pools if settings.lesson.weighted else reservoir.features
    connect_readout(network, features, readout, order=reservoir.order, plastic=True)
    task = Lessons(settings, reservoir, readout)
    schedule = SGD(learning_rate=settings.in_force("learning_rate"), schedule=Schedule(name="linear"))
    rules: dict[str, Rule] = {
        "ridge": delta.Delta(),
        "delta": delta.Delta(optimizer=schedule),
        "reward-hebbian": reward_hebbian.RewardHebbian(optimizer=schedule),
    }

    def fit(records: Iterator[Record]) -> dict[str, np.ndarray]:
        names = [f"{feature.population}.{feature.variable}" for feature in features]
        weights = ridge(_by_stream(records, names, readout, settings.stream_length), settings.in_force("ridge"))
        ends = np.cumsum([network.population(feature.population).size for feature in features])
        parts = zip(features, np.split(weights, ends[:-1]), strict=True)
        return {f"{readout}_from_{feature.called}": part.reshape(-1) for feature, part in parts}

    return Pretraining(
        key=_key(settings, layer, size, classes, seed),
        network=network,
        task=task,
        rule=rules[settings.training],
        seed=seed,
        epochs=settings.passes,
        fit=fit if settings.training == "ridge" else None,
    )


def connect_readout(network: Network, features: Sequence[Feature], readout: str, **settings: Any) -> None:
    """Projections of features onto the population whose activity is the signal, with weights of 0."""
    for called, population, variable in features:
        carried = {"kind": "analog", "variable": variable, "every": "trial", "weights": 0.0}
        network.connect(population, readout, name=f"{readout}_from_{called}", **carried, **settings)


class Sample(NamedTuple):
    """One sample of a stream: class y (C,), representation z (D,), the signal wanted (D,) or nan, and spikes."""

    y: np.ndarray
    z: np.ndarray
    wanted: np.ndarray
    spikes: Spikes | None = None


class Lessons(Task):
    """All samples of all streams in their order, one trial each."""

    def __init__(self, settings: Reservoir, units: Units, readout: str) -> None:
        self.settings, self.units, self.seed = settings, units, units.seed
        self.epoch = settings.streams * settings.stream_length
        self.objective = WhereKnown(readout=readout)
        numbers = settings.streams, settings.stream_length, units.classes, units.size, units.seed
        self.streams = Streams(*numbers, owner=units.layer)
        self.driven = isinstance(units, DrivenUnits)
        self.duration = steps_of("sample_time", settings.sample_time, 1e-3) if self.driven else 1
        self.work = units.work(settings, 1e-3)

    def trial(self, index: int) -> Trial:
        assert self.epoch is not None
        which, place = divmod(index % self.epoch, self.settings.stream_length)
        sample = self.samples(which)[place]
        units = self.units
        readout, known = self.objective.readout, np.isfinite(sample.wanted[:1])
        series = {f"{readout}.target": np.where(known, sample.wanted, 0.0), f"{readout}.in_window": known * 1.0}
        series[f"{units.z_of}.z"] = sample.z
        series |= units.respond(sample.y) | units.present(sample.y)
        if place == 0:
            series |= {f"{units.name}.{variable}": np.zeros(self.settings.units) for variable in units.state}
        yield Segment(self.duration, {units.layer: sample.spikes} if sample.spikes else {}, series)
        if self.work:
            yield Segment(1, phase="response")
            yield Segment(self.work, phase="work")

    @cache  # noqa: B019  a task lives as long as its run
    def samples(self, which: int) -> list[Sample]:
        """The samples of one stream."""
        x, y, z = self.streams[which]
        trains: list[Spikes | None] = [None] * len(z)
        if self.driven:
            trains, z = self._as_spikes(z, stream(self.seed, "lesson spikes", self.units.layer, which))
        wanted = self.settings.lesson.asked(x, y, z)
        return [Sample(*parts) for parts in zip(y, z, wanted, trains, strict=True)]

    def _as_spikes(self, z: np.ndarray, rng: np.random.Generator) -> tuple[list[Spikes | None], np.ndarray]:
        """Poisson spikes at rates layer_rate (1 + layer_cv z), cut at 0, and the representation of their counts."""
        rates = np.maximum(0.0, self.settings.layer_rate * (1 + self.settings.layer_cv * z))
        trains: list[Spikes | None] = []
        counts = np.zeros(z.shape)
        for k, rate in enumerate(rates):
            steps, indices = np.nonzero(rng.random((self.duration, rate.size)) < 1e-3 * rate)
            trains.append((steps, indices))
            counts[k] = np.bincount(indices, minlength=rate.size)
        return trains, np.stack([LayerNorm()(count / (1e-3 * self.duration)) for count in counts])


class WhereKnown(MeanSquaredError):
    """The squared error of samples that something is wanted of."""

    optional: ClassVar[bool] = True


def ridge(parts: Iterable[tuple[np.ndarray, np.ndarray]], relative: float) -> np.ndarray:
    """W (F, D) minimising |X W - Y|^2 + relative * mean(diag X'X) |W|^2, from parts of X (n, F), Y (n, D)."""
    gram, product = np.zeros(()), np.zeros(())
    for features, wanted in parts:
        gram, product = gram + features.T @ features, product + features.T @ wanted
    gram[np.diag_indices_from(gram)] += relative * np.trace(gram) / len(gram)
    return np.linalg.solve(gram, product)


def _by_stream(
    records: Iterator[Record], names: list[str], readout: str, length: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features and wanted signals of each stream, of the samples that have one."""
    while True:
        features, wanted = [], []
        for _, record in zip(range(length), records, strict=False):
            if record.in_window(readout)[0]:
                features.append(np.concatenate([record.during("response").ends[name] for name in names]))
                wanted.append(record.target(readout)[0])
        if not features:
            return
        yield np.stack(features), np.stack(wanted)


def _key(settings: Reservoir, *numbers: object) -> str:
    """What decides the outcome: all settings and sizes, the library's version, and the code itself."""
    own = settings.model_dump_json(exclude={"transforms", "teacher"})
    parts = [__version__, *CODE, own, settings.lesson.key, *map(str, numbers)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
