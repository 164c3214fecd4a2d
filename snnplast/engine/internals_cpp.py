"""Contact with Brian2's C++ standalone device: from Brian2 objects to generated sources.

Like `internals`, every assumption made here has a test of its own in
tests/engine/test_internals.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snnplast.brian import (
    ArrayVariable,
    BrianNetwork,
    Constant,
    CPPStandaloneCodeObject,
    CPPStandaloneDevice,
    DynamicArrayVariable,
    SpikeGeneratorGroup,
    second,
)
from snnplast.engine import internals
from snnplast.engine.generator import EngineGenerator
from snnplast.errors import UserError

PREFERENCES: dict[str, Any] = {
    "devices.cpp_standalone.openmp_threads": 0,
    "core.stop_on_keyboard_interrupt": False,  # or the library would install a signal handler
    "codegen.cpp.extra_compile_args": [],  # or a compiler would be started for each flag of a makefile nobody runs
}
REALS = {"double": np.float64, "single": np.float32}


def preferences(precision: str) -> dict[str, Any]:
    """Brian2's preferences for variables of "double" or "single" precision."""
    return PREFERENCES | {"core.default_float_dtype": REALS[precision]}


@dataclass(frozen=True)
class Connection:
    """One `Synapses.connect(i=..., j=...)`: C++ names of what it fills, and the indices to fill it with."""

    pre: str
    post: str
    outgoing: str
    incoming: str
    count: str
    n_pre: int
    n_post: int
    registered: tuple[str, ...]
    sources: np.ndarray = field(repr=False)
    targets: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Generated:
    """Everything the device generated for one network.

    `arrays` maps the C++ name of each one-dimensional array to its dtype; `dynamic` names those
    that are vectors, `matrices` the two-dimensional ones. `static_arrays` and `connections` hold the
    values the initialiser reads.
    """

    sources: dict[str, str]
    headers: dict[str, str]
    arrays: dict[str, np.dtype]
    dynamic: frozenset[str]
    matrices: dict[str, np.dtype]
    static_arrays: dict[str, np.ndarray]
    connections: tuple[Connection, ...]
    code_objects: tuple[str, ...]
    before_run: tuple[str, ...]
    pathways: tuple[str, ...]
    network: str
    clocks: tuple[str, ...]


def _moved(indices: np.ndarray, offset: int) -> np.ndarray:
    """Neurons of a group from those of its subgroup that begins at `offset`."""
    return (indices + offset if offset else indices).astype(np.int32, copy=False)


class EngineCodeObject(CPPStandaloneCodeObject):
    """Brian2's C++ code object with the templates of this package where it has some, and Brian2's for the rest."""

    generator_class = EngineGenerator
    templater = CPPStandaloneCodeObject.templater.derive("snnplast.engine")


class EngineDevice(CPPStandaloneDevice):
    """The C++ standalone device, with three changes.

    Synapses given as arrays are handed over in memory instead of generated code, so that the
    number of synapses does not enter the sources: one network drawn with another seed is then
    the same library; and without copies where they are given to `connect`. Loops over synapses
    and thresholds come from the templates of this package, and booleans that switch a value off
    become masks, unless `own_templates` is off: the results are the same, bit by bit. And once `sealed`, every
    access through a Brian2 object raises, because it would otherwise be queued and ignored.
    """

    way_in = "engine['population.variable']"

    def __init__(self, own_templates: bool = True) -> None:
        super().__init__()
        self.own_templates = own_templates
        self.connections: list[Connection] = []
        self._pairs: tuple[np.ndarray, np.ndarray] | None = None
        self.sealed = False

    def connect(self, synapses: Any, pre: np.ndarray, post: np.ndarray) -> None:
        """As `Synapses.connect(i=pre, j=post)`, which makes a dozen copies: it is shown the first pair only."""
        self._pairs = pre, post
        try:
            synapses.connect(i=pre[:1], j=post[:1])
        finally:
            self._pairs = None

    def code_object_class(self, codeobj_class=None, *args, **kwds):
        chosen = super().code_object_class(codeobj_class, *args, **kwds)
        return EngineCodeObject if chosen is CPPStandaloneCodeObject and self.own_templates else chosen

    def code_object(self, owner, name, abstract_code, variables, template_name, *args, **kwds):
        if template_name == "synapses_create_array":
            connection = self._connection(owner, variables)
            if connection is not None:
                self._forget(variables["sources"], variables["targets"])
                self._update_cache(variables, connection)
                self.insert_code("main", f"snnplast_connect({len(self.connections)});")
                self.connections.append(connection)
                return lambda: None
        return super().code_object(owner, name, abstract_code, variables, template_name, *args, **kwds)

    def _connection(self, synapses, variables) -> Connection | None:
        """How to connect in memory, or None for what only the generated code can do."""
        ends = variables["N_pre"], variables["N_post"]
        if synapses.multisynaptic_index or not all(isinstance(end, Constant) for end in ends):
            return None
        offsets = [int(variables[name].get_value()) for name in ("_source_offset", "_target_offset")]
        given = self._pairs or tuple(variables[name].get_value() for name in ("sources", "targets"))
        sources, targets = (_moved(ends, offset) for ends, offset in zip(given, offsets, strict=True))
        registered = (self.get_array_name(v, access_data=False) for v in synapses._registered_variables)
        return Connection(
            pre=self.get_array_name(variables["_synaptic_pre"], access_data=False),
            post=self.get_array_name(variables["_synaptic_post"], access_data=False),
            outgoing=self.get_array_name(variables["N_outgoing"], access_data=False),
            incoming=self.get_array_name(variables["N_incoming"], access_data=False),
            count=self.get_array_name(variables["N"]),
            n_pre=int(ends[0].get_value()) + offsets[0],
            n_post=int(ends[1].get_value()) + offsets[1],
            registered=tuple(sorted(registered)),
            sources=sources,
            targets=targets,
        )

    def _forget(self, *variables: ArrayVariable) -> None:
        """Leave no trace of temporary arrays in the sources, whose length would be the number of synapses."""
        for variable in variables:
            name = self.arrays.pop(variable)
            self.array_cache.pop(variable, None)
            self.zero_arrays = [(v, n) for v, n in self.zero_arrays if v is not variable]
            self.arange_arrays = [(v, n, s) for v, n, s in self.arange_arrays if v is not variable]
            using = [entry for entry in self.main_queue if isinstance(entry[1], tuple) and name in entry[1]]
            for function, args in using:
                self.main_queue.remove((function, args))
                if function == "set_by_array":
                    del self.static_arrays[args[1]]

    def _update_cache(self, variables, connection: Connection) -> None:
        """Let Brian2 know how many synapses there are, as its own device does."""
        pairs = (("_synaptic_pre", connection.sources), ("_synaptic_post", connection.targets))
        if self.array_cache.get(variables["N"]) is not None:
            self.array_cache[variables["N"]][0] += len(connection.sources)
            for name, values in pairs:
                earlier = self.array_cache.get(variables[name])
                if earlier is not None and earlier.size:
                    values = np.append(earlier, values)
                self.array_cache[variables[name]] = values

    def seal(self) -> None:
        """From now on, every access through a Brian2 object raises. What it held is let go: it dies late, in cycles."""
        self.sealed = True
        self.array_cache.clear()
        self.static_arrays.clear()
        self.connections.clear()

    def _refuse(self, *args, **kwds):
        raise UserError(
            "this network runs in the compiled engine, where Brian2 objects no longer reach it: "
            f"read and write through {self.way_in}"
        )

    def __getattribute__(self, name: str) -> Any:
        if name in _VALUE_ACCESS and object.__getattribute__(self, "sealed"):
            return object.__getattribute__(self, "_refuse")
        return object.__getattribute__(self, name)


