"""The engine on Brian2's generated C++, compiled to a shared library in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from snnplast.engine import internals, internals_cpp, unity
from snnplast.engine.again import Again
from snnplast.engine.base import CALLS, CHUNK, BrianModel, Calls, Engine, Handle, Interrupted
from snnplast.engine.events import Events
from snnplast.engine.inputs import SpikeInput, check_state, checked_count, checked_initial, checked_series, known
from snnplast.engine.library import Library
from snnplast.errors import UserError
from snnplast.native import compiler
from snnplast.native.cache import cache_directory, cache_key, cached
from snnplast.native.scratch import working
from snnplast.native.stage import address

LONGEST_DELAY = 10**6
"""Steps."""

BLOCK = 1 << 16
"""Steps for which the history makes room at once."""


@dataclass(frozen=True)
class SourcePlan:
    """A source: its size, position in the step's program, arrays of its spikes and its clock, and whether it has
    spikes of its own."""

    size: int
    position: int
    space: int
    timestep: int
    own: bool


@dataclass(frozen=True)
class Growing:
    """What a monitor records: an array with one entry, or a matrix with one row of so many columns, for each time."""

    number: int
    dtype: np.dtype
    columns: int | None


@dataclass(frozen=True)
class Pairs:
    """Synapses that are made at once: the arrays that hold both ends of them, by number, and the ends."""

    pre: int
    post: int
    sources: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Blueprint:
    """Everything a copy of the network is made of: no Brian2 object.

    Arrays are named by their number in the library's table.
    """

    image: bytes
    static_arrays: dict[str, np.ndarray]
    connections: tuple[Pairs, ...]
    dtypes: tuple[np.dtype, ...]
    variables: dict[str, int]
    sources: dict[str, SourcePlan]
    spiking: dict[str, int]
    recorded: tuple[str, ...]
    backwards: frozenset[str]
    state: tuple[int, ...]
    times: tuple[int, ...]
    event_spaces: tuple[int, ...]
    delays: tuple[int, ...]
    timestep: int
    initial: dict[str, np.ndarray | float]
    program_length: int
    growing: dict[str, Growing]
    read_only: frozenset[str]
    dt: float
    seed: int | None

    def opened(self, library: Library) -> Blueprint:
        """The blueprint of what `library` holds: pairs are those in there, and what a clone copies begins nowhere."""
        made: Counter[int] = Counter()
        connections = []
        for c in self.connections:
            own = slice(made[c.pre], made[c.pre] + c.sources.size)
            made[c.pre] = own.stop
            ends = (library.view(k, self.dtypes[k])[own] for k in (c.pre, c.post))
            connections.append(Pairs(c.pre, c.post, *ends))
        begins = {n: v for n, v in self.initial.items() if self.variables[n] in self.state or n in self.read_only}
        return replace(self, connections=tuple(connections), initial=begins)


def draw_up(
    construct: Callable[[], BrianModel],
    device: internals_cpp.EngineDevice | None = None,
    precision: str = "double",
) -> Blueprint:
    """Construct the network under a private device, generate its sources, compile them or find them compiled.

    device: another one than `EngineDevice()`. precision: see `EngineChoice`.
    """
    device = device or internals_cpp.EngineDevice()
    with internals.private_brian(device, **internals_cpp.preferences(precision)):
        model = construct()
        try:  # nothing large is held on to: Brian2's parser leaves cycles with this frame in them
            return _describe(device, model, _generated(device, model))
        finally:
            model.initial.clear()
            device.seal()


def _generated(device: internals_cpp.EngineDevice, model: BrianModel) -> internals_cpp.Generated:
    return working(
        lambda place: internals_cpp.generate(device, model.network, place, model.namespace), cache_directory()
    )


def _describe(device: internals_cpp.EngineDevice, model: BrianModel, generated: internals_cpp.Generated) -> Blueprint:
    number = {name: k for k, name in enumerate(generated.arrays)}

    def array(variable) -> int:
        return number[device.get_array_name(variable, access_data=False)]

    positions, length = internals_cpp.source_positions(model.network)
    lasting = {array(model.variables[name]) for name in model.lasting}
    variables = {name: array(variable) for name, variable in model.variables.items()}
    delays = {array(path.variables["delay"]) for path in internals.pathways(model.network)}
    restored = internals.state_variables(model.network) if model.restored is None else model.restored
    matrices = {name: k for k, name in enumerate(generated.matrices)}

    def growing(variable) -> Growing:
        name = device.get_array_name(variable, access_data=False)
        columns = int(variable.size[1]) if name in matrices else None
        return Growing(number[name] if columns is None else matrices[name], np.dtype(variable.dtype), columns)

    spiking = model.spiking if model.own_spikes else {**model.spiking, **model.sources}
    clock = internals.clocks(model.network)[0]
    return Blueprint(
        image=_compiled(generated),
        static_arrays=generated.static_arrays,
        connections=tuple(Pairs(number[c.pre], number[c.post], c.sources, c.targets) for c in generated.connections),
        dtypes=tuple(generated.arrays.values()),
        variables=variables,
        sources={
            name: SourcePlan(
                len(group),
                positions[group.name],
                array(group.variables["_spikespace"]),
                array(group.clock.variables["timestep"]),
                model.own_spikes,
            )
            for name, group in model.sources.items()
        },
        spiking={name: array(group.variables["_spikespace"]) for name, group in spiking.items()},
        recorded=model.recorded,
        backwards=model.backwards,
        state=tuple(k for k in map(array, restored) if k not in lasting),
        times=tuple(array(v) for v in restored if v.name in internals.TIMES and array(v) not in lasting),
        event_spaces=tuple(map(array, internals.event_spaces(model.network))),
        delays=tuple(sorted(delays & set(variables.values()))),
        timestep=array(clock.variables["timestep"]),
        initial=dict(model.initial),
        program_length=length,
        growing={name: growing(variable) for name, variable in model.growing.items()},
        read_only=frozenset(name for name, variable in model.variables.items() if variable.read_only),
        dt=float(clock.dt_),
        seed=model.seed,
    )


def _compiled(generated: internals_cpp.Generated) -> bytes:
    files = unity.assemble(generated)
    key = cache_key(files, compiler.fingerprint())
    return cached(key, lambda: compiler.compiled(files, "unity.cpp", cache_directory()))


class CompiledEngine(Engine):
    """The whole step loop in C++: generated code, series, history and spikes. See `Engine` for the methods.

    Parameters
    ----------
    construct : makes the Brian2 objects, or the `Blueprint` of an engine to be cloned: its `plan`.
    precision : of its variables, "double" or "single"; that of a blueprint is its own.
    """

    def __init__(self, construct: Callable[[], BrianModel] | Blueprint, precision: str = "double") -> None:
        self._open(construct if isinstance(construct, Blueprint) else draw_up(construct, precision=precision))

    def _open(self, plan: Blueprint) -> None:
        pairs = [(c.sources, c.targets) for c in plan.connections]
        library = Library(plan.image, plan.static_arrays, pairs, plan.seed)
        if library.program_length != plan.program_length:
            raise RuntimeError("the generated code runs other objects than the network has")
        self._library: Library | None = library
        self._stop = False
        self._timestep = library.view(plan.timestep, plan.dtypes[plan.timestep])
        self._views = {name: library.view(k, plan.dtypes[k]) for name, k in plan.variables.items()}
        self._delays = {k: (v, v.copy()) for k, v in ((k, library.view(k, plan.dtypes[k])) for k in plan.delays)}
        for name, values in plan.initial.items():
            known("variable in initial", name, self._views)
            self._views[name][:] = checked_initial(name, values, self._views[name])
        for name in plan.read_only:
            self._views[name].flags.writeable = False
        self._declare(library, plan)
        self.plan = plan.opened(library)
        self._restart()

    def _declare(self, library: Library, plan: Blueprint) -> None:
        """Tell the library what to restore, record and take in; what is left out costs nothing."""
        for k in plan.state:
            library.checked(library.add_state(k))
        for k in plan.event_spaces:
            library.add_event_space(k)
        for grown in plan.growing.values():
            (library.add_growing if grown.columns is None else library.add_matrix)(grown.number)
        self._inputs = {
            name: (
                library.add_source(source.position, source.space, source.own),
                SpikeInput(name, source.size),
                library.view(source.timestep, plan.dtypes[source.timestep]),
            )
            for name, source in plan.sources.items()
        }
        self._recorders = {
            name: (library.add_recorder(space), Events(np.int64)) for name, space in plan.spiking.items()
        }
        self._histories = {name: library.add_history(plan.variables[name]) for name in plan.recorded}
        self._rows = {name: np.empty((0, self._views[name].size), self._views[name].dtype) for name in plan.recorded}
        self._capacity = 0
        self._handles: dict[int, Handle] = {}
        self._series: dict[str, tuple[int, np.ndarray, int]] = {}
        swept = {name: (self._histories[name], self._rows[name]) for name in plan.recorded if name in plan.backwards}
        self._again = Again(library, swept, lambda: (self.state(), dict(self._series)), self._put_back)

    def _restart(self, keep: Collection[str] = (), seed: int | None = None) -> None:
        """Time, queues, inputs and everything kept since the last reset; and the non-lasting variables."""
        library = self._alive()
        self._check_delays(keep)
        kept = [(self[name], self[name].copy()) for name in keep]
        library.checked(library.reset())
        for view, values in kept:
            view[:] = values
        if seed is not None:
            library.seed(seed)
        self._take_over_delays()
        self._forget()

    def _forget(self) -> None:
        """What was handed over and recorded since the last reset."""
        if self._again.forget():
            for name in self.plan.backwards:
                rows = self._rows[name]
                self._alive().set_history(self._histories[name], rows.ctypes.data, len(rows))
        for _, spikes, _ in self._inputs.values():
            spikes.clear()
        for _, events in self._recorders.values():
            events.clear()

    def _alive(self) -> Library:
        if self._library is None:
            raise RuntimeError("this engine has been closed")
        return self._library

    def __getitem__(self, name: str) -> np.ndarray:
        self._alive()
        try:
            return self._views[name]
        except KeyError:
            known("variable", name, self._views)
            raise

    @property
    def t(self) -> int:
        # The library's own clock: right even if an exception, Python's or C++'s, cut a call short.
        return int(self._timestep[0])

    def set_spikes(self, source: str, steps: ArrayLike, indices: ArrayLike) -> None:
        library = self._alive()
        known("spike source", source, self._inputs)
        number, spikes, timestep = self._inputs[source]
        now = int(timestep[0])
        spikes.add(steps, indices, now)
        events = spikes.events
        library.set_spikes(number, *events.addresses, events.count, now)

    def set_series(self, name: str, values: ArrayLike) -> None:
        library = self._alive()
        rows = checked_series(name, values, self[name])
        known_series = self._series.get(name)
        number = known_series[0] if known_series else library.add_series(self.plan.variables[name])
        self._series[name] = (number, rows, self.t)
        library.set_series(number, rows.ctypes.data, len(rows), self.t)

    def steps(self, n: int) -> None:
        library = self._alive()
        now = self.t
        end = now + checked_count(n)
        self._heed_stop()
        begins = True
        while now < end:
            beyond = now >= self._again.kept
            most = self._again.go_on(now, begins) if beyond else self._again.kept - now
            block, begins = min(BLOCK, end - now, most), False
            if now + block > self._capacity:
                self._make_room(now + block)
            now += library.checked(library.steps(block, CHUNK))
            self._heed_stop()

    def _heed_stop(self) -> None:
        if self._stop:
            self._stop = False
            raise Interrupted

    def _make_room(self, length: int) -> None:
        self._capacity = length = max(length, 2 * self._capacity)
        self._handles.clear()
        for name, number in self._histories.items():
            rows = self._rows[name]
            most = min(length, self._again.kept) if name in self.plan.backwards else length
            if len(rows) < most:
                longer = np.empty((most, rows.shape[1]), rows.dtype)
                longer[: self.t] = rows[: self.t]
                self._rows[name] = longer
                self._alive().set_history(number, longer.ctypes.data, most)

    def backwards(self, name: str, steps: int) -> Iterator[tuple[int, np.ndarray]]:
        self._alive()
        known("recorded variable", name, self._rows)
        if name in self.plan.backwards:
            yield from self._again.backwards(name, self.t, steps)
        yield 0, self._rows[name][: min(steps, self.t)]

    def stop(self) -> None:
        self._stop = True

    @property
    def history(self) -> Mapping[str, np.ndarray]:
        self._alive()
        partly = self.plan.backwards if self.t > self._again.kept else ()
        return MappingProxyType({name: rows[: self.t] for name, rows in self._rows.items() if name not in partly})

    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        library = self._alive()
        known("spiking population", population, self._recorders)
        number, events = self._recorders[population]
        first = events.count
        if new := library.spike_count(number) - first:
            steps, indices = events.room(new)
            library.spikes(number, first, steps.ctypes.data, indices.ctypes.data)
        return events.steps, events.indices

    def grown(self, name: str) -> np.ndarray:
        """A copy of what a monitor has recorded since the last reset: one entry or row for each time."""
        library = self._alive()
        known("recorded variable", name, self.plan.growing)
        what = self.plan.growing[name]
        if what.columns is None:
            return library.view(what.number, what.dtype).copy()
        return library.matrix(what.number, what.columns, what.dtype)

    def reset(self, keep: Collection[str] = (), seed: int | None = None) -> None:
        """See `Engine`. keep: variables that are left as they are. seed: where random numbers begin anew."""
        self._restart(keep, seed)

    def proceed(self) -> None:
        library, passed = self._alive(), self.t * self.plan.dt
        library.checked(library.proceed())
        self._forget()
        for k in self.plan.times:
            library.view(k, self.plan.dtypes[k])[:] -= passed

    def state(self) -> dict[str, np.ndarray]:
        library, plan = self._alive(), self.plan
        found = {f"array/{k}": library.view(k, plan.dtypes[k]).copy() for k in (*plan.state, *plan.event_spaces)}
        for k in range(library.checked(library.n_pathways())):
            pairs = np.empty((library.checked(library.in_flight(k, None)), 2), np.int32)
            library.checked(library.in_flight(k, pairs.ctypes.data))
            found[f"in flight/{k}"] = pairs
        return found

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        check_state(state, self.state())
        self._restart()
        self._write(state)

    def _put_back(self, kept: tuple[Mapping[str, np.ndarray], Mapping[str, tuple[int, np.ndarray, int]]]) -> None:
        """State, and the series that are running then."""
        state, series = kept
        self._write(state)
        for name, (number, _, _) in self._series.items():
            _, rows, start = series.get(name, (number, np.empty(0), 0))
            self._alive().set_series(number, rows.ctypes.data, len(rows), start)

    def _write(self, state: Mapping[str, np.ndarray]) -> None:
        library, plan = self._alive(), self.plan
        for k in (*plan.state, *plan.event_spaces):
            library.view(k, plan.dtypes[k])[:] = state[f"array/{k}"]
        for k in range(library.checked(library.n_pathways())):
            pairs = np.ascontiguousarray(state[f"in flight/{k}"], np.int32)
            library.checked(library.put_in_flight(k, pairs.ctypes.data, len(pairs)))

    def handle(self, steps: int) -> Handle | None:
        library = self._alive()
        self.reset()
        if steps > self._again.kept:
            return None
        if steps > self._capacity:
            self._make_room(steps)
        if steps in self._handles:
            return self._handles[steps]
        self._handles[steps] = handle = Handle(
            Calls(*(address(getattr(library, name)) for name in CALLS)),
            {name: number for name, (number, _, _) in self._inputs.items()},
            {name: number for name, (number, _) in self._recorders.items()},
            {name: rows[:steps] for name, rows in self._rows.items()},
        )
        return handle

    def clone(self) -> CompiledEngine:
        self._alive()
        twin = CompiledEngine(self.plan)
        for name, view in self._views.items():
            if view.flags.writeable:
                twin._views[name][:] = view
        twin._check_delays(self.plan.variables)
        twin._take_over_delays()
        return twin

    def _take_over_delays(self) -> None:
        """Let the spike queues, which must be empty, follow delays that were written to."""
        if any(not np.array_equal(now, then) for now, then in self._delays.values()):
            library = self._alive()
            library.checked(library.prepare())
            for now, then in self._delays.values():
                then[:] = now

    def _check_delays(self, keep: Collection[str]) -> None:
        """Delays that were written to and are not about to be restored: the queues have a place for each step."""
        kept = {self.plan.variables[name] for name in keep}
        for number, (now, then) in self._delays.items():
            if (number in self.plan.state and number not in kept) or np.array_equal(now, then):
                continue
            longest = LONGEST_DELAY * self.plan.dt
            wrong = now[~((now >= 0) & (now <= longest))]
            if wrong.size:
                name = next(name for name, k in self.plan.variables.items() if k == number)
                raise UserError(f"reset: {name!r} holds a delay of {wrong[0]:g} s; 0 to {longest:g} s are allowed")

    def close(self) -> None:
        self._library = None
        self._inputs.clear()
