"""The weights and biases that a run left, put into a network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnplast.errors import UserError
from snnplast.network.projection import Wiring
from snnplast.record.results import Run


def load_values(run: Run, values: Mapping[str, np.ndarray], wiring: Mapping[str, Wiring]) -> None:
    """Writes what the file holds into `values`: projection -> weights (n_synapses,), 'population.bias' -> (n,).

    Raises
    ------
    UserError
        The file holds other parameters, other pairs of neurons or other sizes than the network; nothing is written.
    """
    if not run.projections:
        raise UserError(f"'{run.path}' holds no weights: its status is {run.status!r}")
    for name in [*values, *sorted({*run.projections, *run.parameters})]:
        here, there = name in values, name in run.projections or name in run.parameters
        if here != there:
            raise _misfit(run, f"{name!r} is in the {'network' if here else 'file'} only")
    stored: dict[str, np.ndarray] = dict(run.parameters)
    for name, mine in values.items():
        if name in run.projections:
            pre, post, stored[name] = run.weights(name)
            if not (np.array_equal(pre, wiring[name].pre) and np.array_equal(post, wiring[name].post)):
                raise _misfit(run, f"{name!r} connects other pairs ({pre.size} synapses there, {mine.size} here)")
        elif stored[name].shape != mine.shape:
            raise _misfit(run, f"{name!r} has shape {stored[name].shape} there, {mine.shape} here")
    for name, mine in values.items():
        mine[:] = stored[name]


def _misfit(run: Run, what: str) -> UserError:
    return UserError(f"'{run.path}' does not fit this network: {what}; model and rule must be those of the run")
