"""Weights and biases that were kept, put into a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from snnplast.config.targets import is_run
from snnplast.errors import UserError, short
from snnplast.files import usable
from snnplast.record.reading import read_run
from snnplast.record.results import Run
from snnplast.record.weights import Weights
from snnplast.record.weights_file import load_weights, write_weights
from snnplast.simulation.simulation import Simulation


def load_values(source: Run | Weights, simulation: Simulation) -> None:
    """Write what was kept into a simulation; of a run, also the state that outlives its trials.

    Raises
    ------
    UserError
        What was kept has other parameters, other pairs of neurons or other sizes than the network; nothing is written.
    """
    kept = source.weights if isinstance(source, Run) else source
    values, wiring = simulation.values, simulation.plan.wiring
    if isinstance(source, Run) and not source.projections:
        raise UserError(f"{kept.where} holds no weights: its status is {source.status!r}")
    for name in [*values, *sorted(kept)]:
        if (name in values) != (name in kept):
            raise _misfit(kept, f"{name!r} is in the {'network' if name in values else 'file'} only")
    stored: dict[str, np.ndarray] = {}
    for name, mine in values.items():
        if name in wiring:
            pre, post, stored[name] = kept.synapses(name)
            if not (np.array_equal(pre, wiring[name].pre) and np.array_equal(post, wiring[name].post)):
                raise _misfit(kept, f"{name!r} connects other pairs ({pre.size} synapses there, {mine.size} here)")
        else:
            stored[name] = kept[name]
        if stored[name].shape != mine.shape:
            raise _misfit(kept, f"{name!r} has shape {stored[name].shape} there, {mine.shape} here")
    lasting = source.lasting if isinstance(source, Run) else {}
    for name, mine in simulation.persistent().items() if lasting else ():
        if name not in lasting or lasting[name].shape != mine.shape:
            raise _misfit(kept, f"the state {name!r}, which outlives trials, is another")
        stored[name] = lasting[name]
    for name, mine in {**values, **(simulation.persistent() if lasting else {})}.items():
        mine[:] = stored[name]
    simulation.tie()


class Misfit(UserError):
    """What was kept is that of another network."""


def _misfit(kept: Weights, what: str) -> UserError:
    return Misfit(f"{kept.where} does not fit this network: {what}; model and rule must be those of the run")


def kept_weights(source: Any, place: str = "weights") -> Run | Weights | None:
    """What may be given where weights are asked for: a run, what `load_weights` reads, or the file of either.

    Also an open experiment, or anything else with such `weights`; None stays None. Raises `UserError`.
    """
    if source is None or isinstance(source, Run | Weights):
        return source
    if isinstance(source, str | os.PathLike):
        path = usable(source, place)
        return read_run(path) if is_run(path) else load_weights(path)
    found = source.snapshot() if callable(getattr(source, "snapshot", None)) else None
    if isinstance(found, Weights):
        return found
    raise UserError(f"{place} = {short(source)}: a run, loaded weights, or the file of either is needed")


def weights_of(simulation: Simulation) -> Weights:
    """A copy of what a simulation has now."""
    wiring = simulation.plan.wiring
    values = {name: array.copy() for name, array in simulation.values.items()}
    parameters = {name: array for name, array in values.items() if name not in wiring}
    names = {name: None for name in values if name in wiring}
    return Weights(
        "the open experiment", names, parameters, lambda name: (wiring[name].pre, wiring[name].post, values[name])
    )


def save_weights(path: str | os.PathLike[str], source: Any, force: bool = False) -> Path:
    """Keep the weights and biases of a run, or of an open experiment, in a NumPy file (.npz).

    source: also loaded weights, or the file of a run. force: whether what stands there may be replaced.
    Returns the path. Raises `UserError` where there are no weights, or the file cannot be written or stands already.

    >>> from tempfile import TemporaryDirectory
    >>> import snnplast as snn
    >>> from snnplast.testing import small_network, small_task
    >>> experiment = snn.Experiment(small_network(), small_task(), snn.EProp(batch=10), epochs=2, engine="runtime")
    >>> with TemporaryDirectory() as folder, snn.open(experiment) as sim:
    ...     path = snn.save_weights(f"{folder}/drawn.npz", sim)
    ...     path.name, snn.evaluate(experiment, path) == sim.evaluate()
    ('drawn.npz', True)
    """
    kept = kept_weights(source, "save_weights")
    if kept is None:
        raise UserError("save_weights: None has no weights; a run or an open experiment is needed")
    return write_weights(path, kept.weights if isinstance(kept, Run) else kept, force)
