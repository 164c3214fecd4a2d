"""All contact with what Brian2 does not document, for both engines.

Every assumption made here has a test of its own in tests/engine/test_internals.py, so that
a Brian2 release that breaks one says which.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from snnplast.brian import (
    ArrayVariable,
    BrianNetwork,
    BrianObject,
    Device,
    Nameable,
    NeuronGroup,
    PoissonGroup,
    RuntimeDevice,
    SpikeGeneratorGroup,
    Synapses,
    SynapticPathway,
    prefs,
)

device_module: Any = sys.modules[Device.__module__]
"""The module: `brian2.devices.device` as an attribute is a proxy object of the same name."""

GLOBALS = threading.RLock()
"""Brian2's active device, names and preferences are global to the process: one construction at a time."""

NEVER_SPIKED = -1e4
"""Brian2's initial `lastspike`, in seconds."""


@contextmanager
def private_brian(device: Device, **preferences: Any) -> Iterator[Device]:
    """Brian2 as in a fresh process: `device` active, no object names taken, `preferences` set.

    What was there before is put back at the end, so that other use of Brian2 in this process
    does not notice. Names matter because those of earlier networks that are still alive shift
    the automatic names of code objects, and with them the generated code and its cache key.
    """
    with GLOBALS:
        active = device_module.active_device
        names = Nameable.__instances__()
        earlier = set(names)
        before = {key: prefs[key] for key in preferences if key in prefs}
        set.clear(names)
        try:
            device_module.active_device = device
            device.activate(build_on_run=False)
            for key in before:
                prefs[key] = preferences[key]
            yield device
        except BaseException:
            _give_up(names)
            raise
        finally:
            device_module.active_device = active
            for key, value in before.items():
                prefs[key] = value
            set.clear(names)
            set.update(names, (reference for reference in earlier if reference() is not None))


def _give_up(names: Iterable[Any]) -> None:
    """Objects of a construction that failed go silently: Brian2 would warn that they were never in a network."""
    for reference in set(names):
        found: Any = reference()
        if isinstance(found, BrianObject) and getattr(found, "_network", "") is None:
            setattr(found, "_network", "given up")  # noqa: B010  (Brian2 declares it to be None)


def runtime_device() -> RuntimeDevice:
    """A runtime device of its own: its default clock and random buffers are not those of the user."""
    return RuntimeDevice()


def runtime_preferences(target: str) -> dict[str, Any]:
    """Preferences for the code generation target "numpy", "cython" or "auto"."""
    connect = "numpy" if target == "numpy" else "auto"
    return {
        "codegen.target": target,
        "codegen.string_expression_target": "numpy",
        "codegen.synapse_connect_target": connect,  # new in Brian2 2.11
    }


def active_objects(network: BrianNetwork) -> list[Any]:
    """The network's objects in the order in which one step runs them."""
    return [obj for obj in network.sorted_objects if obj.active]


def single_clock(network: BrianNetwork) -> Any:
    """The clock that all objects share. Raises `ValueError` if there are several."""
    clocks = {obj.clock for obj in network.sorted_objects}
    if len(clocks) != 1:
        raise ValueError(f"an engine needs exactly one clock, not {sorted(clock.name for clock in clocks)}")
    return clocks.pop()


@contextmanager
def networks_made() -> Iterator[list[tuple[BrianNetwork, FrameType]]]:
    """Every network that is made meanwhile, with the frame of the function that makes it."""
    made: list[tuple[BrianNetwork, FrameType]] = []
    original = BrianNetwork.__init__

    def init(network: Any, *args: Any, **kwds: Any) -> None:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_locals.get("self") is network:
            frame = frame.f_back
        made.append((network, frame))
        original(network, *args, **kwds)

    setattr(BrianNetwork, "__init__", init)  # noqa: B010  (another signature)
    try:
        yield made
    finally:
        BrianNetwork.__init__ = original


def clocks(network: BrianNetwork) -> list[Any]:
    """All clocks, the fastest first."""
    return sorted({obj.clock for obj in network.sorted_objects}, key=lambda clock: (float(clock.dt_), clock.name))


