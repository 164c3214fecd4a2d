"""Which Brian2 networks the compiled engine runs; every other is refused in one sentence."""

from __future__ import annotations

import traceback
from typing import Any

from snnplast.brian import (
    ArrayVariable,
    BrianNetwork,
    CodeRunner,
    Device,
    EventMonitor,
    Function,
    FunctionImplementationContainer,
    Nameable,
    NetworkOperation,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    PopulationRateMonitor,
    SpikeGeneratorGroup,
    StateMonitor,
    Synapses,
    brian2,
)
from snnplast.errors import UserError, short

KINDS = (
    NeuronGroup,
    Synapses,
    PoissonGroup,
    PoissonInput,
    SpikeGeneratorGroup,
    EventMonitor,
    StateMonitor,
    PopulationRateMonitor,
    CodeRunner,
)
FOREIGN = ("sources", "libraries", "include_dirs", "library_dirs", "runtime_library_dirs", "define_macros")
"""What a C++ implementation of a function may ask a build of files for."""

ALLOWED = (
    "NeuronGroup, Synapses, PoissonGroup, PoissonInput, SpikeGeneratorGroup, SpikeMonitor, EventMonitor, "
    "StateMonitor and PopulationRateMonitor are allowed"
)


def check_result(made: Any, device: Device) -> None:
    """What make_network returned is a network of its own, and Brian2 is as it was."""
    if brian2.get_device() is not device:
        raise UserError(
            "compile: make_network chooses a Brian2 device itself; it is called under that of the compiled engine, "
            "and set_device is to be left out"
        )
    if not isinstance(made, BrianNetwork):
        raise UserError(
            f"compile: make_network must return a brian2.Network, such as Network(collect()), not {short(made)}"
        )
    if not any(reference() is made for reference in Nameable.__instances__()):
        raise UserError(
            f"compile: the network {made.name!r} was made outside make_network; all objects of a network, and the "
            "network itself, must be made inside it"
        )
    if not made.objects:
        raise UserError(f"compile: the network {made.name!r} is empty; Network(...) takes the objects to be simulated")


def check_network(network: BrianNetwork, device: Device) -> None:
    """Every object was made inside, and is of a kind that runs in C++."""
    inside = {id(reference()) for reference in Nameable.__instances__()}
    for obj in network.sorted_objects:
        if isinstance(obj, NetworkOperation):
            raise UserError(
                f"compile: the network operation {obj.name!r} is Python code, which does not run inside the compiled "
                "network; run_regularly with Brian2 code, or Python between two calls of run, is allowed"
            )
        if id(obj) not in inside:
            raise UserError(
                f"compile: {obj.name!r} was made outside make_network; all objects of a network must be made inside it"
            )
        if not isinstance(obj, KINDS):
            raise UserError(f"compile: {obj.name!r} is a {type(obj).__name__}, which is not supported; {ALLOWED}")
        _check_uses(obj, device)
        updater = getattr(obj, "state_updater", None)
        method = getattr(updater, "method_choice", None)
        if isinstance(method, str) and method.startswith("gsl"):
            raise UserError(
                f"compile: {obj.name!r} is integrated by method {method!r}, which needs the GNU Scientific Library; "
                "Brian2's other methods, such as 'rk4' and 'exponential_euler', are allowed"
            )


def _check_uses(obj: Any, device: Device) -> None:
    for name, variable in getattr(obj, "variables", {}).items():
        if isinstance(variable, ArrayVariable) and variable.device is not device:
            owner = getattr(variable.owner, "name", name)
            raise UserError(
                f"compile: {obj.name!r} uses {owner!r}, which was made outside make_network; all objects of a network "
                "must be made inside it"
            )


def function_without_code(error: BaseException) -> str | None:
    """The Python function that an error of Brian2's says it has no C++ code for."""
    while error.__cause__ is not None:
        error = error.__cause__
    if not isinstance(error, KeyError):
        return None
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    container = frame.f_locals.get("self")
    if not isinstance(container, FunctionImplementationContainer):
        return None
    return str(getattr(container._function.pyfunc, "__name__", "?"))


def check_function(owner: str, name: str, function: Function, target: type) -> None:
    """The C++ implementation of a function in the code of `owner` needs nothing beside the compiler."""
    kwds = function.implementations[target].compiler_kwds or {}
    needed = [key for key in FOREIGN if kwds.get(key)]
    if needed:
        raise UserError(
            f"compile: the C++ implementation of {name!r}, which {owner!r} calls, asks for {needed[0]}; what it needs "
            "must be in its own code or in standard headers"
        )
