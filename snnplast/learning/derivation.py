"""The linearised step of a population, derived once for all populations of the same code."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from snnplast.learning.derivative import Given
from snnplast.learning.linearised import Linearised, linearise
from snnplast.learning.step_code import step_of
from snnplast.network.fragments import Fragment
from snnplast.network.neurons import SpikingPopulation


def derivation(population: SpikingPopulation, code: Fragment, dt: float, through_reset: bool = False) -> Linearised:
    """The step of a population whose code is `code`, for a time step `dt` (s), with all derivatives.

    through_reset: whether the derivative of a spike acts through all of its reset where the population does not say.
    """
    return _linearised(_Key(population, code, dt, through_reset))


class _Key:
    """What a derivation depends on: code, and which constants differ between neurons; not their values."""

    def __init__(self, population: SpikingPopulation, code: Fragment, dt: float, through_reset: bool) -> None:
        self.population, self.code, self.dt, self.through_reset = population, code, dt, through_reset
        given: Given = population.derivatives
        self._text: Any = (
            code.equations, code.updates, code.on_spike, tuple(sorted(code.units.items())),
            tuple((name, np.ndim(value)) for name, value in code.constants.items()), population.integration,
            population.distance, population.distance_unit, population.active, population.through,
            tuple(one.name for one in population.learnt), tuple(sorted(given.items())), dt, through_reset,
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._text == other._text


@functools.lru_cache(maxsize=64)
def _linearised(key: _Key) -> Linearised:
    population, step = key.population, step_of(key.population, key.code, key.dt)
    through = population.through
    if through is None and key.through_reset:
        through = tuple(dict.fromkeys(name for name, _ in step.reset))
    return linearise(
        step,
        through,
        [one.name for one in population.learnt],
        population.derivatives,
    )
