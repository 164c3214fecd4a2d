"""Looking into a running network after every step, also into its synapses, and keeping only what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from snnplast.engine import Engine


class Watched(Engine):
    """An engine that takes its steps one by one, with a look at it after each; all else is the engine's own.

    look: called with the engine at the end of every step, after the resets.
    """

    def __init__(self, engine: Engine, look: Callable[[Engine], None]) -> None:
        self._engine, self._look = engine, look

    def steps(self, n: int) -> None:
        for _ in range(n):
            self._engine.steps(1)
            self._look(self._engine)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._engine[name]

    @property
    def t(self) -> int:
        return self._engine.t

    @property
    def history(self) -> Mapping[str, np.ndarray]:
        return self._engine.history

    def set_spikes(self, source: str, steps: np.ndarray, indices: np.ndarray) -> None:
        self._engine.set_spikes(source, steps, indices)

    def set_series(self, name: str, values: np.ndarray) -> None:
        self._engine.set_series(name, values)

    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        return self._engine.spikes(population)

    def stop(self) -> None:
        self._engine.stop()

    def reset(self) -> None:
        self._engine.reset()

    def proceed(self) -> None:
        self._engine.proceed()

    def state(self) -> dict[str, np.ndarray]:
        return self._engine.state()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._engine.restore(state)

    def clone(self) -> Engine:
        return Watched(self._engine.clone(), self._look)

    def close(self) -> None:
        self._engine.close()


class Magnitudes:
    """Sum over time of |x| of whole variables: `sums[name]` (n,). A look for `Watched`."""

    def __init__(self, names: Iterable[str]) -> None:
        self.sums: dict[str, np.ndarray | float] = dict.fromkeys(names, 0.0)

    def __call__(self, engine: Engine) -> None:
        for name in self.sums:
            self.sums[name] = self.sums[name] + np.abs(engine[name])


class Traces:
    """Single elements of variables through time: `rows[name, index]` has one value per step. A look for `Watched`."""

    def __init__(self, chosen: Iterable[tuple[str, int]]) -> None:
        self.rows: dict[tuple[str, int], list[float]] = {key: [] for key in chosen}

    def __call__(self, engine: Engine) -> None:
        for (name, index), values in self.rows.items():
            values.append(engine[name][index])
