"""Brian2's own ways of running a network that a function makes: what `snnplast.compile` is compared with."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brian2
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice

from snnplast.engine import internals

EXACT = ["-w", "-std=c++17", "-ffp-contract=off"]
"""Without -ffast-math, which Brian2 takes by default, and without contraction: every operation is rounded once."""


def made(make: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """The network, and the names that the function sees."""
    names: dict[str, Any] = {}

    def watch(frame, event, argument):
        if event == "return" and frame.f_code is make.__code__:
            names.update(frame.f_globals | frame.f_locals)

    sys.setprofile(watch)
    try:
        return make(), names
    finally:
        sys.setprofile(None)


def recorded(network) -> dict[str, Any]:
    """Everything that monitors recorded: 'monitor.variable' -> array."""
    found = {}
    for monitor in network.objects:
        if isinstance(monitor, brian2.EventMonitor):
            names = sorted({"t", "i"} | set(monitor.record_variables))
        elif isinstance(monitor, brian2.StateMonitor):
            names = ["t", *monitor.record_variables]
        elif isinstance(monitor, brian2.PopulationRateMonitor):
            names = ["t", "rate"]
        else:
            continue
        found |= {f"{monitor.name}.{name}": monitor.variables[name].get_value().copy() for name in names}
        if isinstance(monitor, brian2.StateMonitor):
            found |= {key: found[key].T for key in (f"{monitor.name}.{v}" for v in monitor.record_variables)}
    return found


def standalone(make, duration, seed: int, directory: Path, optimise: str = "-O0") -> tuple[dict, float, float]:
    """In C++ standalone mode: what was recorded, and the seconds that compiling and running took.

    Running is what the program itself measures: without loading and writing arrays.
    """
    device = CPPStandaloneDevice()
    preferences = {
        "devices.cpp_standalone.openmp_threads": 0,
        "codegen.cpp.extra_compile_args_gcc": [*EXACT, *optimise.split()],
        "devices.cpp_standalone.extra_make_args_unix": ["-j1"],
    }
    with internals.private_brian(device, **preferences):
        brian2.seed(seed)
        network, names = made(make)
        network.run(duration, namespace=names)
        start = time.perf_counter()
        device.build(directory=str(directory), compile=True, run=False, with_output=False)
        built = time.perf_counter() - start
        device.run(str(directory), "results", with_output=False)
        return recorded(network), built, device._last_run_time


def runtime(make, duration, seed: int, target: str) -> tuple[dict, float]:
    """In Brian2's ordinary runtime: what was recorded, and the seconds of a second run of the same duration."""
    with internals.private_brian(internals.runtime_device(), **internals.runtime_preferences(target)):
        brian2.seed(seed)
        network, names = made(make)
        network.run(duration, namespace=names)
        first = recorded(network)
        start = time.perf_counter()
        network.run(duration, namespace=names)
        return first, time.perf_counter() - start