def prepare(network: BrianNetwork) -> None:
    """Create the code objects of all parts, as the beginning of `Network.run` does."""
    network._clocks = {obj.clock for obj in network.sorted_objects}
    network.before_run({})


TIMES = frozenset({"lastspike", "lastupdate"})
"""Names of variables that hold a time at which something was."""


def state_variables(network: BrianNetwork) -> list[ArrayVariable]:
    """Every variable that steps may change: arrays that are not constant, without clocks and event lists.

    Each is listed once, in a reproducible order. Monitors are not the engine's business.
    """
    clock_variables = {id(variable) for clock in clocks(network) for variable in clock.variables.values()}
    found: dict[int, ArrayVariable] = {}
    for owner in network.sorted_objects:
        if not isinstance(owner, (NeuronGroup, PoissonGroup, SpikeGeneratorGroup, Synapses)):
            continue
        for variable in owner.variables.values():
            if not isinstance(variable, ArrayVariable) or variable.constant:
                continue
            if id(variable) not in clock_variables and not is_event_space(variable):
                found.setdefault(id(variable), variable)
    return list(found.values())


def event_spaces(network: BrianNetwork) -> list[ArrayVariable]:
    """The lists of spikes (and other events) of this step: n + 1 integers, the last one the number of events."""
    found: dict[int, ArrayVariable] = {}
    for owner in network.sorted_objects:
        for event in getattr(owner, "events", None) or {}:
            name = f"_{event}space"
            if name in getattr(owner, "variables", {}):
                variable = owner.variables[name]
                found.setdefault(id(variable), variable)
    return list(found.values())


def is_event_space(variable: ArrayVariable) -> bool:
    return variable.name.startswith("_") and variable.name.endswith("space")


def pathways(network: BrianNetwork) -> list[SynapticPathway]:
    return [obj for obj in active_objects(network) if isinstance(obj, SynapticPathway)]


def queue_states(network: BrianNetwork) -> list[tuple[Any, Any]]:
    """The spike queues of the runtime, each with its state; to be taken while they are empty."""
    return [(path.queue, path.queue._full_state()) for path in pathways(network)]


def restore_queues(states: list[tuple[Any, Any]]) -> None:
    """Put spike queues back into an earlier state: spikes on their way are forgotten."""
    for queue, state in states:
        queue._restore_from_full_state(state)


def in_flight(queue: Any) -> np.ndarray:
    """Spikes on their way in a queue of the runtime: (steps until arrival, synapse) (n, 2), as they will arrive."""
    state = queue._full_state()
    if len(state) == 3:  # Brian2's queue in Python: dt, pairs, shape
        pairs = np.asarray(state[1], np.int32).reshape(-1, 2)
        return pairs[np.argsort(pairs[:, 0], kind="stable")]
    offset, slots = state
    ahead = [(k, synapse) for k in range(len(slots)) for synapse in slots[(offset + k) % len(slots)]]
    return np.array(ahead, np.int32).reshape(-1, 2)


def put_in_flight(queue: Any, pairs: np.ndarray) -> None:
    """Let these spikes, and no others, be on their way."""
    state = queue._full_state()
    if len(state) == 3:
        dt, _, (steps, width) = state
        widest = int(np.bincount(pairs[:, 0], minlength=1).max(initial=0))
        queue._restore_from_full_state((dt, pairs.astype(int), (steps, max(width, widest))))
        return
    slots: list[list[int]] = [[] for _ in state[1]]
    for ahead, synapse in pairs.tolist():
        slots[ahead].append(synapse)
    queue._restore_from_full_state((0, slots))


def prepare_queues(network: BrianNetwork) -> None:
    """Let the runtime's spike queues take over delays that have changed."""
    for path in pathways(network):
        path.initialise_queue()


def connect(synapses: Any, pre: np.ndarray, post: np.ndarray) -> None:
    """Connect the pairs (pre, post), int32 (n_synapses,) each; a device of ours takes them as they are."""
    device = device_module.active_device
    if hasattr(device, "connect"):
        device.connect(synapses, pre, post)
    else:
        synapses.connect(i=pre, j=post)
