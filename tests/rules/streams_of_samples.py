"""Samples handed to a third factor without simulating anything: spike counts, an input and a class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from snnplast.learning.third_factor import Context
from snnplast.network.network import Network
from snnplast.network.neurons import LIF
from snnplast.network.population import LayerNorm, PoissonSource
from snnplast.network.readouts import RateReadout
from snnplast.task.objective import CrossEntropy
from snnplast.task.trial import Record

INPUTS, CLASSES, STEPS = 7, 3, 50
LAYERS = {"first": 6, "second": 4}


def context() -> Context:
    """Two layers and a readout, as a source sees them."""
    net = Network()
    net.add("input", PoissonSource(INPUTS))
    for name, size in LAYERS.items():
        net.add(name, LIF(size, representation=LayerNorm()))
    net.add("output", RateReadout(CLASSES))
    return Context(net, tuple(LAYERS), CrossEntropy(), online=False)


def records(seed: int, count: int, labels: np.ndarray | None = None) -> Iterator[Record]:
    """Trials with random inputs, classes, spikes and errors; representations differ between neurons, classes, trials.

    The last two fifths of the steps are in the learning window.
    """
    rng, net = np.random.default_rng(seed), context().network
    typical = {name: rng.uniform(0, 12, (CLASSES, size)) for name, size in LAYERS.items()}
    drawn = rng.integers(CLASSES, size=count) if labels is None else labels
    for index, label in enumerate(drawn):
        record = Record(net, {}, {}, index, steps=STEPS)
        record.inputs["input"] = rng.random(INPUTS)
        record.series["output.target"] = np.broadcast_to(np.eye(CLASSES)[label], (STEPS, CLASSES))
        record.series["output.in_window"] = (np.arange(STEPS) >= 30).astype(float)[:, None]
        said = np.random.default_rng((seed, index)).dirichlet(np.ones(CLASSES), size=STEPS)
        record.series["output.error"] = record.series["output.in_window"] * (said - np.eye(CLASSES)[label])
        for name, size in LAYERS.items():
            spiking = np.repeat(np.arange(size), rng.poisson(typical[name][label]))
            record.spikes[name] = np.sort(rng.integers(STEPS, size=spiking.size)), spiking
        yield record


def wrong(record: Record) -> np.ndarray:
    """The readout's mean error within the learning window (C,)."""
    return record.series["output.error"][30:].sum(axis=0) / 20


def shown(record: Record, layer: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, y, z) of one trial."""
    counts = np.bincount(record.spikes[layer][1], minlength=LAYERS[layer])
    rates = counts / (STEPS * 1e-3)
    z = (rates - rates.mean()) / np.sqrt(rates.var() + 1)
    return record.inputs["input"], record.series["output.target"][-1], z
