"""The engine on Brian2's ordinary runtime: no compiler needed, and the cross-check of the compiled one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from snnplast.brian import Device
from snnplast.engine import internals
from snnplast.engine.base import BrianModel, Engine, Interrupted
from snnplast.engine.events import Events
from snnplast.engine.inputs import SpikeInput, check_state, checked_count, checked_initial, checked_series, known

BLOCK = 1000
"""Steps prepared for at once: what is prepared does not grow with the length of a run."""


class RuntimeEngine(Engine):
    """Runs the objects of one Brian2 network in their own order, without the 0.2 s that `Network.run` adds per call.

    Parameters
    ----------
    construct : makes the Brian2 objects, all of them, its clock included.
    target : code generation target, "numpy", "cython" or "auto" (Cython where it works).
    """

    def __init__(self, construct: Callable[[], BrianModel], target: str = "auto") -> None:
        self._construct = construct
        self._target = target
        self._stop = False
        with self._private_brian():
            model = construct()
            self._model: BrianModel | None = model
            self._open(model)

    def _private_brian(self) -> AbstractContextManager[Device]:
        return internals.private_brian(internals.runtime_device(), **internals.runtime_preferences(self._target))

    def _open(self, model: BrianModel) -> None:
        network = model.network
        clock = internals.single_clock(network)
        self._timestep, self._time, self._dt = (clock.variables[v].get_value() for v in ("timestep", "t", "dt"))
        self._views = {name: variable.get_value() for name, variable in model.variables.items()}
        for name, values in model.initial.items():
            known("variable in initial", name, self._views)
            self._views[name][:] = checked_initial(name, values, self._views[name])
        internals.prepare(network)

        self._inputs = {name: SpikeInput(name, len(group)) for name, group in model.sources.items()}
        events = {**model.spiking, **model.sources}
        self._spike_spaces = {name: group.variables["_spikespace"].get_value() for name, group in events.items()}
        names = {id(group): name for name, group in model.sources.items()}
        # A name is a source, whose spikes the engine puts in place itself; everything else is run.
        self._program: Sequence[Any] = [names.get(id(obj), obj.run) for obj in internals.active_objects(network)]

        lasting = {id(model.variables[name]) for name in model.lasting}
        state = [v for v in internals.state_variables(network) if id(v) not in lasting]
        self._initial_state = [(v.get_value(), v.get_value().copy()) for v in state]
        self._times = [v.get_value() for v in state if v.name in internals.TIMES]
        self._event_spaces = [v.get_value() for v in internals.event_spaces(network)]
        self._queues = internals.queue_states(network)
        named = {id(variable) for variable in model.variables.values()}
        delays = [v for path in internals.pathways(network) if id(v := path.variables["delay"]) in named]
        self._delays = [(v.get_value(), v.get_value().copy()) for v in delays]

        self._spikes = {name: Events(np.int64) for name in events}
        self._rows = {name: np.empty((0, self._views[name].size), self._views[name].dtype) for name in model.recorded}
        self._series: dict[str, tuple[int, np.ndarray]] = {}
        self._restart()

    def _restart(self) -> None:
        """Time, events and everything kept since the last reset."""
        self._forget()
        for space in self._event_spaces:
            space[-1] = 0
        if any(not np.array_equal(now, then) for now, then in self._delays):
            self._take_over_delays()
        internals.restore_queues(self._queues)

    def _forget(self) -> None:
        """What was handed over and recorded; time begins anew."""
        self._t = 0
        self._timestep[0] = 0
        self._time[0] = 0.0
        for spikes in self._inputs.values():
            spikes.clear()
        for kept in self._spikes.values():
            kept.clear()
        self._series.clear()

    def _take_over_delays(self) -> None:
        network = self._alive().network
        internals.restore_queues(self._queues)
        internals.prepare_queues(network)
        self._queues = internals.queue_states(network)
        for now, then in self._delays:
            then[:] = now

    def _alive(self) -> BrianModel:
        if self._model is None:
            raise RuntimeError("this engine has been closed")
        return self._model

    def __getitem__(self, name: str) -> np.ndarray:
        self._alive()
        known("variable", name, self._views)
        return self._views[name]

    @property
    def t(self) -> int:
        return self._t

    def set_spikes(self, source: str, steps: ArrayLike, indices: ArrayLike) -> None:
        self._alive()
        known("spike source", source, self._inputs)
        self._inputs[source].add(steps, indices, self._t)

    def set_series(self, name: str, values: ArrayLike) -> None:
        self._alive()
        known("variable", name, self._views)
        self._series[name] = (self._t, checked_series(name, values, self._views[name]))

    def steps(self, n: int) -> None:
        self._alive()
        end = self._t + checked_count(n)
        self._heed_stop()
        while self._t < end:
            self._block(min(BLOCK, end - self._t))

    def _heed_stop(self) -> None:
        if self._stop:
            self._stop = False
            raise Interrupted

    def _block(self, n: int) -> None:
        self._make_room(self._t + n)
        edges = np.arange(self._t, self._t + n + 1)
        bounds = {name: np.searchsorted(spikes.events.steps, edges) for name, spikes in self._inputs.items()}
        for k in range(n):
            now = {name: slice(*bounds[name][k : k + 2]) for name in self._inputs}
            self._step({name: spikes.events.indices[now[name]] for name, spikes in self._inputs.items()})
            self._heed_stop()

    def _step(self, inputs: dict[str, np.ndarray]) -> None:
        for name, (start, rows) in self._series.items():
            if self._t - start < len(rows):
                self._views[name][:] = rows[self._t - start]
        for part in self._program:
            if isinstance(part, str):
                space = self._spike_spaces[part]
                space[: len(inputs[part])] = inputs[part]
                space[-1] = len(inputs[part])
            else:
                part()
        for name, rows in self._rows.items():
            rows[self._t] = self._views[name]
        for name, space in self._spike_spaces.items():
            if space[-1]:
                self._spikes[name].append(self._t, space[: space[-1]])
        self._t += 1
        self._timestep[0] = self._t
        self._time[0] = self._t * self._dt[0]

    def _make_room(self, length: int) -> None:
        for name, rows in self._rows.items():
            if len(rows) < length:
                longer = np.empty((max(length, 2 * len(rows)), rows.shape[1]), rows.dtype)
                longer[: self._t] = rows[: self._t]
                self._rows[name] = longer

    def stop(self) -> None:
        self._stop = True

    @property
    def history(self) -> Mapping[str, np.ndarray]:
        self._alive()
        return MappingProxyType({name: rows[: self._t] for name, rows in self._rows.items()})

    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        self._alive()
        known("spiking population", population, self._spikes)
        kept = self._spikes[population]
        return kept.steps, kept.indices

    def reset(self) -> None:
        self._alive()
        for array, initial in self._initial_state:
            array[:] = initial
        self._restart()

    def proceed(self) -> None:
        self._alive()
        passed = self._t * self._dt[0]
        self._forget()
        for array in self._times:
            array[:] -= passed

    def state(self) -> dict[str, np.ndarray]:
        network = self._alive().network
        found = {f"array/{k}": array.copy() for k, array in enumerate(self._state_arrays)}
        for k, path in enumerate(internals.pathways(network)):
            found[f"in flight/{k}"] = internals.in_flight(path.queue)
        return found

    @property
    def _state_arrays(self) -> list[np.ndarray]:
        """What changes, and the events of the last step, which synapses are yet to take up."""
        return [*(array for array, _ in self._initial_state), *self._event_spaces]

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        network = self._alive().network
        check_state(state, self.state())
        self._restart()
        for k, array in enumerate(self._state_arrays):
            array[:] = state[f"array/{k}"]
        for k, path in enumerate(internals.pathways(network)):
            internals.put_in_flight(path.queue, state[f"in flight/{k}"])

    def clone(self) -> RuntimeEngine:
        self._alive()
        twin = RuntimeEngine(self._construct, self._target)
        for name, view in self._views.items():
            twin._views[name][:] = view
        twin._restart()
        return twin

    def close(self) -> None:
        self._model = None