_VALUE_ACCESS = frozenset(
    {"get_value", "set_value", "fill_with_array", "resize", "resize_along_first", "init_with_zeros",
     "init_with_arange", "add_array", "code_object", "static_array", "get_array_name"}
)  # fmt: skip


def generate(
    device: EngineDevice, network: BrianNetwork, directory: Path, namespace: Mapping[str, Any] | None = None
) -> Generated:
    """Let the active `device` write the sources of `network` into `directory` and read them back.

    The generated `main` only initialises: it returns before the network would run.
    namespace: what names in the code of the network mean that its objects do not know themselves.
    """
    device.main_queue.insert(0, ("insert_code", "snnplast_seed();"))
    device.insert_code("before_network_run", "return 0;")
    network.run(0 * second, namespace=dict(namespace or {}))
    _order(device, network)
    device.build(directory=str(directory), compile=False, run=False)
    one_dimensional = [v for v in device.arrays if v not in device.dynamic_arrays_2d]
    names = {device.get_array_name(v, access_data=False): v for v in one_dimensional}
    return Generated(
        sources=_texts(directory, "*.cpp"),
        headers=_texts(directory, "*.h"),
        arrays={name: np.dtype(names[name].dtype) for name in sorted(names)},
        dynamic=frozenset(name for name, v in names.items() if isinstance(v, DynamicArrayVariable)),
        matrices={device.get_array_name(v, access_data=False): np.dtype(v.dtype) for v in device.dynamic_arrays_2d},
        static_arrays={name: np.ascontiguousarray(array) for name, array in sorted(device.static_arrays.items())},
        connections=tuple(device.connections),
        code_objects=tuple(sorted(device.code_objects)),
        before_run=tuple(args[0].name for function, args in device.main_queue if function == "before_run_code_object"),
        pathways=tuple(sorted(path.name for s in device.synapses for path in s._pathways)),
        network=network.name,
        clocks=tuple(clock.name for clock in internals.clocks(network)),
    )


def _order(device: EngineDevice, network: BrianNetwork) -> None:
    """Put what Brian2 generates for each clock of a set into one order: the sources are the cache's key."""
    clocks = internals.clocks(network)
    names = {device.get_array_name(clock.variables[v]) for clock in clocks for v in ("timestep", "t")}
    queue = device.main_queue
    places = [k for k, (what, args) in enumerate(queue) if what == "set_by_single_value" and args[0] in names]
    for k, entry in zip(places, sorted((queue[k] for k in places), key=lambda entry: entry[1][0]), strict=True):
        queue[k] = entry
    lines = next(args[1] for what, args in reversed(queue) if what == "run_network")
    idle = [k for k, line in enumerate(lines) if line.endswith(", NULL);")]
    for k, line in zip(idle, sorted(lines[k] for k in idle), strict=True):
        lines[k] = line


def _texts(directory: Path, pattern: str) -> dict[str, str]:
    return {path.relative_to(directory).as_posix(): path.read_text() for path in sorted(directory.rglob(pattern))}


def source_positions(network: BrianNetwork) -> tuple[dict[str, int], int]:
    """Where in one step's list of functions each spike generator runs, and the length of that list.

    At its end are clocks that nothing is run by: they tick as well.
    """
    positions, position = {}, 0
    for obj in internals.active_objects(network):
        if isinstance(obj, SpikeGeneratorGroup):
            positions[obj.name] = position
        position += len(obj._code_objects)
    used = {obj.clock for obj in internals.active_objects(network) if obj._code_objects}
    return positions, position + len(set(internals.clocks(network)) - used)
